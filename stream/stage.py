"""The one loop that every stage runs in: poll, process, produce, commit.

A stage is a small class that turns records into outputs. It knows nothing of Kafka, threads or
signals and reads no wall clock; the loop here handles poison records, shutdown, tables, restoring
and metrics for all of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import structlog
from msgspec import Struct

from stream import records
from stream.errors import BadRecord, DatelineError, LogChanged, PartitionsLost, Unavailable
from stream.log.contract import Consumer, Log, LogRecord, Partition, Producer
from stream.telemetry import StageMetrics

Rewind = Callable[[], Iterator[LogRecord]]


class Output(NamedTuple):
    """A record that a stage wants appended."""

    topic: str
    record: Struct
    key: str | None = None
    partition: int | None = None


class Stage:
    """What a stage may say and do; everything but `process` has a default.

    Methods are called from one thread. An exception from `process` is the records' fault unless
    it is a DatelineError other than BadRecord: the loop then tries smaller batches until the bad
    one is alone, and makes it a dead letter.
    """

    name: str
    inputs: tuple[str, ...]
    # Topics read whole before the first record and followed from then on.
    tables: tuple[str, ...] = ()
    # Topic whose own earlier outputs the stage wants back when it gains a partition.
    restores_from: str | None = None
    # Records a call of `process`: 1 where a failure could leave the stage's state half changed.
    chunk: int = 64

    def process(self, batch: Sequence[LogRecord]) -> list[Output]:
        """Handle records of one partition, in order. Must not change its state when it raises."""
        raise NotImplementedError

    def table(self, changes: Sequence[LogRecord], rewind: Rewind) -> list[Output]:
        """New records of the tables (all of them, the first time). `rewind()` reads again what
        this stage has been given so far, oldest first."""
        return []

    def start(self, partition: Partition, log_id: str) -> int | None:
        """Gained a partition: the offset to start from, None = where the group committed."""
        return None

    def restore(self, partition: Partition, outputs: Iterator[LogRecord]) -> None:
        """Called after `start` with what `restores_from` holds in that partition."""

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


class Loop:
    """Runs one stage on a log. `step()` is one round; `run()` rounds until told to stop."""

    # A batch is cut so that no round comes near the poll interval of a broker (5 minutes by
    # default): 256 articles take the slowest stage, embedding, about 5 s on two cores.
    BATCH = 256
    # How long one poll may wait for a first record; bounds the latency of a shutdown.
    WAIT_S = 0.2
    # Waiting after Unavailable doubles from the first to the last of these.
    BACKOFF_S = (0.2, 15.0)

    def __init__(self, stage: Stage, log: Log, *, group: str | None = None) -> None:
        self.stage, self.log = stage, log
        self.group = group or f"dateline.{stage.name}"
        self.metrics = StageMetrics(stage.name)
        self._say = structlog.get_logger("dateline.stage").bind(stage=stage.name)
        self._table_next: dict[Partition, int] = {}
        self._seen_to: dict[Partition, int] = {}
        self._producer: Producer | None = None
        self._consumer: Consumer | None = None

    # -- life ------------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        """Rounds until `stop` is set; finishes the batch in hand first. Unavailable is waited out;
        LogChanged and other deliberate errors end the loop."""
        wait = self.BACKOFF_S[0]
        try:
            while not stop.is_set():
                try:
                    self.step()
                    wait = self.BACKOFF_S[0]
                except Unavailable as error:
                    self.metrics.failed(error)
                    self._say.warning("stage.waiting", error=str(error), retry_in_s=wait)
                    self._drop_connections()
                    stop.wait(wait)
                    wait = min(wait * 2, self.BACKOFF_S[1])
        finally:
            self.close()

    def step(self, wait: float | None = None) -> int:
        """One round; returns how many records it handled (tables included)."""
        if self._consumer is None:
            self._consumer = self.log.consumer(
                self.group, self.stage.inputs, on_assigned=self._gained, on_revoked=self._lost
            )
        if self._producer is None:
            self._producer = self.log.producer()
        handled = self._follow_tables()
        timeout = 0.0 if handled else (self.WAIT_S if wait is None else wait)
        batch = self._consumer.poll(self.BATCH, timeout)
        if not batch:
            self.stage.idle()
            self.metrics.alive()
            return handled
        started = time.perf_counter()
        next_offsets: dict[Partition, int] = {}
        outputs: list[Output] = []
        for partition, chunk in _chunks(batch, self.stage.chunk):
            outputs += self._process(chunk)
            next_offsets[partition] = chunk[-1].offset + 1
        self._produce(outputs)
        try:
            self._consumer.commit(next_offsets)
        except PartitionsLost as error:
            # The new owner starts at the last commit and does this batch again; what we produced
            # stands twice on the log and is recognised downstream.
            self._say.warning("stage.partitions_lost", error=str(error))
            return handled + len(batch)
        self._seen_to |= next_offsets
        self.stage.committed(next_offsets)
        self.metrics.done(batch, time.perf_counter() - started)
        return handled + len(batch)

    def lag(self) -> int:
        """Records of the owned partitions that are not handled yet."""
        owned = self._consumer.assigned() if self._consumer else frozenset()
        total = 0
        for partition in owned:
            done = self._seen_to.get(partition)
            if done is None:
                done = self.log.committed(self.group, partition) or self.log.bounds(partition)[0]
            total += max(0, self.log.bounds(partition)[1] - done)
        self.metrics.lag(total)
        return total

    def close(self) -> None:
        self._drop_connections()
        self.stage.close()

    def _drop_connections(self) -> None:
        for part in (self._producer, self._consumer):
            try:
                if part is not None:
                    part.close()
            except DatelineError as error:
                self._say.warning("stage.close_failed", error=str(error))
        self._producer = self._consumer = None

    # -- tables and partitions ---------------------------------------------------------------------

    def _follow_tables(self) -> int:
        changes: list[LogRecord] = []
        for topic in self.stage.tables:
            for number in range(self.log.partitions(topic)):
                source = Partition(topic, number)
                for record in self.log.read(source, self._table_next.get(source, 0)):
                    changes.append(record)
                    self._table_next[source] = record.offset + 1
        if changes:
            self._produce(self.stage.table(changes, self._rewind))
        return len(changes)

    def _rewind(self) -> Iterator[LogRecord]:
        for partition in sorted(self._consumer.assigned() if self._consumer else ()):
            end = self._seen_to.get(partition) or self.log.committed(self.group, partition) or 0
            yield from self.log.read(partition, 0, end)

    def _gained(self, partition: Partition) -> int | None:
        offset = self.stage.start(partition, self.log.log_id(partition.topic))
        if self.stage.restores_from:
            own = Partition(self.stage.restores_from, partition.number)
            self.stage.restore(partition, self.log.read(own))
        self._say.info("stage.partition_gained", topic=partition.topic, partition=partition.number)
        return offset

    def _lost(self, partition: Partition) -> None:
        self._seen_to.pop(partition, None)
        self.stage.lost(partition)
        self._say.info("stage.partition_lost", topic=partition.topic, partition=partition.number)

    # -- work --------------------------------------------------------------------------------------

    def _process(self, batch: Sequence[LogRecord], attempts: int = 1) -> list[Output]:
        """Outputs of the batch; bisects to isolate a record that fails."""
        try:
            outputs = self.stage.process(batch)
            for output in outputs:
                records.encode(output.record)  # too large = this batch's fault, found here
            return outputs
        except (Unavailable, LogChanged, PartitionsLost):
            raise
        except Exception as error:
            if isinstance(error, DatelineError) and not isinstance(error, BadRecord):
                raise
            if len(batch) > 1:
                middle = len(batch) // 2
                return self._process(batch[:middle], attempts + 1) + self._process(
                    batch[middle:], attempts + 1
                )
            return [self._dead_letter(batch[0], error, attempts)]

    def _dead_letter(self, record: LogRecord, error: Exception, attempts: int) -> Output:
        self.stage.skip(record, error)
        self.metrics.dead(error)
        self._say.error(
            "stage.dead_letter",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            error=f"{type(error).__name__}: {error}"[:500],
            exc_info=not isinstance(error, BadRecord),
        )
        article_id, revision = _article_of(record.value)
        letter = records.Dead(
            stage=self.stage.name,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            error=type(error).__name__,
            message=str(error)[:1000],  # a dead letter must itself be small
            attempts=attempts,
            first_failed=datetime.now(UTC),
            article_id=article_id,
            revision=revision,
        )
        where = f"{record.topic}/{record.partition}/{record.offset}"
        return Output(records.DEAD, letter, key=where)

    def _produce(self, outputs: Sequence[Output]) -> None:
        if not outputs:
            return
        assert self._producer is not None
        for output in outputs:
            self._producer.send(
                output.topic,
                records.encode(output.record),
                key=output.key.encode() if output.key is not None else None,
                partition=output.partition,
            )
        self._producer.flush()


def drain(loops: Sequence[Loop]) -> None:
    """Step the loops in turn until a whole round finds nothing to do: for replays and tests."""
    while True:
        if sum([loop.step(wait=0.0) for loop in loops]) == 0 and not any(
            loop.lag() for loop in loops
        ):
            return


def _chunks(
    batch: Sequence[LogRecord], size: int
) -> Iterator[tuple[Partition, Sequence[LogRecord]]]:
    by_partition: dict[Partition, list[LogRecord]] = {}
    for record in batch:
        by_partition.setdefault(record.source, []).append(record)
    for partition, own in by_partition.items():
        for start in range(0, len(own), size):
            yield partition, own[start : start + size]


class _Ids(Struct):
    id: str | None = None
    article_id: str | None = None
    revision: str | None = None
    article: msgspec.Raw | None = None
    embedded: msgspec.Raw | None = None
    placed: msgspec.Raw | None = None


def _article_of(value: bytes) -> tuple[str | None, str | None]:
    """The article that a record of any topic is about, as far as its bytes still tell."""
    try:
        ids = msgspec.json.decode(value, type=_Ids)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None, None
    for inner in (ids.placed, ids.embedded, ids.article):
        if inner is not None:
            return _article_of(bytes(inner))
    return ids.article_id or ids.id, ids.revision
