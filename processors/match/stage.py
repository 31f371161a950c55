"""The match stage: a placed article in, the same with decisions about every event out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby, islice

from msgspec import Raw

from processors.match.decision import Decider, load
from processors.match.judge import TOGETHER, Judge, vector_of
from processors.match.roster import Roster
from processors.match.settings import MatchSettings
from stream.log.contract import LogRecord, Partition
from stream.records import (
    EVENTS,
    MATCHED,
    PLACED,
    Article,
    Decision,
    Definition,
    Embedded,
    History,
    HistoryDone,
    Matched,
    Placed,
    decode,
)
from stream.stage import Output, Rewind, Stage


class MatchStage(Stage):
    """Decides about each article with the definitions active when it comes. A definition that is
    new here looks back once in each lane: `History` for what it finds, then `HistoryDone`.

    A look-back that was cut off is done again from the start; its records are the same ones.
    Raises UsageError for a model without a decision file (see `decision.load`).
    """

    name = "match"
    inputs = (PLACED,)
    tables = (EVENTS,)

    def __init__(self, settings: MatchSettings) -> None:
        self._settings = settings
        self._roster = Roster()
        self._judges: dict[str, Judge] = {}
        self._deciders: dict[str, Decider] = {}
        self._lanes: set[int] = set()

    def start(self, partition: Partition, log_id: str) -> int | None:
        self._lanes.add(partition.number)
        return None

    def lost(self, partition: Partition) -> None:
        self._lanes.discard(partition.number)

    def process(self, batch: Sequence[LogRecord]) -> list[Output]:
        unpacked = [_unpack(record) for record in batch]
        outputs = []
        for record, (_, article), decisions in zip(
            batch, unpacked, self._decide(unpacked), strict=True
        ):
            matched = Matched(placed=Raw(record.value), decisions=decisions)
            outputs.append(Output(MATCHED, matched, key=article.id, partition=record.partition))
        return outputs

    def table(self, changes: Sequence[LogRecord], rewind: Rewind) -> Iterable[Output]:
        self._roster.read(changes)
        if changes:
            self._judges.clear()
        if self._roster.model is not None:
            self._decider(self._roster.model)  # that nobody calibrated it is told at once
        if not self._roster.complete():
            return []
        waiting = {lane: self._roster.waiting(lane) for lane in sorted(self._lanes)}
        if not any(waiting.values()):
            return []
        return self._look_back(waiting, rewind)

    def _look_back(self, waiting: dict[int, list[Definition]], rewind: Rewind) -> Iterator[Output]:
        newest: dict[int, datetime] = {}
        for record in rewind():
            if waiting.get(record.partition):
                time = _unpack(record)[1].event_time
                newest[record.partition] = max(time, newest.get(record.partition, time))
        again = (one for one in rewind() if one.partition in newest) if newest else iter(())
        while some := list(islice(again, TOGETHER)):
            unpacked = [_unpack(record) for record in some]
            decided = self._decide(unpacked)
            for record, (_, article), every in zip(some, unpacked, decided, strict=True):
                lane = record.partition
                age = newest[lane] - article.event_time
                wanted = {d.id for d in waiting[lane] if age <= timedelta(days=d.lookback_days)}
                decisions = [d for d in every if d.event_id in wanted]
                if decisions:
                    history = History(
                        article_id=article.id, revision=article.revision, decisions=decisions
                    )
                    yield Output(MATCHED, history, key=article.id, partition=lane)
        for lane, definitions in waiting.items():
            for definition in definitions:
                done = HistoryDone(
                    event_id=definition.id,
                    version=definition.version,
                    model=self._roster.model or "",
                    lane=lane,
                )
                yield Output(EVENTS, done, key=definition.id)

    def _decide(self, articles: Sequence[tuple[Embedded, Article]]) -> list[list[Decision]]:
        found: list[list[Decision]] = []
        # Neighbours with vectors of one model, as nearly always all of them, at once.
        for model, some in groupby(articles, key=lambda one: one[0].model):
            pairs = [(article, vector_of(embedded.vector)) for embedded, article in some]
            found += self._judge(model).kept_all(pairs)
        return found

    def _judge(self, model: str) -> Judge:
        if model not in self._judges:
            table = self._roster.table(model)
            self._judges[model] = Judge(table, self._decider(model), self._settings)
        return self._judges[model]

    def _decider(self, model: str) -> Decider:
        if model not in self._deciders:
            self._deciders[model] = load(
                model,
                path=self._settings.decision_file,
                uncalibrated=self._settings.uncalibrated,
            )
        return self._deciders[model]


def _unpack(record: LogRecord) -> tuple[Embedded, Article]:
    embedded = decode(record.value, Placed).read_embedded()
    return embedded, embedded.read_article()
