"""What happened in an arena, for the report."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

Owned = tuple[str, str]  # (group, partition)


@dataclass
class Seen:
    signals: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    restarts: int = 0  # of processes that ended by themselves
    broken: list[str] = field(default_factory=list)  # why they did, where no server was away
    recoveries: list[float] = field(default_factory=list)
    _waiting: dict[Owned, float] = field(default_factory=dict)  # killed at

    def killed(self, owned: Iterable[Owned], now: float) -> None:
        """Who held these has ended: from now on they wait."""
        for one in owned:
            self._waiting.setdefault(one, now)

    def done(self, owned: Owned, at: float, age: float) -> None:
        """A record that came `age` seconds before `at` is done: was one waited for?"""
        killed = self._waiting.pop(owned, None)
        # A record that came after the kill waited since then only. A clock that was put wrong
        # says nothing about that.
        if killed is not None and abs(age) < 60:
            took = at - max(killed, at - age)
            if took > 0:
                self.recoveries.append(took)

    def recovery(self) -> tuple[float, float]:
        """Median and 95th percentile, seconds from a kill to the first record done again."""
        if len(self.recoveries) < 2:
            return (*self.recoveries, 0.0, 0.0)[:2]  # type: ignore[return-value]
        return (
            statistics.median(self.recoveries),
            statistics.quantiles(self.recoveries, n=20, method="inclusive")[-1],
        )
