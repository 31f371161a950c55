"""The list of feeds: adding, finding again, pausing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ingest import feeds
from ingest.feeds import Entry
from stream.errors import UsageError
from tests.ingest.world import START, World


def entries(count: int) -> list[Entry]:
    return [Entry(url=f"https://news.example/{n}") for n in range(count)]


def due_at(world: World, seconds: float = 0) -> int:
    """How many feeds are due so long after the start."""
    return sum(f.next_at <= START + timedelta(seconds=seconds) for f in feeds.listing(world.engine))


def test_a_feed_is_added_once_and_due_at_once(world: World) -> None:
    assert feeds.add(world.engine, "news.example/rss", now=START)
    assert not feeds.add(world.engine, "https://news.example/rss", "news.example", now=START)
    (feed,) = feeds.due(world.engine, START)
    assert (feed.url, feed.outlet) == ("https://news.example/rss", "news.example")


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "javascript:alert(1)", "http://", "a\nb.example"]
)
def test_what_cannot_be_polled_is_not_added(world: World, url: str) -> None:
    with pytest.raises(UsageError):
        feeds.add(world.engine, url)
    assert feeds.listing(world.engine) == []


@pytest.mark.parametrize(
    "same",
    [
        "http://news.example/rss",
        "https://www.news.example/rss",
        "https://news.example/rss/",
        "https://NEWS.example:443/rss#top",
    ],
)
def test_another_way_to_write_an_address_is_the_same_feed(world: World, same: str) -> None:
    feeds.add(world.engine, "https://news.example/rss", now=START)
    assert not feeds.add(world.engine, same, now=START)
    assert feeds.find(world.engine, same).url == "https://news.example/rss"


@pytest.mark.parametrize(
    "other",
    [
        "https://news.example/rss?section=2",
        "https://news.example/rss?utm_source=x",
        "https://news.example/RSS",
        "https://feeds.news.example/rss",
    ],
)
def test_another_section_is_another_feed(world: World, other: str) -> None:
    feeds.add(world.engine, "https://news.example/rss", now=START)
    assert feeds.add(world.engine, other, now=START)


def test_many_feeds_are_spread_over_time(world: World) -> None:
    assert len(feeds.add_many(world.engine, entries(500), now=START).new) == 500
    assert 50 <= due_at(world) < 500
    assert due_at(world, 3600) == 500


def test_of_many_the_known_and_repeated_ones_are_told_and_left_alone(world: World) -> None:
    feeds.add(world.engine, "https://news.example/1", title="Mine", now=START)
    again = Entry(url="http://www.news.example/1/", title="Theirs")
    heard: list[int] = []
    added = feeds.add_many(
        world.engine, [again, *(given := entries(3)), given[0]], now=START, progress=heard.append
    )
    assert [e.url for e in added.new] == ["https://news.example/0", "https://news.example/2"]
    assert [(e.url, url) for e, url in added.known] == [
        ("http://www.news.example/1/", "https://news.example/1"),
        ("https://news.example/1", "https://news.example/1"),
        ("https://news.example/0", "https://news.example/0"),
    ]
    assert feeds.find(world.engine, "https://news.example/1").title == "Mine"
    assert heard == [2]


def test_one_bad_address_adds_none(world: World) -> None:
    with pytest.raises(UsageError, match="gopher"):
        feeds.add_many(world.engine, [*entries(2), Entry(url="gopher://news.example/")])
    assert feeds.listing(world.engine) == []


def test_a_feed_that_is_not_there_names_the_nearest(world: World) -> None:
    feeds.add(world.engine, "https://news.example/world/rss", now=START)
    with pytest.raises(UsageError, match=r"did you mean https://news\.example/world/rss"):
        feeds.find(world.engine, "https://news.example/wrold/rss")


def test_a_paused_feed_is_not_polled_until_it_is_active_again(world: World) -> None:
    feeds.add(world.engine, "https://news.example/rss", now=START)
    assert feeds.set_state(world.engine, "https://news.example/rss", "paused", now=START)
    assert feeds.due(world.engine, START) == []
    assert not feeds.poll_now(world.engine, "https://news.example/rss", now=START)
    assert feeds.set_state(world.engine, "https://news.example/rss", "active", now=START)
    assert len(feeds.due(world.engine, START)) == 1


def test_a_feed_can_be_made_due_now(world: World) -> None:
    feeds.add_many(world.engine, entries(200), now=START)
    late = next(f for f in feeds.listing(world.engine) if f.next_at > START)
    before = due_at(world)
    assert feeds.poll_now(world.engine, late.url, now=START)
    assert due_at(world) == before + 1
