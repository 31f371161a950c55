"""What a site's robots.txt says is done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest

from ingest.pages.robots import AGENT
from ingest.pages.worker import RobotsJob, answer
from tests.ingest.pages.asking import (
    PLACES,
    Answer,
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
from tests.ingest.pages.html import article
from tests.ingest.world import World, rss, running


def text(words: str) -> Answer:
    return serving(words.encode(), kind="text/plain")


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


def _gaps(times: list[datetime]) -> list[float]:
    return [(b - a).total_seconds() for a, b in pairwise(times)]


def test_a_crawl_delay_lies_between_two_pages(world: World) -> None:
    times: list[datetime] = []
    world.site.pages["/robots.txt"] = text("User-agent: *\nCrawl-delay: 7")
    for n, place in enumerate(PLACES, 1):
        world.site.pages[f"/{n}"] = timed(world, times, article(place=place))
    polled(world, *PLACES)
    assert len(times) == 4
    assert all(gap >= 7 for gap in _gaps(times))


def test_an_hour_of_crawl_delay_is_kept_as_a_minute(world: World) -> None:
    times: list[datetime] = []
    world.settings.pages_deadline = 100  # real seconds, of which none pass
    world.site.pages["/robots.txt"] = text("User-agent: *\nCrawl-delay: 3600")
    for n, place in enumerate(PLACES[:2], 1):
        world.site.pages[f"/{n}"] = timed(world, times, article(place=place))
    polled(world, *PLACES[:2])
    assert _gaps(times) == [60.0]


def test_rules_and_pages_keep_the_gap_that_feeds_keep(world: World) -> None:
    world.settings.host_gap = 3
    times: list[datetime] = []
    note: Callable[..., Answer] = partial(timed, world, times)
    world.site.pages["/robots.txt"] = note(b"User-agent: *\nAllow: /")
    for n, place in enumerate(PLACES[:3], 1):
        world.site.pages[f"/{n}"] = note(article(place=place))
    polled(world, *PLACES[:3])
    assert len(times) == 4
    assert all(gap >= 3 for gap in _gaps(times))


def test_rules_count_on_every_hop_of_a_redirect(world: World) -> None:
    world.site.pages |= {
        "/robots.txt": text("User-agent: *\nDisallow: /private/"),
        "/1": moved("/private/1"),
        "/private/1": serving(article()),
    }
    polled(world, "Lowmere")
    assert asked(world, "/private/1") == 0
    assert reasons(world) == {"stored: new; page refused by robots.txt": 1}


def test_publishers_see_who_asks_and_for_what(world: World) -> None:
    polled(world, "Lowmere")
    requests = {r.path: r for r in world.site.requests}
    assert requests["/robots.txt"].headers["User-Agent"].startswith(f"{AGENT}/")
    assert requests["/1"].headers["User-Agent"].startswith(f"{AGENT}/")
    assert requests["/1"].headers["Accept"].startswith("text/html")
