"""Hosts: one feed at a time, nobody in another's way, and left alone when they have enough."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from ingest import feeds
from ingest.clock import WallClock
from ingest.feeds import Feed
from ingest.polling.agenda import Agenda
from ingest.polling.hosts import Hosts
from ingest.settings import IngestSettings
from tests.ingest.world import START, World, item, rss, running


def test_a_server_that_has_enough_is_left_alone_with_all_its_feeds(world: World) -> None:
    async def enough(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "1800"})

    world.site.pages |= {"/a": enough, "/b": rss(item(1))}

    async def scenario() -> None:
        for path in ("/a", "/b"):
            feeds.add(world.engine, world.site.url(path), now=START)
        assert [r.status for r in await world.polled()] == [429]
        assert await world.polled(timedelta(minutes=29)) == []
        assert len(world.site.requests) == 1
        assert "ok" in [r.outcome for r in await world.polled(timedelta(minutes=2))]

    running(scenario, world)


def test_a_silent_host_waits_longer_each_time_and_one_slow_feed_costs_the_others_nothing() -> None:
    clock = WallClock()
    kept = Hosts(IngestSettings(deadline=30), clock)
    url = "https://news.example/a"

    def wait() -> float:
        at = kept.free_at("news.example")
        return (at - clock.now()).total_seconds() if at else 0.0

    kept.silent(url)
    assert wait() <= 1
    kept.answered(url)
    kept.silent(url)
    assert wait() <= 1
    kept.silent(url)
    assert 50 < wait() <= 60
    kept.silent(url)
    assert 100 < wait() <= 120
    assert kept.free_at("other.example") is None


def _feed(number: int, host: str, minutes: float) -> Feed:
    return Feed(
        id=number, url=f"https://{host}/{number}", host=host, state="active", added=START,
        next_at=START + timedelta(minutes=minutes), interval_s=300,
    )  # fmt: skip


def test_a_host_is_asked_for_one_feed_at_a_time_and_waits_in_nobodys_way() -> None:
    agenda = Agenda(lambda host: None)
    for number in range(3):
        agenda.put(_feed(number, "big.example", number / 10))
    agenda.put(_feed(9, "small.example", 1))
    now = START + timedelta(minutes=5)
    begun = [agenda.begin(now), agenda.begin(now), agenda.begin(now)]
    assert [feed and feed.id for feed in begun] == [0, 9, None]
    agenda.asked("big.example")
    assert (again := agenda.begin(now)) is not None
    assert again.id == 1


def test_a_host_that_may_not_be_asked_yet_is_not_begun() -> None:
    free_at = {"a.example": START + timedelta(minutes=9)}
    agenda = Agenda(free_at.get)
    agenda.put(_feed(1, "a.example", 0))
    agenda.put(_feed(2, "b.example", 4))
    assert agenda.begin(START) is None
    assert agenda.next_at() == START + timedelta(minutes=4)
    assert [f.id for f in agenda.all_due(START + timedelta(minutes=5))] == [2]
    assert agenda.next_at() == free_at["a.example"]


def test_a_feed_that_is_put_again_counts_as_it_is_now() -> None:
    agenda = Agenda(lambda host: None)
    agenda.put(_feed(1, "a.example", 0))
    agenda.put(_feed(1, "a.example", 10))
    assert agenda.begin(START + timedelta(minutes=5)) is None
    agenda.put(_feed(1, "a.example", 2))
    assert agenda.begin(START + timedelta(minutes=5)) is not None
    assert len(agenda) == 0
