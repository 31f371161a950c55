"""When a feed is asked next: its own pace, the publisher's wishes, the operator's bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.documents.items import Hints
from ingest.policy import schedule
from ingest.settings import IngestSettings
from tests.ingest.world import START

SETTINGS = IngestSettings()
LONGEST = SETTINGS.max_interval / (1 + schedule.JITTER)
URL = "https://news.example/rss"
HOUR = 3600.0

hints = st.builds(
    Hints,
    ttl=st.none() | st.floats(0, 1e10),
    update_period=st.none() | st.floats(0, 1e10),
    skip_hours=st.sets(st.integers(0, 23)).map(tuple),
    skip_days=st.sets(st.integers(0, 6)).map(tuple),
)
times = st.datetimes(
    datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)  # noqa: DTZ001
)  # fmt: skip
rates = st.floats(0, 1e7)


def test_the_interval_follows_the_publishing_rate_within_bounds() -> None:
    def wait(per_day: float) -> float:
        return schedule.interval(per_day, SETTINGS)

    assert wait(100_000) == SETTINGS.min_interval
    assert wait(0) == LONGEST
    assert SETTINGS.min_interval < wait(48) < wait(12) < LONGEST


def test_a_cache_lifetime_and_a_ttl_are_respected_within_bounds() -> None:
    for wish in (
        lambda s: schedule.interval(1000, SETTINGS, max_age=s),
        lambda s: schedule.interval(1000, SETTINGS, hints=Hints(ttl=s)),
    ):
        assert wish(1) == SETTINGS.min_interval
        assert wish(2 * HOUR) == 2 * HOUR
        assert wish(365 * schedule.DAY) == LONGEST


def test_an_update_period_counts_until_the_feed_itself_contradicts_it() -> None:
    def wait(per_day: float) -> float:
        return schedule.interval(per_day, SETTINGS, hints=Hints(update_period=HOUR))

    assert wait(12) == HOUR  # a third of its gap would be 40 minutes
    assert wait(96) == HOUR / 4  # brings four items an hour: says "hourly" of itself all the same
    assert wait(1) == LONGEST


def test_no_wish_makes_us_miss_items() -> None:
    """20 items shown, 100 a day: in under five hours all are replaced."""
    wait = schedule.interval(100, SETTINGS, hints=Hints(ttl=30 * schedule.DAY), shown=20)
    assert wait == pytest.approx(20 / 100 * schedule.DAY / 5)


def test_after_a_gap_the_feed_is_asked_as_soon_as_allowed() -> None:
    assert schedule.interval(0.1, SETTINGS, missed=True) == SETTINGS.min_interval


@given(rates, hints, st.none() | st.floats(0, 1e10), st.none() | st.integers(0, 5000), times,
       st.floats(0, 1e7), st.booleans())  # fmt: skip
def test_the_next_poll_is_always_within_the_bounds(
    rate: float, hints: Hints, max_age: float | None, shown: int | None, now: datetime,
    late: float, missed: bool,
) -> None:  # fmt: skip
    wait = schedule.interval(
        rate, SETTINGS, hints=hints, max_age=max_age, shown=shown, missed=missed
    )
    at = schedule.next_at(now, wait, URL, SETTINGS, hints=hints, late=late)
    assert SETTINGS.min_interval <= (at - now).total_seconds() <= SETTINGS.max_interval + 1e-3


@given(rates, hints, times)
def test_a_skipped_hour_is_used_only_when_the_longest_wait_ends_there(
    rate: float, hints: Hints, now: datetime
) -> None:
    at = schedule.next_at(now, schedule.interval(rate, SETTINGS), URL, SETTINGS, hints=hints)
    limit = now + timedelta(seconds=SETTINGS.max_interval)
    assert not schedule.asleep(at, hints) or abs(at - limit) < timedelta(seconds=1)


def test_a_feed_that_skips_the_night_is_asked_when_it_is_over() -> None:
    night = Hints(skip_hours=(0, 1, 2, 3))
    evening = datetime(2021, 9, 20, 23, 50, tzinfo=UTC)
    at = schedule.next_at(evening, 900, URL, SETTINGS, hints=night)
    assert datetime(2021, 9, 21, 4, tzinfo=UTC) <= at < datetime(2021, 9, 21, 4, 15, tzinfo=UTC)
    weekend = Hints(skip_days=(5, 6))
    friday = datetime(2021, 9, 24, 23, 50, tzinfo=UTC)
    at = schedule.next_at(friday, 900, URL, SETTINGS, hints=weekend)
    assert at == friday + timedelta(seconds=SETTINGS.max_interval), "two days are past the bound"


@given(st.integers(1, 3000), st.none() | st.floats(0, 1e12), st.floats(1, 1e6))
def test_the_wait_after_errors_never_shrinks_and_is_bounded_for_ever(
    errors: int, retry_after: float | None, usual: float
) -> None:
    def wait(n: int) -> float:
        return schedule.backoff(usual, n, SETTINGS, retry_after=retry_after)

    assert SETTINGS.min_interval <= wait(errors) <= wait(errors + 1) <= SETTINGS.max_backoff


def test_errors_double_the_wait_up_to_a_cap() -> None:
    waits = [schedule.backoff(600, n, SETTINGS) for n in range(1, 2000)]
    assert waits[:3] == [600, 1200, 2400]
    assert waits[-1] == SETTINGS.max_backoff
    assert schedule.backoff(600, 1, SETTINGS, retry_after=5000) == 5000
    assert schedule.backoff(600, 9, SETTINGS, gone=True) == SETTINGS.gone_interval


@pytest.mark.parametrize(
    ("status", "retry_after", "seconds"),
    [
        (429, 120, 120), (503, 120, 120), (429, None, 60), (503, None, None),
        (429, 1e9, 3600), (500, 120, None), (None, None, None),
    ],
)  # fmt: skip
def test_a_host_that_asks_for_rest_gets_it_for_all_its_feeds_but_not_for_ever(
    status: int | None, retry_after: float | None, seconds: float | None
) -> None:
    assert schedule.host_hold(status, retry_after) == seconds


def test_jitter_is_small_and_always_the_same() -> None:
    factors = [schedule.jitter(f"https://news.example/{n}") for n in range(200)]
    assert factors == [schedule.jitter(f"https://news.example/{n}") for n in range(200)]
    assert 1 <= min(factors) < 1.01
    assert 1.09 < max(factors) <= 1.1


def test_ten_thousand_feeds_polled_at_once_after_an_outage_are_spread() -> None:
    def busiest_minute(late: float) -> int:
        minutes = [
            int((schedule.next_at(START, 1800, f"https://{n}.example/", SETTINGS, late=late)
                 - START).total_seconds() // 60)
            for n in range(10_000)
        ]  # fmt: skip
        return max(minutes.count(m) for m in set(minutes))

    assert busiest_minute(late=0) > 3000
    assert busiest_minute(late=3 * HOUR) < 420  # evenly over half an hour: 333 a minute


def test_the_rate_moves_towards_what_is_seen() -> None:
    rate = 10.0
    for _ in range(40):
        rate = schedule.rate(rate, 2, schedule.DAY / 2)  # four a day
    assert abs(rate - 4) < 0.1
    assert schedule.rate(10, 0, 600) < 10
    assert schedule.rate(10, 50, -5) == 10, "a clock set back tells nothing"


def test_a_poll_from_the_future_does_not_silence_a_feed() -> None:
    later = START + timedelta(days=400)
    assert schedule.believed(later, START, START) == later
    assert schedule.believed(later, START + timedelta(minutes=5), START) == later
    assert schedule.believed(later, later - timedelta(hours=1), START) == START
    assert schedule.believed(later, None, START) == later


def test_a_slow_feed_keeps_its_rate_and_is_followed_when_it_awakes() -> None:
    rate, seen = 1 / 7, []
    for day in range(1, 200):
        rate = schedule.rate(rate, 1 if day % 7 == 0 else 0, schedule.DAY)
        seen.append(rate)
    assert 0.06 < min(seen[100:]) < 1 / 7 < max(seen[100:]) < 0.25
    for _ in range(3):
        rate = schedule.rate(rate, 50, schedule.DAY)
    assert rate > 35


def test_the_first_rate_comes_from_the_dates_and_ignores_a_pinned_old_piece() -> None:
    hourly = [START - timedelta(hours=n) for n in range(24)]
    rate = schedule.first_rate([*hourly, START - timedelta(days=900)], START)
    assert 12 < rate < 40
    assert schedule.first_rate([], START) > 0
