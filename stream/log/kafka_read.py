"""Reading Kafka without a group: whole topics, stretches of a partition, and where they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer
from kafka import errors as kafka_errors

from stream.errors import Unavailable
from stream.log.contract import LogRecord, Partition
from stream.log.kafka_client import (
    ANSWER_S,
    FETCH_BYTES,
    PARTITION_BYTES,
    Address,
    kafka_partition,
    log_record,
)

# How long a reader's request may lie at a broker that has nothing new.
READ_WAIT_MS = 100


class KafkaFollower:
    """A client of its own, which fetches ahead in the background: polling it costs nothing."""

    def __init__(
        self, address: Address, partitions: Sequence[Partition], check: Callable[[], None]
    ) -> None:
        """`check` raises LogChanged when a topic is not the one that it was."""
        self._address, self._partitions, self._check = address, partitions, check
        self._context = reader(address, partitions)
        self._client = self._context.__enter__()
        self._whole = False

    def poll(self) -> Sequence[LogRecord]:
        with self._address.errors():
            if self._whole:
                if found := _flat(self._client.poll(timeout_ms=0)):
                    self._check()
                return found
            bounds = ends_of(self._client, self._partitions)
            for partition, (first, _) in bounds.items():
                self._client.seek(kafka_partition(partition), first)
            ends = {partition: after for partition, (_, after) in bounds.items()}
            found = [r for page in read_until(self._address, self._client, ends) for r in page]
            self._whole = True
            return found

    def close(self) -> None:
        self._context.__exit__(None, None, None)


@contextmanager
def reader(
    address: Address, partitions: Sequence[Partition], group: str | None = None
) -> Iterator[Any]:
    """A client outside of any group; connecting takes some milliseconds."""
    with address.errors():
        client = KafkaConsumer(
            **address.options,
            metrics_enabled=False,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            fetch_max_wait_ms=READ_WAIT_MS,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_BYTES,
        )
        try:
            if partitions:
                client.assign([kafka_partition(p) for p in partitions])
            yield client
        finally:
            client.close(autocommit=False)


def ends_of(client: Any, partitions: Sequence[Partition]) -> dict[Partition, tuple[int, int]]:
    """(first, after) of each. Asked of a fetch, because some brokers answer the direct question
    with the start of the last batch."""
    sources = [kafka_partition(p) for p in partitions]
    firsts, guesses = client.beginning_offsets(sources), client.end_offsets(sources)
    filled = [source for source in sources if guesses[source] > firsts[source]]
    for source in sources:
        client.seek(source, max(firsts[source], guesses[source] - 1))
    deadline = time.monotonic() + ANSWER_S
    while any(client.highwater(source) is None for source in filled):
        if time.monotonic() > deadline:
            raise kafka_errors.KafkaTimeoutError("no answer to a fetch")
        client.poll(timeout_ms=READ_WAIT_MS)
    return {
        Partition(*s): (firsts[s], client.highwater(s) if s in filled else guesses[s])
        for s in sources
    }


def read_until(
    address: Address, client: Any, ends: Mapping[Partition, int]
) -> Iterator[list[LogRecord]]:
    """Pages of records until every partition has been read up to its end."""
    deadline = time.monotonic() + ANSWER_S
    while any(client.position(kafka_partition(p)) < end for p, end in ends.items()):
        with address.errors():
            records = _flat(client.poll(timeout_ms=READ_WAIT_MS))
        if records:
            yield records
            deadline = time.monotonic() + ANSWER_S
        elif time.monotonic() > deadline:
            raise Unavailable(f"{address.where} stopped answering in the middle of a topic")


def _flat(found: Mapping[Any, Sequence[Any]]) -> list[LogRecord]:
    return [log_record(record) for source in sorted(found) for record in found[source]]
