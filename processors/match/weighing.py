"""What an article scores with an event."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from processors.match import decision, signals
from processors.match.case import Case, Judged
from processors.match.decision import Decider
from processors.match.events import EventTable
from stream.records import Definition

# Undetermined, as ISO 639 has it.
UNKNOWN = "und"


class Weighing:
    """A pure function of the article, the event table and the decision file. `language` is what
    definitions are written in."""

    def __init__(self, table: EventTable, decider: Decider, language: str) -> None:
        self.table = table
        self._decider = decider
        self._languages = [written_in(one.definition, language) for one in table.events]
        self._known = frozenset(decider.file.reads).union(*self._languages)
        self._regimes: dict[tuple[str | None, bool, bool, bool], str] = {}
        self._weights = {name: decider.weights(name) for name in decider.file.regimes}
        self._foreign: dict[str, NDArray[np.bool_]] = {}

    def language(self, lang: str | None) -> str | None:
        """All languages that nobody reads or writes here are one."""
        return lang if not lang or lang in self._known else UNKNOWN

    def given_in_others(self, lang: str | None) -> NDArray[np.bool_] | None:
        """The events that are given in other languages than this, when it is known."""
        if not lang:
            return None
        if lang not in self._foreign:
            self._foreign[lang] = np.array([lang not in own for own in self._languages])
        return self._foreign[lang]

    def regime(self, number: int, lang: str | None, has_body: bool) -> str:
        """Which weights decide about this event."""
        listed = self.table.events[number].listed
        foreign = bool(lang) and lang not in self._languages[number]
        key = lang, has_body, listed, foreign
        if key not in self._regimes:
            self._regimes[key] = self._decider.regime(
                lang,
                has_body=has_body,
                listed=listed,
                crowded=self.table.crowd is not None,
                foreign=foreign,
            )
        return self._regimes[key]

    def weights(self, regime: str) -> Mapping[str, float]:
        """Of the signals that count."""
        return self._weights[regime]

    def score(self, number: int, case: Case, rivals: Sequence[int] | None = None) -> Judged:
        """With what related events take from it; only `rivals` of them, where these are given."""
        one, event = self._alone(number, case), self.table.events[number]
        if not event.listed:
            return one
        rivals = event.related if rivals is None else rivals
        likely = [n for n in rivals if case.most.get(n, math.inf) > one.score]
        ahead = [it for n in likely if (it := self._alone(n, case)).score > one.score]
        if not ahead:
            return one
        best = max(ahead, key=lambda other: (other.score, -other.at))
        by = round(min(signals.MOST_OUTDONE, best.score - one.score), 4)
        values = one.values | {"outdone": by}
        regime = self.regime(number, case.lang, case.reading.has_body)
        parts = decision.contributions(self._weights[regime], values)
        score = decision.total(one.base, parts.values())
        return Judged(number, one.base, values, parts, score, best.at)

    def _alone(self, number: int, case: Case) -> Judged:
        known = case.alone.get(number)
        if known is None:
            known = case.alone[number] = self._weighed(number, case)
        return known

    def _weighed(self, number: int, case: Case) -> Judged:
        event = self.table.events[number]
        regime = self.regime(number, case.lang, case.reading.has_body)
        values = signals.dense(number, self.table, case.near)
        values |= signals.lexical(number, self.table, case.reading, case.said, case.day)
        if regime == "unread":
            values |= dict.fromkeys(signals.UNREADABLE, 0.0)
        base = self._decider.base(regime, event.kind)
        parts = decision.contributions(self._weights[regime], values)
        return Judged(number, base, values, parts, decision.total(base, parts.values()))


def written_in(definition: Definition, otherwise: str) -> frozenset[str]:
    """The languages that a definition is given in."""
    found = {one.lang for one in definition.examples if one.about and one.lang}
    return frozenset(found | {otherwise} if definition.description or not found else found)
