"""The one loop that every stage runs in: poll, process, produce, commit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import structlog

from stream import poison
from stream.batch import DEAD_IN_A_ROW, Encoded, Hand, encode
from stream.errors import DatelineError, PartitionsLost, Unavailable
from stream.log.contract import Consumer, Follower, Log, LogRecord, Partition, Producer
from stream.records import LANED, LIVE_LANE
from stream.role import Output, Rewind, Stage
from stream.telemetry import StageMetrics

__all__ = ["Loop", "Output", "Rewind", "Stage", "drain"]


class Loop:
    """Runs one stage on a log. `step()` is one round; `run()` rounds until told to stop."""

    # 256 articles take the slowest stage, embedding, about 5 s on two cores.
    BATCH = 256
    # Outputs of a look back held at once: a flush costs a moment, a million of them memory.
    PAGE = 1000
    # How long one poll may wait for a first record; bounds the latency of a shutdown.
    WAIT_S = 0.2
    # Waiting after Unavailable doubles from the first to the last of these.
    BACKOFF_S = (0.2, 15.0)
    # The lag is for graphs that are scraped about as often; asking costs a request a partition.
    LAG_EVERY_S = 15.0

    def __init__(
        self,
        stage: Stage,
        log: Log,
        *,
        group: str | None = None,
        dead_in_a_row: int = DEAD_IN_A_ROW,
    ) -> None:
        self.stage, self.log = stage, log
        self.group = group or f"dateline.{stage.name}"
        self.metrics = StageMetrics(stage.name)
        stage.beat = self.metrics.beat
        self._say = structlog.get_logger("dateline.stage").bind(stage=stage.name)
        self._hand = Hand(stage, log, self.metrics, self._produce, self._say, dead_in_a_row)
        self._stop = threading.Event()
        self._done_to: dict[Partition, int] = {}  # of the partitions owned now
        self._table_next: dict[Partition, int] = {}
        self._regained = False  # partitions came since the tables were last shown
        self._tables: Follower | None = None
        self._producer: Producer | None = None
        self._consumer: Consumer | None = None

    # -- life ------------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        """Rounds until `stop` is set; finishes the chunk in hand first. Unavailable is waited out
        and lost partitions are joined again; other deliberate errors end the loop."""
        self._stop, wait = stop, self.BACKOFF_S[0]
        lag_due = time.monotonic() + self.LAG_EVERY_S
        try:
            while not stop.is_set():
                try:
                    self.step()
                    if time.monotonic() >= lag_due:
                        self.lag()
                        lag_due = time.monotonic() + self.LAG_EVERY_S
                    wait = self.BACKOFF_S[0]
                except (Unavailable, PartitionsLost) as error:
                    self.metrics.failed(error)
                    self._say.warning("stage.waiting", error=str(error), retry_in_s=wait)
                    self._drop_connections()
                    stop.wait(wait)
                    wait = min(wait * 2, self.BACKOFF_S[1])
        except Exception as error:
            self.metrics.failed(error)
            raise
        finally:
            self.close()

    def step(self, wait: float | None = None) -> int:
        """One round; returns how many records it handled (tables included)."""
        self._connect()
        assert self._consumer is not None
        wait = self.WAIT_S if wait is None else wait
        batch = self._live_first(self._consumer.poll(self.BATCH, wait), wait)
        handled = len(batch) + (self._follow_tables() if self._consumer.assigned() else 0)
        if not batch:
            if not handled:
                self.stage.idle()
            self.metrics.alive()
            return handled
        started = time.perf_counter()
        done = self._hand.do(batch, self._stop.is_set)
        self._produce(done.outputs)
        try:
            if done.reached:
                self._consumer.commit(done.reached)
        except PartitionsLost as error:
            # The new owner starts at the last commit and does this batch again; what we produced
            # stands twice on the log and is recognised downstream.
            self._say.warning("stage.partitions_lost", error=str(error))
            return handled
        self._done_to |= done.reached
        self.stage.committed(done.reached)
        finished = [r for r in batch if r.offset < done.reached.get(r.source, 0)]
        self.metrics.done(finished, time.perf_counter() - started)
        if done.storm is not None:
            raise done.storm
        if len(finished) < len(batch):
            for record in reversed(batch):  # the first of each partition comes last
                if record.offset >= done.reached.get(record.source, 0):
                    self._consumer.seek(record.source, record.offset)
        return handled - len(batch) + len(finished)

    def _live_first(self, batch: Sequence[LogRecord], wait: float) -> Sequence[LogRecord]:
        """The batch with live news first; without backfill, which is handed back, while more live
        news waits than goes into a batch."""
        backfill = [r for r in batch if r.topic in LANED and r.partition != LIVE_LANE]
        if not backfill:
            return batch
        live = {Partition(record.topic, LIVE_LANE) for record in backfill}
        waiting = sum(self.log.bounds(p)[1] - self._done_by_group(p) for p in live)
        if waiting <= self.BATCH:
            return sorted(batch, key=lambda record: record.partition)  # stable
        assert self._consumer is not None
        for record in reversed(backfill):  # the first of each partition comes last
            self._consumer.seek(record.source, record.offset)
        held = {record.source for record in backfill}
        rest = [record for record in batch if record.source not in held]
        if not rest:
            self._stop.wait(wait)  # for whoever has the live lane
        return rest

    def lag(self) -> int:
        """Records of the owned partitions that are not handled yet; notes how far the group is."""
        ours = done = waiting = 0
        for partition in self._partitions(self.stage.inputs):
            first, after = self.log.bounds(partition)
            at = max(first, self._done_by_group(partition))
            done, waiting = done + at, waiting + max(0, after - at)
            if partition in self._done_to:
                ours += max(0, after - at)
        self.metrics.lag(ours)
        self.metrics.watch(done, waiting)
        return ours

    def owns(self) -> list[Partition]:
        """The partitions that are ours now."""
        return sorted(self._done_to)

    def behind(self) -> int:
        """Records that wait for the group, whoever owns their partitions, and for our tables."""
        inputs = (self._partitions(self.stage.inputs), self._done_by_group)
        tables = (self._partitions(self.stage.tables), lambda p: self._table_next.get(p, 0))
        total = 0
        for partitions, done in (inputs, tables):
            for partition in partitions:
                first, after = self.log.bounds(partition)
                total += after - max(first, done(partition))
        return total

    def close(self) -> None:
        """Leave the group, then free the stage. Safe to call twice."""
        self._drop_connections()
        self.stage.close()

    def _connect(self) -> None:
        if self._consumer is None:
            self._consumer = self.log.consumer(
                self.group, self.stage.inputs, on_assigned=self._gained, on_revoked=self._lost
            )
        if self._producer is None:
            self._producer = self.log.producer()

    def _drop_connections(self) -> None:
        for part in (self._producer, self._consumer, self._tables):
            try:
                if part is not None:
                    part.close()
            except DatelineError as error:
                self._say.warning("stage.close_failed", error=str(error))
        self._producer = self._consumer = self._tables = None

    # -- tables and partitions ---------------------------------------------------------------------

    def _follow_tables(self) -> int:
        if not self.stage.tables:
            return 0
        if self._tables is None:
            self._tables = self.log.follow(self.stage.tables)
        # A new follower begins at the start: what was shown before is left out.
        changes = [
            record
            for record in self._tables.poll()
            if record.offset >= self._table_next.get(record.source, 0)
        ]
        if changes or self._regained:
            outputs = iter(self.stage.table(changes, self._rewind))
            while page := [encode(output) for output in islice(outputs, self.PAGE)]:
                self._produce(page)
            # Only now, so that changes whose outputs could not be stored are shown again.
            self._table_next |= {record.source: record.offset + 1 for record in changes}
            self._regained = False
        return len(changes)

    def _rewind(self) -> Iterator[LogRecord]:
        for partition, end in sorted(self._done_to.items()):
            dead = poison.buried(self.log, self.stage.name, partition)
            for record in self._beating(self.log.read(partition, 0, end)):
                if record.offset not in dead:
                    yield record

    def _beating(self, records: Iterator[LogRecord]) -> Iterator[LogRecord]:
        """Reading a month of records takes minutes, and is no standstill."""
        for record in records:
            self.metrics.beat()
            yield record

    def _gained(self, partition: Partition) -> int | None:
        offset = self.stage.start(partition, self.log.log_id(partition.topic))
        if self.stage.restores_from:
            own = Partition(self.stage.restores_from, partition.number)
            at = self.stage.restores_at(partition)
            self.stage.restore(partition, self._beating(self.log.read(own, at)))
        self._done_to[partition] = self._done_by_group(partition) if offset is None else offset
        self._regained = True
        self._say.info("stage.partition_gained", topic=partition.topic, partition=partition.number)
        return offset

    def _lost(self, partition: Partition) -> None:
        self._done_to.pop(partition, None)
        self.stage.lost(partition)
        self._say.info("stage.partition_lost", topic=partition.topic, partition=partition.number)

    def _done_by_group(self, partition: Partition) -> int:
        own = self._done_to.get(partition)
        return own if own is not None else self.log.committed(self.group, partition) or 0

    def _partitions(self, topics: Sequence[str]) -> list[Partition]:
        return [Partition(t, number) for t in topics for number in range(self.log.partitions(t))]

    # -- work --------------------------------------------------------------------------------------

    def _produce(self, outputs: Sequence[Encoded]) -> None:
        assert self._producer is not None
        for output in outputs:
            self.metrics.beat()  # a look back gives a million at once
            self._producer.send(
                output.topic, output.value, key=output.key, partition=output.partition
            )
        self._producer.flush()


def drain(loops: Sequence[Loop], on_round: Callable[[], None] | None = None) -> int:
    """Step the loops in turn until nothing waits for any of them; how many records they handled.
    For replays, rebuilds and tests: the loops must be the only members of their groups."""
    total, wait = 0, 0.0
    while True:
        handled = sum([loop.step(wait) for loop in loops])
        total += handled
        if on_round is not None:
            on_round()
        if not handled and not any(loop.behind() for loop in loops):
            return total
        # A group that is still forming, or a table still on its way, is waited for.
        wait = 0.0 if handled else 0.05
