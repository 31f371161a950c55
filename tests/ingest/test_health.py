"""What polls make of a feed: its health in a word, its rhythm, its moves; nothing is given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from ingest.documents.items import Hints
from ingest.feeds import Feed
from ingest.policy import rhythm
from ingest.policy.outcome import News, after_error, after_success, stored_hints
from ingest.settings import IngestSettings
from tests.ingest.world import START

SETTINGS = IngestSettings()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OTHER = "https://elsewhere.example/rss"


def _feed(**values: Any) -> Feed:
    given: dict[str, Any] = {
        "id": 1, "url": "https://news.example/rss", "state": "active", "added": START - 100 * DAY,
        "next_at": START, "interval_s": 600,
    }  # fmt: skip
    return Feed(**given | values)


def _lively() -> Feed:
    """Known for a hundred days, with an item an hour and pauses of eight."""
    return _feed(
        last_ok=START, last_at=START, last_new=START, items_per_day=24, longest_pause=8 * 3600,
        shown=20, health="ok", health_since=START - 9 * DAY,
    )  # fmt: skip


def _unchanged(feed: Feed, at: datetime, moved_to: str | None = None) -> Feed:
    return structs.replace(feed, **after_success(feed, at, SETTINGS, status=304, moved_to=moved_to))


def _brought(feed: Feed, at: datetime, **news: Any) -> Feed:
    made = News(**{"shown": 20, "fresh": 1, "changed": True} | news)
    return structs.replace(feed, **after_success(feed, at, SETTINGS, status=200, news=made))


def _failed(feed: Feed, at: datetime, status: int | None = None, kind: str = "status") -> Feed:
    columns = after_error(feed, at, SETTINGS, kind=kind, sentence="it failed", status=status)
    return structs.replace(feed, **columns)


def _failing(feed: Feed, times: int, status: int | None = None, kind: str = "status") -> Feed:
    for _ in range(times):
        feed = _failed(feed, feed.next_at, status, kind)
    return feed


def test_a_feed_is_new_until_it_has_answered() -> None:
    assert _failed(_feed(), START).health == "new"
    assert _brought(_feed(), START).health == "ok"


def test_one_error_is_the_web_three_are_an_illness() -> None:
    assert _failing(_lively(), 2).health == "ok"
    ill = _failing(_lively(), 3)
    assert (ill.health, ill.state) == ("dying", "active")
    assert ill.why == "3 failed polls in a row, now: it failed"
    assert ill.health_since == ill.last_at
    assert _unchanged(ill, ill.next_at).health == "ok"


@pytest.mark.parametrize(
    ("status", "kind", "health"),
    [
        (None, "connection", "dying"),
        (500, "status", "dying"),
        (403, "status", "blocked"),
        (429, "status", "blocked"),
        (200, "page", "blocked"),
        (200, "not-a-feed", "malformed"),
        (200, "broken", "malformed"),
        (200, "empty", "empty"),
        (404, "status", "gone"),
        (410, "status", "gone"),
    ],
)
def test_the_kind_of_illness_is_told_apart(status: int | None, kind: str, health: str) -> None:
    assert _failing(_lively(), 6, status, kind).health == health


def test_a_feed_that_is_gone_is_asked_weekly_for_ever() -> None:
    feed = _failing(_lively(), 200, 410)
    assert (feed.state, feed.health) == ("active", "gone")
    wait = (feed.next_at - (feed.last_at or START)).total_seconds()
    assert SETTINGS.gone_interval <= wait <= 1.1 * SETTINGS.gone_interval
    back = _brought(feed, feed.next_at, missed=True)
    assert back.health == "ok"
    assert back.next_at - feed.next_at < timedelta(hours=2)


def test_a_feed_that_says_it_has_ended_is_asked_weekly_until_it_takes_that_back() -> None:
    feed = _brought(_lively(), START + HOUR, ended=True)
    again = _unchanged(feed, feed.next_at)
    assert (again.health, again.why) == ("gone", "the feed says that nothing more will come")
    assert 7 * DAY <= again.next_at - feed.next_at <= 8 * DAY
    back = _brought(again, again.next_at)
    assert back.health == "ok"
    assert back.next_at - again.next_at < DAY


def test_a_feed_that_answers_404_is_asked_daily() -> None:
    feed = _failing(_lively(), 50, 404)
    assert 0.99 * DAY < feed.next_at - (feed.last_at or START) < 1.11 * DAY


def test_silence_is_measured_by_the_feeds_own_pauses() -> None:
    feed = _lively()
    assert _unchanged(feed, START + 23 * HOUR).health == "ok"
    silent = _unchanged(feed, START + 25 * HOUR)
    assert silent.health == "silent"
    assert silent.why == ("nothing new for 25 hours; its longest pause of late was 8 hours")
    assert _brought(silent, START + 26 * HOUR).health == "ok"
    slow = structs.replace(feed, longest_pause=7 * DAY.total_seconds())
    assert _unchanged(slow, START + 20 * DAY).health == "ok"


def test_nobody_is_silent_because_we_did_not_ask() -> None:
    """The poller was off for ten days; then the feed has news."""
    back = _brought(_lively(), START + 10 * DAY)
    assert back.health == "ok"
    assert back.longest_pause == pytest.approx(8 * 3600, rel=0.01), "no pause of the feed's own"


def test_a_feed_that_is_hardly_known_gets_eight_days() -> None:
    feed = structs.replace(_lively(), added=START - 3 * DAY)
    assert _unchanged(feed, START + 7 * DAY).health == "ok"
    assert _unchanged(feed, START + 9 * DAY).health == "silent"


def test_a_first_document_of_old_items_is_stale_at_once() -> None:
    feed = _feed(added=START)
    dates = [START - n * DAY for n in range(300, 320)]
    old = _brought(feed, START, dates=dates)
    assert old.health == "stale"
    assert old.last_new == START - 300 * DAY


def test_a_document_without_items_is_empty_and_one_with_broken_items_malformed() -> None:
    feed = _lively()
    empty = _brought(feed, START + HOUR, shown=0, fresh=0, changed=False)
    assert empty.health == "empty"
    assert _unchanged(empty, START + 2 * HOUR).health == "empty"
    broken = _brought(feed, START + HOUR, flaw="1 of 20 items could not be read (cut off)")
    assert (broken.health, broken.why) == ("malformed", "1 of 20 items could not be read (cut off)")
    assert _brought(broken, START + 2 * HOUR).health == "ok"


def test_a_feed_whose_items_another_shows_too_is_a_duplicate() -> None:
    assert _brought(_lively(), START + HOUR, twin=(OTHER, 0.5)).health == "ok"
    double = _brought(_lively(), START + HOUR, twin=(OTHER, 0.95))
    assert (double.health, double.why) == ("duplicated", f"95% of its items are also in {OTHER}")


def test_the_watch_of_a_redirect_starts_at_first_sight_and_again_when_it_changes() -> None:
    feed = _unchanged(_lively(), START + HOUR, OTHER)
    assert (feed.moved_to, feed.moved_since, feed.health) == (OTHER, START + HOUR, "moved")
    feed = _unchanged(feed, START + 5 * HOUR, OTHER)
    assert feed.moved_since == START + HOUR
    third = _unchanged(feed, START + 6 * HOUR, OTHER + "2")
    assert third.moved_since == START + 6 * HOUR
    gone = _unchanged(feed, START + 6 * HOUR)
    assert (gone.moved_to, gone.moved_since, gone.health) == (None, None, "ok")
    failed = _failed(feed, START + 6 * HOUR)
    assert failed.moved_since == START + HOUR, "an error says nothing about the redirect"


@pytest.mark.parametrize("target", ["javascript:alert(1)", "https://x.example/" + "a" * 3000, ""])
def test_a_redirect_to_no_address_is_not_watched(target: str) -> None:
    assert _unchanged(_lively(), START + HOUR, target).moved_to is None


def test_hints_are_kept_for_polls_that_bring_no_document() -> None:
    feed = _brought(_lively(), START + HOUR, hints=Hints(ttl=7200, skip_hours=(3,)))
    assert stored_hints(feed) == Hints(ttl=7200, skip_hours=(3,))
    again = _unchanged(feed, START + 2 * HOUR)
    assert again.next_at - (START + 2 * HOUR) >= 2 * HOUR
    assert stored_hints(structs.replace(feed, hints={"ttl": "nonsense"})) == Hints()


def test_a_feed_that_fails_is_left_alone_in_its_skipped_hours_too() -> None:
    feed = structs.replace(_lively(), hints={"skip_hours": [12, 13, 14]})
    assert _failed(feed, START).next_at.hour == 15


@given(st.lists(st.floats(1, 3e6), min_size=1, max_size=60))
def test_silence_is_never_nearer_than_the_longest_recent_pause(pauses: list[float]) -> None:
    kept: float | None = None
    for pause in pauses:
        kept = rhythm.longest(kept, timedelta(seconds=pause))
    limit = rhythm.silent_after(kept, 365 * DAY)
    assert timedelta(hours=6) <= limit <= rhythm.STALE_AFTER
    assert limit >= min(timedelta(seconds=pauses[-1]), rhythm.STALE_AFTER)


def test_a_newsroom_with_nights_and_weekends_raises_no_alarm_in_a_year() -> None:
    """An item every half hour from 8 to 20 o'clock on weekdays, none on weekends."""
    feed = _feed(added=START - 60 * DAY, last_ok=START, last_new=START, items_per_day=10)
    at, health = datetime(2021, 9, 20, tzinfo=UTC), set()
    for _ in range(365 * 24):
        at += HOUR
        if at.weekday() < 5 and 8 <= at.hour < 20:
            feed = _brought(feed, at, fresh=2)
        else:
            feed = _unchanged(feed, at)
        if at > START + 7 * DAY:
            health.add(feed.health)
    assert health == {"ok"}


def test_a_clock_set_back_harms_nothing() -> None:
    feed = _brought(_lively(), START - 2 * DAY)
    assert feed.next_at < START
    assert feed.longest_pause == 8 * 3600
    feed = _unchanged(_unchanged(_lively(), START + DAY, OTHER), START - DAY, OTHER)
    assert feed.moved_since == START - DAY
