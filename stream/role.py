"""What a stage is: a small class that turns records into outputs.

It knows nothing of Kafka, threads or signals and reads no wall clock; the loop in `stream.stage`
handles poison records, shutdown, tables, restoring and metrics for all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from stream.log.contract import LogRecord, Partition

Rewind = Callable[[], Iterator[LogRecord]]


class Output(NamedTuple):
    """A record that a stage wants appended."""

    topic: str
    record: Struct
    key: str | None = None
    partition: int | None = None


# ruff: noqa: B027 - the defaults that do nothing are empty on purpose.
class Stage(ABC):
    """What a stage may say and do; everything but `process` has a default.

    Methods are called from one thread. An exception from `process`, or an output too large to
    append, is the records' fault unless it is a DatelineError other than BadRecord: the loop then
    tries smaller batches until the bad one is alone, and makes it a dead letter. Unavailable and
    PartitionsLost end the round; `lost` is then called for every partition before `start` is
    called again, so a stage may keep what it has learnt from a batch in memory.
    """

    name: str
    inputs: tuple[str, ...]
    # Topics read whole before the first record and followed from then on.
    tables: tuple[str, ...] = ()
    # Topic whose own earlier outputs the stage wants back when it gains a partition.
    restores_from: str | None = None
    # To be called now and then by what takes minutes, so that it is not taken for a standstill.
    beat: Callable[[], None] = staticmethod(lambda: None)
    # Records a call of `process`: 1 where a failure could leave the stage's state half changed.
    chunk: int = 64

    def ahead(self, batch: Sequence[LogRecord]) -> None:
        """A batch has come: its records are given to `process` next, chunk by chunk, or handed
        back. What can be read of them by themselves may be read now. Must not raise."""

    @abstractmethod
    def process(self, batch: Sequence[LogRecord]) -> list[Output]:
        """Handle records of one partition, in order. Must not change its state when it raises."""

    def table(self, changes: Sequence[LogRecord], rewind: Rewind) -> Iterable[Output]:
        """New records of the tables: all of them, the first time; none, when only the partitions
        have changed. Called before any record that follows is processed, and only while the
        stage owns partitions. `rewind()` reads again what has been processed so far of the
        partitions owned now, oldest first, without the stage's dead letters. What is returned is
        appended while it is made, so a look back over a million articles need not fit into
        memory. An exception ends the stage."""
        return []

    def start(self, partition: Partition, log_id: str) -> int | None:
        """Gained a partition: the offset to start from, None = where the group committed."""
        return None

    def restores_at(self, partition: Partition) -> int:
        """Where in that partition of `restores_from` the outputs that it wants back begin. Called
        after `start`."""
        return 0

    def restore(self, partition: Partition, outputs: Iterator[LogRecord]) -> None:
        """Called after `start` with what `restores_from` holds in that partition, from
        `restores_at` on."""

    def skip(self, record: LogRecord, error: BaseException) -> None:
        """The record became a dead letter; a stage that keeps its own positions moves past it."""

    def committed(self, next_offsets: Mapping[Partition, int]) -> None:
        """Outputs up to here are durable: the moment to save a snapshot."""

    def lost(self, partition: Partition) -> None:
        """The partition went to another member: drop its state."""

    def idle(self) -> None:
        """Nothing arrived in this round."""

    def close(self) -> None:
        """Free what the stage holds."""
