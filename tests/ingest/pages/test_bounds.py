"""Pages that are too large, too slow, elsewhere or no pages cost no more than themselves."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from aiohttp import web

from ingest.articles.fates import Candidate, candidate
from ingest.clock import WallClock
from ingest.fetch.fetcher import Fetcher
from ingest.pages.fill import Pages
from ingest.pages.page import Page
from ingest.polling.hosts import Hosts
from stream.records import Article
from tests.ingest.pages.asking import (
    PLACES,
    again,
    asked,
    brief,
    full,
    moved,
    polled,
    reasons,
    serving,
    timed,
)
from tests.ingest.pages.html import HEADLINE, article, page, paragraphs
from tests.ingest.world import START, World, rss, running


def test_a_host_that_has_enough_is_left_alone(world: World) -> None:
    world.site.pages["/1"] = world.site.pages["/2"] = serving(status=429, **{"Retry-After": "60"})
    polled(world, *PLACES[:2])
    assert asked(world, "/1") + asked(world, "/2") == 1
    assert reasons(world) == {
        "stored: new; page answered 429": 1,
        "stored: new; page not asked: its host wants to be left alone": 1,
    }


def test_only_so_many_pages_are_asked_in_one_poll_the_newest_first(world: World) -> None:
    world.settings.pages_per_poll = 2

    async def scenario() -> None:
        full(world)
        dates = ("Mon, 20 Sep 2021 09:00:00 GMT", "Mon, 20 Sep 2021 11:00:00 GMT",
                 "Mon, 20 Sep 2021 10:00:00 GMT")  # fmt: skip
        items = [brief(world, n, PLACES[n], date=d) for n, d in enumerate(dates)]
        world.site.pages["/feed"] = rss(*items)
        world.site.pages |= {f"/{n}": serving(article(place=PLACES[n])) for n in range(3)}
        await world.polled()

    running(scenario, world)
    assert [asked(world, f"/{n}") for n in range(3)] == [0, 1, 1]
    assert reasons(world)["stored: new; page not asked: more new items than pages_per_poll"] == 1
    assert len(world.articles()) == 3


def test_pages_take_no_longer_than_their_deadline(world: World) -> None:
    never = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        await never.wait()
        raise web.HTTPNotFound

    world.settings.pages_deadline = 1.0
    world.site.pages["/2"] = hang
    polled(world, *PLACES[:3])
    assert sum(reasons(world).values()) == 3
    assert reasons(world)["stored: new; page not asked: the poll's time for pages was over"] >= 1
    assert len(world.articles()) == 3


def test_a_slow_page_costs_its_host_the_others_of_this_poll(world: World) -> None:
    never = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        await never.wait()
        raise web.HTTPNotFound

    world.settings.deadline = 1.0
    world.site.pages["/1"] = hang
    polled(world, *PLACES[:2])
    assert reasons(world) == {
        "stored: new; page did not come in time": 1,
        "stored: new; page not asked: its host wants to be left alone": 1,
    }


def test_a_page_that_leads_into_a_private_network_is_not_followed(world: World) -> None:
    world.site.pages["/1"] = moved("http://10.0.0.1/1")
    polled(world, "Lowmere")
    assert reasons(world) == {
        "stored: new; page not asked: it leads to an address that is not public": 1
    }


def test_a_page_over_the_cap_is_not_read(world: World) -> None:
    world.settings.page_bytes = 20_000
    world.site.pages["/1"] = serving(page(paragraphs(400)))
    polled(world, "Lowmere")
    assert reasons(world) == {"stored: new; page is too large": 1}


def test_a_page_that_makes_the_extractor_run_for_ever_is_stopped(world: World) -> None:
    attributes = " ".join(f"a{n}='x'" for n in range(50_000))
    world.settings.page_deadline = 2.0
    world.site.pages["/1"] = serving(page(f"<p {attributes}>{paragraphs(6)}"))
    polled(world, *PLACES[:2])
    assert reasons(world) == {
        "stored: new; page took too long to be read": 1,
        "stored: new; text of its page": 1,
    }


def test_a_reader_that_dies_costs_only_its_page(world: World) -> None:
    async def scenario() -> None:
        full(world)
        for n in (1, 2, 3):
            world.site.pages |= {f"/{n}": serving(article()), "/feed": rss(brief(world, n))}
            await again(world)
            if n == 1:
                assert world._poller is not None
                (process,) = world._poller._polling._pages._pool._alive
                process.kill()

    running(scenario, world)
    third = world.ledger()[-1]
    assert third.reasons == {"stored: new; text of its page": 1}
    assert len(world.articles()) == 3


def test_what_is_no_web_page_is_not_read(world: World) -> None:
    world.site.pages["/1"] = serving(b"%PDF-1.7 " + article(), kind="application/pdf")
    polled(world, "Lowmere")
    assert reasons(world) == {"stored: new; page is no web page": 1}


def wanted(position: int, url: str, place: str) -> Candidate:
    made = Article(
        id=f"a{position}", revision="", title=HEADLINE.format(place=place), text="",
        outlet="paper.example", fetched=START, published=START - timedelta(hours=position),
        url=url,
    )  # fmt: skip
    return candidate(made, position)


def test_polls_that_bring_one_article_ask_for_its_page_once(world: World) -> None:
    async def scenario() -> None:
        world.site.pages["/1"] = serving(article())
        clock = WallClock()
        async with (
            Fetcher(world.settings) as fetcher,
            Pages(world.settings, fetcher, Hosts(world.settings, clock), clock) as pages,
        ):
            same = [[wanted(0, world.site.url("/1"), "Lowmere")] for _ in range(3)]
            found = await asyncio.gather(*(pages.read(poll) for poll in same))
        assert [type(each[0]) for each in found] == [Page] * 3

    running(scenario, world)
    assert asked(world, "/1") == 1


def test_hosts_are_asked_side_by_side_and_each_one_by_one(world: World) -> None:
    """With time that passes: no host may hold up the pages of another."""
    answered: list[str] = []
    release = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        await release.wait()
        answered.append(request.host)
        return web.Response(body=article(), content_type="text/html")

    async def quick(request: web.Request) -> web.Response:
        answered.append(request.host)
        release.set()
        return web.Response(body=article(place="Eastbury"), content_type="text/html")

    async def scenario() -> None:
        world.site.pages |= {"/1": slow, "/2": quick}
        clock = WallClock()
        hosts = Hosts(world.settings, clock)
        other = world.site.url("/2").replace("127.0.0.1", "localhost")
        async with (
            Fetcher(world.settings) as fetcher,
            Pages(world.settings, fetcher, hosts, clock) as pages,
        ):
            found = await pages.read(
                [wanted(0, world.site.url("/1"), "Lowmere"), wanted(1, other, "Eastbury")]
            )
        assert [type(found[n]) for n in (0, 1)] == [Page, Page]

    running(scenario, world)
    assert [host.partition(":")[0] for host in answered] == ["localhost", "127.0.0.1"]


def test_hosts_that_were_asked_long_ago_are_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.polling.hosts._MANY", 3)

    async def scenario() -> None:
        hosts = Hosts(world.settings, world.clock)
        for n in range(9):
            async with hosts.turn(f"https://h{n}.example/"):
                pass
            await world.clock.sleep_until(
                world.clock.now() + timedelta(minutes=50), asyncio.Event()
            )
        assert hosts.free_at("h0.example") is None
        assert hosts.free_at("h8.example") is not None

    asyncio.run(scenario())


def test_a_redirect_to_the_article_is_followed_with_the_gap_kept(world: World) -> None:
    world.settings.host_gap = 3
    times: list[datetime] = []
    world.site.pages |= {
        "/1": moved("/2021/pier", 301),
        "/2021/pier": timed(world, times, article()),
    }
    polled(world, "Lowmere")
    assert reasons(world) == {"stored: new; text of its page": 1}
    # the feed, its robots.txt, the old address and the new one
    assert times[0] >= START + timedelta(hours=1, seconds=9)


def test_redirects_without_end_are_given_up(world: World) -> None:
    world.site.pages["/1"] = moved("/1")
    polled(world, "Lowmere")
    assert asked(world, "/1") == world.settings.max_redirects + 1
    assert reasons(world) == {"stored: new; page redirects without end or to no web address": 1}
