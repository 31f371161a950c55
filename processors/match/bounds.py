"""The most that an event can score with an article, found for many events at once.

Judging one event takes as long as bounding several, and nearly all that come into question are far
from likely enough to be kept. A bound is never below the score.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.match import signals
from processors.match.decision import Decider
from processors.match.events import Event, EventTable
from processors.match.signals import Near, Said

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

# Cosines and contributions are rounded one by one.
ROUNDING = 0.01
# The lowest and highest value of the signals that are not computed here. A cosine less the
# background and the difference of two lie within 2.
RANGES: Mapping[str, tuple[float, float]] = {
    "against": (0.0, 2.0),
    "behind": (0.0, 2.0),
    "later": (0.0, 1.0),
    "stray": (0.0, signals.MOST_STRAY),
    "outdone": (0.0, signals.MOST_OUTDONE),
    "excluded": (0.0, 1.0),
}
# The same for those that an article has that names something of the event or of its rivals.
NAMED: Mapping[str, tuple[float, float]] = {
    "alone": (0.0, 1.0),
    "actors": (0.0, 1.0),
    "places": (0.0, 1.0),
    "names": (0.0, 1.0),
    "elsewhere": (0.0, 1.0),
    "own": (-1.0, 1.0),
    "opening": (-1.0, 1.0),
    "people": (-1.0, 1.0),
}
_NEVER, _ALWAYS = np.iinfo(np.int32).min, np.iinfo(np.int32).max


class _Weights(NamedTuple):
    """Of one event in its regime, or of each event, or whether any event has it."""

    base: Any  # with all that can be added whatever the article
    meaning: Any
    detail: Any
    examples: Any
    background: Any  # the last three together
    ahead: Any
    lead: Any
    told: Any
    words: Any
    inside: Any
    outside: Any
    days: Any
    named: Any
    unnamed: Any


class Bounds:
    """`regime(number, lang, has_body)` is the regime of an event."""

    def __init__(
        self, table: EventTable, decider: Decider, regime: Callable[[int, str | None, bool], str]
    ) -> None:
        self._events, self._decider, self._regime = table.events, decider, regime
        self._weights: dict[tuple[str | None, bool], tuple[Floats, _Weights]] = {}
        # Name -> the events that have it or a rival that has it.
        self._around: dict[int, list[int]] = {}
        for number, event in enumerate(table.events):
            for name in event.around:
                self._around.setdefault(name, []).append(number)
        # The related event that stands first; itself where there is none.
        self._rival = np.array([(one.related or [n])[0] for n, one in enumerate(table.events)])
        parts = [one.parts for one in table.events]
        self._titles = np.array([one.title for one in parts])
        self._sentences = _padded([one.sentences or [one.title] for one in parts])
        self._examples = _padded([one.positive or [one.title] for one in parts])
        self._word = np.array([signals.each_word(one) for one in table.events])
        spans = [_span(one) for one in table.events]
        self._starts = np.array([first for first, _ in spans], dtype=np.int64)
        self._ends = np.array([last for _, last in spans], dtype=np.int64)

    def of(
        self,
        numbers: Sequence[int],
        near: Near,
        said: Said,
        day: date | None,
        floor: float,
        *,
        lang: str | None,
        has_body: bool,
        dated: bool,
    ) -> list[float]:
        """The most that each of these events can score; closer where that is over the floor.
        `dated`: the text names days."""
        table, counts = self._of(lang, has_body)
        at = np.array(numbers, dtype=np.int64)
        weights = _Weights._make(table[:, at])
        cosines, best = near.cosines.cosines, near.cosines.best
        found = weights.base + ROUNDING
        if counts.ahead:
            found += weights.ahead * np.maximum(0.0, best[at] - best[self._rival[at]])
        found -= near.cosines.background * weights.background
        if counts.meaning:
            found += weights.meaning * cosines[self._titles[at]]
        if counts.detail:
            found += weights.detail * cosines[self._sentences[at]].max(axis=1)
        if counts.examples:
            found += weights.examples * cosines[self._examples[at]].max(axis=1)
        if counts.lead and near.standing is not None:
            found += weights.lead * near.standing.leads(at)
        if counts.told and said.standing is not None:
            found += weights.told * said.standing.leads(at)
        if day is not None and (counts.inside or counts.outside):
            away = np.maximum(self._starts[at] - day.toordinal(), day.toordinal() - self._ends[at])
            away = np.maximum(away, 0)
            found += np.where(away, weights.outside * signals.years(away), weights.inside)
        if dated:
            found += weights.days
        around = set[int]().union(*(self._around[name] for name in said.anywhere))
        if around:
            named = np.array([number in around for number in numbers])
            found += np.where(named, weights.named, weights.unnamed)
        else:
            found += weights.unnamed
        bounds: list[float] = found.tolist()
        if counts.words and (first := said.first):
            each = (weights.words * self._word[at] / math.sqrt(len(first))).tolist()
            most = (weights.words * signals.most_words(first)).tolist()
            for n, number in enumerate(numbers):
                if bounds[n] + most[n] < floor:
                    bounds[n] += most[n]
                else:
                    bounds[n] += each[n] * len(first & self._events[number].words)
        return bounds

    def _of(self, lang: str | None, has_body: bool) -> tuple[Floats, _Weights]:
        """A row for each weight, and which are not 0 everywhere."""
        key = lang, has_body
        if key not in self._weights:
            rows = [self._row(n, one, key) for n, one in enumerate(self._events)]
            table = np.array(rows).T.copy()
            self._weights[key] = table, _Weights._make(row.any() for row in table)
        return self._weights[key]

    def _row(self, number: int, event: Event, key: tuple[str | None, bool]) -> _Weights:
        regime = self._regime(number, *key)
        weights = dict(self._decider.file.regimes[regime].weights)
        if regime == "unread":
            weights |= dict.fromkeys(signals.UNREADABLE, 0.0)
        window = event.starts is not None or event.ends is not None
        ahead = weights.get("ahead", 0.0)
        near = (
            weights.get("meaning", 0.0),
            weights.get("detail", 0.0) if event.definition.description else 0.0,
            weights.get("examples", 0.0) if event.parts.positive else 0.0,
        )
        return _Weights(
            self._decider.base(regime, event.kind) + _most(weights, RANGES),
            *near,
            sum(near),
            max(0.0, ahead),
            weights.get("lead", 0.0),
            weights.get("told", 0.0),
            max(0.0, weights.get("words", 0.0)),
            weights.get("inside", 0.0) if window else 0.0,
            weights.get("outside" if window else "apart", 0.0),
            abs(weights.get("days", 0.0)) if window else 0.0,
            _most(weights, NAMED),
            weights.get("alone", 0.0) if len(event.actors) > 1 else 0.0,
        )


def _padded(rows: Sequence[Sequence[int]]) -> Numbers:
    """A table: every event's rows, the last one again until all have as many."""
    most = max(map(len, rows), default=0)
    return np.array([[*own, *[own[-1]] * (most - len(own))] for own in rows], dtype=np.int64)


def _most(weights: Mapping[str, float], ranges: Mapping[str, tuple[float, float]]) -> float:
    return sum(max(weights.get(name, 0.0) * end for end in ends) for name, ends in ranges.items())


def _span(event: Event) -> tuple[int, int]:
    """The window as day numbers, or else the days of the examples; both ends may be open."""
    first, last = event.starts, event.ends
    if first is None and last is None and event.example_days:
        first, last = event.example_days[0], event.example_days[-1]
    return (
        _NEVER if first is None else first.toordinal(),
        _ALWAYS if last is None else last.toordinal(),
    )
