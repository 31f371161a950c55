"""The match stage: a placed article in, the same with decisions about every event out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Raw

from processors.match.decision import Decider, load
from processors.match.judge import Judge, vector_of
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
        outputs = []
        for record in batch:
            embedded, article = _unpack(record)
            matched = Matched(placed=Raw(record.value), decisions=self._decide(embedded, article))
            outputs.append(Output(MATCHED, matched, key=article.id, partition=record.partition))
        return outputs

    def table(self, changes: Sequence[LogRecord], rewind: Rewind) -> list[Output]:
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
        return list(self._look_back(waiting, rewind))

    def _look_back(self, waiting: dict[int, list[Definition]], rewind: Rewind) -> Iterator[Output]:
        newest: dict[int, datetime] = {}
        for record in rewind():
            if waiting.get(record.partition):
                time = _unpack(record)[1].event_time
                newest[record.partition] = max(time, newest.get(record.partition, time))
        for record in rewind() if newest else ():
            lane = record.partition
            if lane not in newest:
                continue
            embedded, article = _unpack(record)
            age = newest[lane] - article.event_time
            wanted = {d.id for d in waiting[lane] if age <= timedelta(days=d.lookback_days)}
            decisions = [d for d in self._decide(embedded, article) if d.event_id in wanted]
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

    def _decide(self, embedded: Embedded, article: Article) -> list[Decision]:
        judge = self._judges.get(embedded.model)
        if judge is None:
            table = self._roster.table(embedded.model)
            judge = Judge(table, self._decider(embedded.model), self._settings)
            self._judges[embedded.model] = judge
        return judge.kept(article, vector_of(embedded.vector)) if judge.table.events else []

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
