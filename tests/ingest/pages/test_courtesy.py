"""What publishers may expect of a program that asks for their pages, and what they cannot do to
it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest
from aiohttp import web

from ingest.articles.fates import Candidate, candidate
from ingest.clock import WallClock
from ingest.fetch.fetcher import Fetcher
from ingest.pages.fill import Pages
from ingest.pages.page import Page
from ingest.pages.robots import AGENT
from ingest.pages.worker import RobotsJob, answer
from ingest.polling.hosts import Hosts
from stream.records import Article
from tests.ingest.pages.html import HEADLINE, article, page, paragraphs
from tests.ingest.pages.test_fill import Answer, again, asked, brief, full, moved, reasons, serving
from tests.ingest.world import START, World, rss, running

PLACES = ("Lowmere", "Eastbury", "Saltwick", "Norholm")


def text(words: str) -> Answer:
    return serving(words.encode(), kind="text/plain")


def polled(world: World, *items: str, after: timedelta = timedelta(hours=1)) -> None:
    """One poll of a feed with these items."""

    async def scenario() -> None:
        full(world)
        world.site.pages["/feed"] = rss(*(brief(world, i + 1, p) for i, p in enumerate(items)))
        for i, place in enumerate(items):
            world.site.pages.setdefault(f"/{i + 1}", serving(article(place=place)))
        await world.polled(after)

    running(scenario, world)


def test_what_robots_txt_refuses_is_not_asked(world: World) -> None:
    world.site.pages["/robots.txt"] = text("User-agent: *\nDisallow: /1\nAllow: /\n")
    polled(world, *PLACES[:2])
    assert (asked(world, "/1"), asked(world, "/2")) == (0, 1)
    assert reasons(world) == {
        "stored: new; page refused by robots.txt": 1,
        "stored: new; text of its page": 1,
    }
    assert len(world.articles()) == 2


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        ("User-agent: dateline\nDisallow: /\n\nUser-agent: *\nAllow: /", False),
        ("User-agent: *\nDisallow: /\n\nUser-agent: DATELINE\nAllow: /", True),
        ("User-agent: somebody\nuser-agent: Dateline # us\nDisallow: /", False),
        ("\ufeffUser-agent: *\r\nDisallow: /*1$\r\n", False),
        ("User-agent: *\nDisallow: /\nAllow: /1", True),  # the longer rule counts
        ("User-agent: *\nDisallow:", True),
        ("<html><body>Disallow: /</body></html>", True),
        ("", True),
    ],
)
def test_the_group_for_us_counts_before_the_one_for_all(rules: str, allowed: bool) -> None:
    job = RobotsJob(deadline=9, body=rules.encode(), agent=AGENT, url="https://paper.example/1")
    assert answer(job).allowed == allowed


def test_a_robots_txt_behind_a_redirect_is_followed(world: World) -> None:
    world.site.pages |= {
        "/robots.txt": moved("/rules", 301),
        "/rules": text("User-agent: *\nDisallow: /"),
    }
    polled(world, "Lowmere")
    assert asked(world, "/1") == 0


@pytest.mark.parametrize("status", [500, 503, 429])
def test_while_the_rules_cannot_be_had_no_page_is_asked(world: World, status: int) -> None:
    async def scenario() -> None:
        full(world)
        world.site.pages |= {"/robots.txt": serving(status=status), "/1": serving(article())}
        world.site.pages["/feed"] = rss(brief(world, 1))
        await world.polled()
        assert reasons(world) == {"stored: new; page not asked: its robots.txt cannot be had": 1}
        world.site.pages |= {"/robots.txt": text("User-agent: *\nAllow: /")}
        world.site.pages["/feed"] = rss(brief(world, 1, text="The council of Lowmere voted."))
        await again(world, timedelta(hours=2))

    running(scenario, world)
    assert asked(world, "/robots.txt") == 2
    assert asked(world, "/1") == 1


@pytest.mark.parametrize("status", [403, 404])
def test_without_rules_pages_may_be_asked(world: World, status: int) -> None:
    world.site.pages["/robots.txt"] = serving(status=status)
    polled(world, "Lowmere")
    assert asked(world, "/1") == 1


def test_rules_are_asked_once_a_day(world: World) -> None:
    async def scenario() -> None:
        full(world)
        world.site.pages["/robots.txt"] = text("User-agent: *\nAllow: /")
        for n, hours in enumerate((1, 1, 23), 1):
            world.site.pages |= {f"/{n}": serving(article()), "/feed": rss(brief(world, n))}
            await again(world, timedelta(hours=hours))
            assert asked(world, "/robots.txt") == (1 if n < 3 else 2)

    running(scenario, world)


def test_rules_that_take_for_ever_to_read_count_as_refusing(world: World) -> None:
    groups = "".join(f"User-agent: u{n}\n" for n in range(12_000))
    rules = "".join(f"Disallow: /x{n}*\n" for n in range(12_000))
    world.settings.page_deadline = 1.0
    world.site.pages["/robots.txt"] = text(groups + rules)
    polled(world, *PLACES[:2])
    assert reasons(world) == {"stored: new; page not asked: its robots.txt cannot be read": 2}
    assert asked(world, "/robots.txt") == 1


def _timed(world: World, times: list[datetime], body: bytes) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        times.append(world.clock.now())
        return web.Response(body=body, content_type="text/html")

    return answer


def _gaps(times: list[datetime]) -> list[float]:
    return [(b - a).total_seconds() for a, b in pairwise(times)]


def test_a_crawl_delay_lies_between_two_pages(world: World) -> None:
    times: list[datetime] = []
    world.site.pages["/robots.txt"] = text("User-agent: *\nCrawl-delay: 7")
    for n, place in enumerate(PLACES, 1):
        world.site.pages[f"/{n}"] = _timed(world, times, article(place=place))
    polled(world, *PLACES)
    assert len(times) == 4
    assert all(gap >= 7 for gap in _gaps(times))


def test_an_hour_of_crawl_delay_is_kept_as_a_minute(world: World) -> None:
    times: list[datetime] = []
    world.settings.pages_deadline = 100  # real seconds, of which none pass
    world.site.pages["/robots.txt"] = text("User-agent: *\nCrawl-delay: 3600")
    for n, place in enumerate(PLACES[:2], 1):
        world.site.pages[f"/{n}"] = _timed(world, times, article(place=place))
    polled(world, *PLACES[:2])
    assert _gaps(times) == [60.0]


def test_rules_and_pages_keep_the_gap_that_feeds_keep(world: World) -> None:
    world.settings.host_gap = 3
    times: list[datetime] = []
    note: Callable[..., Answer] = partial(_timed, world, times)
    world.site.pages["/robots.txt"] = note(b"User-agent: *\nAllow: /")
    for n, place in enumerate(PLACES[:3], 1):
        world.site.pages[f"/{n}"] = note(article(place=place))
    polled(world, *PLACES[:3])
    assert len(times) == 4
    assert all(gap >= 3 for gap in _gaps(times))


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


def test_rules_count_on_every_hop_of_a_redirect(world: World) -> None:
    world.site.pages |= {
        "/robots.txt": text("User-agent: *\nDisallow: /private/"),
        "/1": moved("/private/1"),
        "/private/1": serving(article()),
    }
    polled(world, "Lowmere")
    assert asked(world, "/private/1") == 0
    assert reasons(world) == {"stored: new; page refused by robots.txt": 1}


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


def test_publishers_see_who_asks_and_for_what(world: World) -> None:
    polled(world, "Lowmere")
    requests = {r.path: r for r in world.site.requests}
    assert requests["/robots.txt"].headers["User-Agent"].startswith(f"{AGENT}/")
    assert requests["/1"].headers["User-Agent"].startswith(f"{AGENT}/")
    assert requests["/1"].headers["Accept"].startswith("text/html")


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
        "/2021/pier": _timed(world, times, article()),
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
