"""The lane's clock: how far event time has come, as told by the articles themselves."""

from __future__ import annotations

from msgspec import Struct

# One article with a wrong year must not close every story: a leap is believed when this many
# articles make it, ...
WITNESSES = 3
# ... with no more than this many other articles between the first and the last of them.
PATIENCE = 100


class Clock(Struct):
    """`now` is the latest believed event time in seconds; it never goes back."""

    leap: float  # an advance of more than this many seconds needs witnesses
    now: float | None = None
    ticks: int = 0
    ahead: list[tuple[float, int]] = []  # (time, tick) of articles that are far ahead

    def advance(self, time: float) -> float:
        """Take note of an article's time; returns the clock."""
        self.ticks += 1
        if self.now is None:
            self.now = time
        elif time - self.now <= self.leap:
            self.now = max(self.now, time)
        else:
            oldest = self.ticks - PATIENCE
            self.ahead = [*(one for one in self.ahead if one[1] > oldest), (time, self.ticks)]
            if len(self.ahead) >= WITNESSES:
                self.now = min(one[0] for one in self.ahead)
        self.ahead = [one for one in self.ahead if one[0] - self.now > self.leap]
        return self.now
