"""The time that polling goes by: the wall's, a faster one, or one that jumps.

Everything that is policy (when to poll, when an article was fetched, gaps between requests)
asks a clock; only network deadlines use real time.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    ends: datetime | None  # the poller stops when this is reached; None = never
    jumps: bool  # True: time passes only in sleep_until, so work in hand is finished first

    def now(self) -> datetime:
        """Aware UTC; never goes back."""

    async def sleep_until(self, until: datetime, wake: asyncio.Event) -> None:
        """Return when it is `until`, or `wake` is set, or the clock has ended."""


async def _wait(wake: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await wake.wait()
    except TimeoutError:
        pass


class WallClock:
    """Real time, which a correction of the system clock cannot turn back."""

    ends: datetime | None = None
    jumps = False

    def __init__(self) -> None:
        self._last, self._zero = datetime.now(UTC), time.monotonic()

    def now(self) -> datetime:
        # A clock set forward (or a laptop that slept) is followed; from one set back we go on at
        # the pace of the monotonic clock until it has caught up.
        # Time is counted from after one look at the system clock to before the next: counted any
        # longer, each moment for which the machine held us up between the two would put us ahead.
        passed = timedelta(seconds=time.monotonic() - self._zero)
        self._last = max(self._last + passed, datetime.now(UTC))
        self._zero = time.monotonic()
        return self._last

    async def sleep_until(self, until: datetime, wake: asyncio.Event) -> None:
        await _wait(wake, (until - self.now()).total_seconds())


class ScaledClock:
    """Starts at `start` and runs `speed` times faster than real time."""

    jumps = False

    def __init__(self, start: datetime, speed: float, ends: datetime | None = None) -> None:
        self._start, self._speed, self.ends = start.astimezone(UTC), speed, ends
        self._zero = time.monotonic()

    def now(self) -> datetime:
        now = self._start + timedelta(seconds=(time.monotonic() - self._zero) * self._speed)
        return min(now, self.ends) if self.ends else now

    async def sleep_until(self, until: datetime, wake: asyncio.Event) -> None:
        target = min(until, self.ends) if self.ends else until
        await _wait(wake, (target - self.now()).total_seconds() / self._speed)


class VirtualClock:
    """Time that stands still while work is done and jumps when everybody sleeps."""

    jumps = True

    def __init__(self, start: datetime, ends: datetime | None = None) -> None:
        self._now, self.ends = start.astimezone(UTC), ends

    def now(self) -> datetime:
        return self._now

    async def sleep_until(self, until: datetime, wake: asyncio.Event) -> None:
        target = min(until, self.ends) if self.ends else until
        self._now = max(self._now, target)
        await asyncio.sleep(0)
