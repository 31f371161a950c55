"""One batch through a stage: bad records apart, cut in time, stopped when every record fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any, NamedTuple

from stream import poison, records
from stream.errors import BadRecord, PoisonStorm
from stream.log.contract import Log, LogRecord, Partition
from stream.role import Output, Stage
from stream.telemetry import StageMetrics

# A batch ends after this long with what is done, and the rest is handed back. However slow the
# model is, the next poll then comes in time for the broker (15 min), and a shutdown, which waits
# for the chunk in hand (another 20 s at most), for the supervisor (1 min).
CUT_S = 20.0
# The twentieth record in a row of a partition that fails stops the stage. Where one record in a
# thousand is bad by itself, twenty in a row never meet; and nineteen letters are read by a person.
DEAD_IN_A_ROW = 20


class Encoded(NamedTuple):
    """An output as it goes to the log."""

    topic: str
    value: bytes
    key: bytes | None
    partition: int | None


class Done(NamedTuple):
    """What came of a batch. `reached`: where each partition goes on; `storm`: why it is to stop
    there."""

    outputs: list[Encoded]
    reached: dict[Partition, int]
    storm: PoisonStorm | None


class Hand:
    """Handles the batches of one stage. `append` returns when its records are durable."""

    def __init__(
        self,
        stage: Stage,
        log: Log,
        metrics: StageMetrics,
        append: Callable[[Sequence[Encoded]], None],
        say: Any,
        dead_in_a_row: int = DEAD_IN_A_ROW,
    ) -> None:
        """`dead_in_a_row` 0 = any number of records may become dead letters."""
        self._stage, self._log, self._metrics, self._append = stage, log, metrics, append
        self._say, self._limit = say, dead_in_a_row
        # How many records in a row have failed in each partition; absent = not known since the
        # start. By partition, because a stage may read topics that have nothing in common.
        self._failed: dict[Partition, int] = {}
        self._pace = 0.0  # seconds a record, of the last chunk
        self._outputs: list[Encoded] = []
        self._reached: dict[Partition, int] = {}

    def do(self, batch: Sequence[LogRecord], stopping: Callable[[], bool]) -> Done:
        """At least one chunk of the batch, all of it when there is time and nobody is `stopping`.
        Errors that are nobody's fault pass through."""
        self._outputs, self._reached = [], {}
        end, storm = monotonic() + CUT_S, None
        self._stage.ahead(batch)
        try:
            for chunk in self._chunks(batch):
                began = monotonic()
                poison.halve(self._work, chunk, self._bury)
                now = monotonic()
                self._pace = (now - began) / len(chunk)
                if now >= end or stopping():
                    break
        except PoisonStorm as error:  # what came before is done, and must not be done again
            storm = error
        return Done(self._outputs, self._reached, storm)

    def _chunks(self, batch: Sequence[LogRecord]) -> Iterator[Sequence[LogRecord]]:
        by_partition: dict[Partition, list[LogRecord]] = {}
        for record in batch:
            by_partition.setdefault(record.source, []).append(record)
        for own in by_partition.values():
            at = 0
            while at < len(own):
                in_time = int(CUT_S / self._pace) if self._pace else self._stage.chunk
                size = max(1, min(self._stage.chunk, in_time))
                yield own[at : at + size]
                at += size

    def _work(self, batch: Sequence[LogRecord]) -> None:
        self._outputs += [encode(output) for output in self._stage.process(batch)]
        self._failed[batch[0].source] = 0
        self._reached[batch[0].source] = batch[-1].offset + 1

    def _bury(self, record: LogRecord, error: Exception, tries: int) -> None:
        source = f"{record.topic}/{record.partition}/{record.offset}"
        failed = self._failed.get(record.source)
        if failed is None:  # a restart must not begin to count anew
            failed = poison.buried_before(self._log, self._stage.name, record)
        if 0 < self._limit <= failed + 1:
            raise PoisonStorm(
                f"{failed + 1} records in a row failed in the stage {self._stage.name}, this "
                f"time {source} ({type(error).__name__}: {str(error)[:200]}): it stops there, and "
                "what follows stays unread; mend the cause and start it again, or start it with "
                "stages.dead_in_a_row = 0 to make dead letters of them"
            ) from error
        letter = poison.letter(self._stage.name, record, error, tries)
        # On the log before the stage moves past the record: a crash in between repeats the letter.
        self._append([encode(Output(records.DEAD, letter, key=source))])
        self._stage.skip(record, error)
        self._failed[record.source] = failed + 1
        self._reached[record.source] = record.offset + 1
        self._metrics.dead(error)
        self._say.error(
            "stage.dead_letter",
            record=source,
            error=f"{type(error).__name__}: {error}"[:500],
            where=None if isinstance(error, BadRecord) else poison.where(error),
        )


def encode(output: Output) -> Encoded:
    key = output.key.encode() if output.key is not None else None
    return Encoded(output.topic, records.encode(output.record), key, output.partition)
