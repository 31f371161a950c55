"""Which partition a record goes to, decided here for both transports.

The same key must reach the same partition on Kafka and on SQLite, also when another Kafka client
writes to the topic: so this is Kafka's own rule, murmur2 of the key modulo the partitions.
"""

from __future__ import annotations

from itertools import count

from stream.errors import BadRecord, LogChanged, UsageError
from stream.log.contract import Partition
from stream.records import MAX_RECORD_BYTES

_SEED, _FACTOR, _SHIFT, _WORD = 0x9747B28C, 0x5BD1E995, 24, 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The 32-bit murmur2 hash with the seed of Kafka's clients, as an unsigned number."""
    value = _SEED ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * _FACTOR & _WORD
        word = (word ^ word >> _SHIFT) * _FACTOR & _WORD
        value = (value * _FACTOR & _WORD) ^ word
    if whole < len(data):
        value = (value ^ int.from_bytes(data[whole:], "little")) * _FACTOR & _WORD
    value = (value ^ value >> 13) * _FACTOR & _WORD
    return value ^ value >> 15


class Chooser:
    """Chooses partitions for one producer: as told, else by key, else each in turn."""

    def __init__(self) -> None:
        self._turn = count()

    def choose(self, topic: str, partitions: int, key: bytes | None, told: int | None) -> int:
        if told is not None:
            if not 0 <= told < partitions:
                raise UsageError(
                    f"topic {topic} has {partitions} partition(s), but a record was sent to "
                    f"partition {told}; add partitions to the topic"
                )
            return told
        if key is None:
            return next(self._turn) % partitions
        return (murmur2(key) & 0x7FFFFFFF) % partitions


def check_size(topic: str, value: bytes) -> None:
    """Refuse here what a broker would refuse later, when the record is no longer in hand."""
    if len(value) > MAX_RECORD_BYTES:
        raise BadRecord(
            f"a record of {len(value):,} bytes for {topic} is over the limit of "
            f"{MAX_RECORD_BYTES:,}; shorten it"
        )


def missing_topic(topic: str, where: str) -> UsageError:
    return UsageError(f"topic {topic} does not exist in {where}; run `dateline topics create`")


def outside(group: str, partition: Partition, at: int, first: int, after: int) -> LogChanged:
    """A position that the log does not hold."""
    name = f"{partition.topic}/{partition.number}"
    stage = group.removeprefix("dateline.")
    why = (
        f"{first - at:,} records were dropped before they were read; restore them, or run "
        f"`dateline offsets reset {stage} --to start --skip` to go on without them"
        if at < first
        else "it was shortened, restored from an older copy or made again; restore the newer log, "
        f"or run `dateline offsets reset {stage} --to start` to read what it holds"
    )
    return LogChanged(
        f"group {group} goes on at {at} in {name}, but the log holds {first} to {after}: {why}"
    )


def in_use(group: str) -> UsageError:
    stage = group.removeprefix("dateline.")
    return UsageError(
        f"the stage {stage} is running (its group {group} has a live member); stop it and try "
        "again; one that was killed is missed after some seconds"
    )
