"""One article against all events: decisions with their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.match import decision, signals
from processors.match.decision import Decider
from processors.match.events import EventTable
from processors.match.reading import Reading, read
from processors.match.settings import MatchSettings
from processors.match.words import note
from stream.records import Article, Decision, Signal

# Sentences tried as the one that speaks most for the event; each costs about 30 µs.
CANDIDATES = 6
# With more events than this only those with any sign of life are looked at closely.
ALL_UP_TO = 24
NEAREST = 16
# Names reported with a decision; more are not read.
MAX_SHARED = 12


class _Judged(NamedTuple):
    at: int  # number of the event in the table
    base: float
    values: dict[str, float]
    contributions: dict[str, float]
    score: float


class Judge:
    """Decides about articles. A pure function of the article, its vector and the event table."""

    def __init__(self, table: EventTable, decider: Decider, settings: MatchSettings) -> None:
        self.table = table
        self._decider = decider
        self._settings = settings

    def kept(self, article: Article, vector: NDArray[np.float32]) -> list[Decision]:
        """The decisions worth storing: yes, likely enough, or the best rival of such a one."""
        decisions = self.all(article, vector, floor=self._settings.keep)
        return [one for one in decisions if one.signals]

    def all(
        self, article: Article, vector: NDArray[np.float32], *, floor: float = 0.0
    ) -> list[Decision]:
        """Decisions about every event, the most probable first. Those below `floor` that are not
        the best rival come without signals."""
        day = published_day(article)
        regimes = [
            self._decider.regime(
                article.lang,
                has_body=bool(article.text.strip()),
                listed=event.listed,
                crowded=self.table.crowd is not None,
            )
            for event in self.table.events
        ]
        reading = read(article.title, article.text, self.table.gazetteer, day)
        judged = self._judged(reading, vector, regimes, day, everything=floor == 0.0)
        decisions: list[Decision] = []
        likely = [one for one in judged if decision.probability(one.score) >= floor]
        wanted = {one.at for one in likely}
        if likely:
            wanted |= {one.at for one in judged[:2]}
        for one in judged:
            rival = next((other for other in judged if other.at != one.at), None)
            full = one.at in wanted
            decisions.append(self._decision(one, rival, reading, regimes[one.at], day, full=full))
        return decisions

    def _judged(
        self,
        reading: Reading,
        vector: NDArray[np.float32],
        regimes: Sequence[str],
        day: date | None,
        *,
        everything: bool,
    ) -> list[_Judged]:
        near = signals.similarities(vector, self.table, self._decider.file.background)
        indexes: Sequence[int] = range(len(self.table.events))
        if len(indexes) > ALL_UP_TO and not everything:
            indexes = self._plausible(reading, near)
        salience, told = reading.salience(), signals.say(reading, self.table)
        found = []
        for index in indexes:
            values = signals.dense(index, self.table, near)
            values |= signals.lexical(index, self.table, reading, day, salience, told)
            if regimes[index] == "unread":
                values |= dict.fromkeys(signals.UNREADABLE, 0.0)
            base = self._decider.base(regimes[index], self.table.events[index].kind)
            parts = self._decider.contributions(regimes[index], values)
            found.append(_Judged(index, base, values, parts, decision.total(base, parts)))
        return sorted(found, key=lambda one: (-one.score, one.at))

    def _plausible(self, reading: Reading, near: signals.Similarities) -> list[int]:
        named = {mention.name for mention in reading.mentions}
        order = sorted(range(len(self.table.events)), key=lambda i: -near.best(i))
        nearest = set(order[:NEAREST])
        return [
            i
            for i, event in enumerate(self.table.events)
            if i in nearest or not named.isdisjoint(event.all_names)
        ]

    def _decision(
        self,
        one: _Judged,
        rival: _Judged | None,
        reading: Reading,
        regime: str,
        day: date | None,
        *,
        full: bool,
    ) -> Decision:
        event = self.table.events[one.at]
        chance = decision.probability(one.score)
        other = decision.probability(rival.score) if rival else None
        found = Decision(
            event_id=event.definition.id,
            version=event.definition.version,
            probability=chance,
            matched=chance >= self._settings.threshold,
            score=one.score,
            base=one.base,
            signals=[],
            decider=self._decider.fingerprint,
            model=self.table.model,
            rival=self.table.events[rival.at].definition.id if rival else None,
            rival_probability=other,
            margin=round(chance - other, 6) if other is not None else None,
            calibrated=self._decider.calibrated,
        )
        if full:
            found.signals = [
                Signal(
                    name=name,
                    value=round(one.values[name], 4),
                    contribution=part,
                    note=note(name, one.values[name], event, self.table, reading, day, regime),
                )
                for name, part in one.contributions.items()
            ]
            found.sentence = self._sentence(one, reading, regime, day)
            found.shared = _shared(reading, event.all_names)
        return found

    def _sentence(self, one: _Judged, reading: Reading, regime: str, day: date | None) -> str:
        """The sentence without which the event would be least likely; empty when none matters.
        The vector is taken as given: only what is read in the words can change."""
        event = self.table.events[one.at]
        if not reading.has_body:
            return reading.title.strip()
        hits = [0.0] * len(reading.sentences)
        names = event.all_names
        for mention in reading.mentions:
            if mention.sentence >= 0 and mention.name in names:
                hits[mention.sentence] += 1.0
        for number in range(len(hits)):
            hits[number] += 0.1 * len(reading.words[number] & event.words)
            hits[number] -= 0.05 * reading.ranks[number]
        order = sorted(range(len(hits)), key=lambda i: (-hits[i], i))[:CANDIDATES]
        best, lowest = "", one.score
        for number in order:
            values = one.values | signals.lexical(one.at, self.table, reading.without(number), day)
            score = decision.total(one.base, self._decider.contributions(regime, values))
            if score < lowest:
                best, lowest = reading.sentences[number].text, score
        return best


def published_day(article: Article) -> date | None:
    """The day of publication, when the article itself says it. Never today's."""
    if article.published is None or article.published_from == "none":
        return None
    return article.published.date()


def vector_of(raw: bytes) -> NDArray[np.float32]:
    return np.frombuffer(raw, "<f2").astype(np.float32)


def _shared(reading: Reading, names: frozenset[int]) -> list[str]:
    found: dict[str, None] = {}
    for mention in reading.mentions:
        if mention.name in names:
            found.setdefault(mention.text)
    return list(found)[:MAX_SHARED]
