"""The most that an event can score with an article, found for many events at once.

Judging one event takes as long as bounding several, and nearly all that come into question are far
from likely enough to be kept. A bound is never below the score.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.compiled import compiled
from processors.match import signals
from processors.match.case import Case
from processors.match.decision import Decider
from processors.match.events import Event, EventTable
from processors.match.signals import MOST_YEARS, YEAR

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
_NONE = np.zeros(0, dtype=np.bool_)


class _Weights(NamedTuple):
    """Of one event in its regime. Rows of a table, by their number, when of all events."""

    base: float  # with all that can be added whatever the article
    meaning: float
    detail: float
    examples: float
    background: float  # the last three together
    ahead: float
    lead: float
    told: float
    words: float  # for each, times the root of the number of first words
    inside: float
    outside: float
    days: float
    named: float
    unnamed: float


(
    _BASE, _MEANING, _DETAIL, _EXAMPLES, _BACKGROUND, _AHEAD, _LEAD, _TOLD, _WORDS, _INSIDE,
    _OUTSIDE, _DAYS, _NAMED, _UNNAMED,
) = range(len(_Weights._fields))  # fmt: skip


class Bounds:
    """`regime(number, lang, has_body)` is the regime of an event."""

    def __init__(
        self, table: EventTable, decider: Decider, regime: Callable[[int, str | None, bool], str]
    ) -> None:
        self._events, self._decider, self._regime = table.events, decider, regime
        self._weights: dict[tuple[str | None, bool], Floats] = {}
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
        self._lexicon = table.lexicon
        spans = [_span(one) for one in table.events]
        self._starts = np.array([first for first, _ in spans], dtype=np.int64)
        self._ends = np.array([last for _, last in spans], dtype=np.int64)

    def of(self, numbers: Sequence[int], case: Case) -> list[float]:
        """The most that each of these events can score."""
        weights = self._of(case.lang, case.reading.has_body)
        at = np.array(numbers, dtype=np.int64)
        around = set[int]().union(*(self._around[name] for name in case.said.anywhere))
        cosines, standing = case.near.cosines, case.near.standing
        said, different = case.said.words
        found = _at_most(
            at,
            weights,
            cosines.cosines,
            cosines.background,
            cosines.best,
            self._titles,
            self._sentences,
            self._examples,
            self._rival,
            self._starts,
            self._ends,
            0 if case.day is None else case.day.toordinal(),
            (MOST_YEARS, YEAR),
            bool(case.reading.days),
            np.array([number in around for number in numbers]) if around else _NONE,
            said,
            1 / math.sqrt(max(1, different)),
            self._lexicon.known,
            self._lexicon.used,
            self._lexicon.uses,
        )
        if standing is not None:
            found += weights[_LEAD, at] * standing.leads(at)
            if case.said.standing is not None:
                found += weights[_TOLD, at] * case.said.standing.leads(at)
        bounds: list[float] = found.tolist()
        return bounds

    def _of(self, lang: str | None, has_body: bool) -> Floats:
        """A row for each weight, a column for each event."""
        key = lang, has_body
        if key not in self._weights:
            rows = [self._row(n, one, key) for n, one in enumerate(self._events)]
            self._weights[key] = np.array(rows, dtype=np.float64).T.copy()
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
            max(0.0, weights.get("words", 0.0)) * signals.each_word(event),
            weights.get("inside", 0.0) if window else 0.0,
            weights.get("outside" if window else "apart", 0.0),
            abs(weights.get("days", 0.0)) if window else 0.0,
            _most(weights, NAMED),
            weights.get("alone", 0.0) if len(event.actors) > 1 else 0.0,
        )


@compiled
def _at_most(
    at: Numbers,
    weights: Floats,
    cosines: Floats,
    background: float,
    best: Floats,
    titles: Numbers,
    sentences: Numbers,
    examples: Numbers,
    rivals: Numbers,
    starts: Numbers,
    ends: Numbers,
    day: int,  # 0 = unknown
    years: tuple[float, float],  # the most that count, and what a year counts on the log scale
    dated: bool,
    named: NDArray[np.bool_],  # for each of `at`; nothing when none is
    words: Numbers,  # of the beginning
    each: float,  # what one counts, before the weight of the event
    known: int,  # words that events use
    used: Numbers,  # those of event n stand from `uses[n]` to `uses[n + 1]`
    uses: Numbers,
) -> Floats:
    said = np.zeros(known, dtype=np.uint8)
    for word in words:
        said[word] = 1
    found = np.empty(len(at))
    for n, event in enumerate(at):
        bound = weights[_BASE, event] + ROUNDING - background * weights[_BACKGROUND, event]
        bound += weights[_AHEAD, event] * max(0.0, best[event] - best[rivals[event]])
        bound += weights[_MEANING, event] * cosines[titles[event]]
        bound += weights[_DETAIL, event] * _highest(cosines, sentences[event])
        bound += weights[_EXAMPLES, event] * _highest(cosines, examples[event])
        if day:
            away = max(starts[event] - day, day - ends[event])
            if away > 0:
                bound += weights[_OUTSIDE, event] * min(years[0], np.log1p(away) / years[1])
            else:
                bound += weights[_INSIDE, event]
        if dated:
            bound += weights[_DAYS, event]
        shared = 0
        for word in used[uses[event] : uses[event + 1]]:
            shared += said[word]
        bound += weights[_WORDS, event] * shared * each
        bound += weights[_NAMED if len(named) and named[n] else _UNNAMED, event]
        found[n] = bound
    return found


@compiled
def _highest(values: Floats, rows: Numbers) -> float:
    highest = values[rows[0]]
    for row in rows[1:]:
        highest = max(highest, values[row])
    return float(highest)


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
