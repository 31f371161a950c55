"""Clocks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from ingest.clock import Clock, ScaledClock, VirtualClock, WallClock
from tests.ingest.world import START

DAY = timedelta(days=1)


def test_a_virtual_clock_jumps_and_stops_at_its_end() -> None:
    async def main() -> None:
        clock = VirtualClock(START, START + DAY)
        assert clock.now() == START
        await clock.sleep_until(START + timedelta(hours=3), asyncio.Event())
        assert clock.now() == START + timedelta(hours=3)
        await clock.sleep_until(START, asyncio.Event())  # never back
        assert clock.now() == START + timedelta(hours=3)
        await clock.sleep_until(START + 5 * DAY, asyncio.Event())
        assert clock.now() == START + DAY

    asyncio.run(main())


def test_a_scaled_clock_sleeps_its_time_and_ends() -> None:
    async def main() -> None:
        clock = ScaledClock(START, 1e6, START + DAY)
        target = START + timedelta(hours=10)
        await clock.sleep_until(target, asyncio.Event())
        assert clock.now() >= target
        await clock.sleep_until(START + 9 * DAY, asyncio.Event())
        assert clock.now() == START + DAY

    asyncio.run(main())


def test_waking_ends_a_sleep() -> None:
    async def main(clock: Clock) -> None:
        wake = asyncio.Event()
        asyncio.get_running_loop().call_soon(wake.set)
        far = clock.now() + 365 * DAY
        await asyncio.wait_for(clock.sleep_until(far, wake), 30)
        assert clock.now() < far

    asyncio.run(main(WallClock()))
    asyncio.run(main(ScaledClock(START, 2)))


def test_a_busy_machine_does_not_put_the_clock_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some looks at either clock others run for a while."""
    passed, held_up = 0.0, iter([0, 0, 5, 0, 3, 0, 0, 4] + [0] * 90)

    def look() -> float:
        nonlocal passed
        seen, passed = passed, passed + next(held_up)
        return seen

    class Wall(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Wall:
            return cls(2021, 9, 20, tzinfo=tz) + timedelta(seconds=look())

    monkeypatch.setattr("ingest.clock.datetime", Wall)
    monkeypatch.setattr("ingest.clock.time.monotonic", look)
    clock = WallClock()
    for _ in range(10):
        assert clock.now() <= Wall(2021, 9, 20, tzinfo=UTC) + timedelta(seconds=passed)
