"""Clocks and the maths of the schedule."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from ingest import schedule
from ingest.clock import Clock, ScaledClock, VirtualClock, WallClock
from ingest.settings import IngestSettings
from tests.ingest.conftest import START

SETTINGS = IngestSettings()
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


def test_the_interval_follows_the_publishing_rate_within_bounds() -> None:
    def wait(per_day: float) -> float:
        return schedule.interval(per_day, SETTINGS, max_age=None, missed=False)

    assert wait(100_000) == SETTINGS.min_interval
    assert wait(0) == SETTINGS.max_interval
    assert SETTINGS.min_interval < wait(48) < wait(12) < SETTINGS.max_interval


def test_max_age_is_respected_within_bounds() -> None:
    def wait(max_age: float) -> float:
        return schedule.interval(100_000, SETTINGS, max_age=max_age, missed=False)

    assert wait(1) == SETTINGS.min_interval
    assert wait(900) == 900
    assert wait(10**9) == SETTINGS.max_interval


def test_after_a_gap_the_feed_is_asked_as_soon_as_allowed() -> None:
    assert schedule.interval(0.1, SETTINGS, max_age=None, missed=True) == SETTINGS.min_interval


def test_errors_double_the_wait_up_to_a_cap_for_ever() -> None:
    waits = [schedule.backoff(600, n, SETTINGS, retry_after=None) for n in range(1, 2000)]
    assert waits[:3] == [600, 1200, 2400]
    assert waits[-1] == SETTINGS.max_backoff
    assert schedule.backoff(600, 1, SETTINGS, retry_after=5000) == 5000
    assert schedule.backoff(600, 1, SETTINGS, retry_after=1e12) == SETTINGS.max_backoff


def test_jitter_is_small_and_always_the_same() -> None:
    factors = [schedule.jitter(f"https://news.example/{n}") for n in range(200)]
    assert factors == [schedule.jitter(f"https://news.example/{n}") for n in range(200)]
    assert 0.95 <= min(factors) < 0.97
    assert 1.03 < max(factors) <= 1.05


def test_the_rate_moves_towards_what_is_seen() -> None:
    rate = 10.0
    for _ in range(40):
        rate = schedule.rate(rate, 2, schedule.DAY / 2)  # four a day
    assert abs(rate - 4) < 0.1
    assert schedule.rate(10, 0, 600) < 10


def test_the_first_rate_comes_from_the_dates_and_ignores_a_pinned_old_piece() -> None:
    hourly = [START - timedelta(hours=n) for n in range(24)]
    rate = schedule.first_rate([*hourly, START - 900 * DAY], START)
    assert 12 < rate < 40
    assert schedule.first_rate([], START) > 0
