"""Full text from articles' pages: when a page is asked, what it may change, what it costs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from aiohttp import web

from ingest import feeds
from ingest.ledger import PollReport
from store.tables import feeds as feeds_table
from tests.ingest.conftest import World, item, rss, running
from tests.ingest.pages.html import HEADLINE, TEASER, article, paragraphs

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def serving(
    body: bytes = b"", *, status: int = 200, kind: str = "text/html", **headers: str
) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=body, status=status, headers={"Content-Type": kind, **headers})

    return answer


def moved(to: str, status: int = 302) -> Answer:
    return serving(status=status, Location=to)


def brief(world: World, n: int | str, place: str = "Lowmere", **given: str) -> str:
    """A feed item with a headline and a teaser whose page is `/{n}` of the site."""
    return item(
        n,
        title=given.pop("title", HEADLINE.format(place=place)),
        text=given.pop("text", TEASER.format(place=place)),
        link=world.site.url(f"/{n}"),
        **given,  # type: ignore[arg-type]
    )


def asked(world: World, path: str) -> int:
    return sum(1 for r in world.site.requests if r.path == path)


async def again(world: World, after: timedelta = timedelta(hours=1)) -> PollReport:
    """Poll the one feed `after` so long, due or not."""
    if world._poller is None:
        (report,) = await world.polled(after)
        return report
    await world.clock.sleep_until(world.clock.now() + after, asyncio.Event())
    (feed,) = feeds.listing(world.engine)
    return await world._poller.poll(feed)


def full(world: World, path: str = "/feed") -> None:
    """A feed with full text on."""
    world.settings.full_text = True
    feeds.add(world.engine, world.site.url(path), now=world.clock.now())


def reasons(world: World) -> dict[str, int]:
    return dict(world.ledger()[-1].reasons)


@pytest.fixture(autouse=True)
def _unhurried(world: World) -> None:
    world.settings.pages_deadline = world.settings.page_deadline = 60  # real seconds, unused


def test_a_brief_item_gets_the_text_of_its_page(world: World) -> None:
    async def scenario() -> None:
        full(world)
        world.site.pages |= {"/feed": rss(brief(world, 1)), "/1": serving(article())}
        await world.polled()

    running(scenario, world)
    (found,) = world.articles()
    assert "nineteen of the thirty pillars" in found.text
    assert not found.text.startswith("Council of")  # the headline is the title
    assert "Most read" not in found.text
    assert "Copyright" not in found.text
    assert found.published_from == "feed"
    assert reasons(world) == {"stored: new; text of its page": 1}


def test_an_unchanged_item_asks_for_no_page_again(world: World) -> None:
    async def scenario() -> None:
        full(world)
        world.site.pages |= {"/feed": rss(brief(world, 1)), "/1": serving(article())}
        await world.polled()
        world.site.pages["/feed"] = rss(brief(world, 1), title="Another title of the feed")
        (report,) = await world.polled()
        assert {f: n for f, n in report.counts.items() if n} == {"duplicate": 1}

    running(scenario, world)
    assert asked(world, "/feed") == 2
    assert asked(world, "/1") == 1
    assert len(world.articles()) == 1


def test_an_edit_asks_again_and_is_a_revision(world: World) -> None:
    async def scenario() -> None:
        full(world)
        world.site.pages |= {"/feed": rss(brief(world, 1)), "/1": serving(article(6))}
        await world.polled()
        edited = brief(world, 1, text="The council of Lowmere agreed after a vote of nine to four.")
        world.site.pages |= {"/feed": rss(edited), "/1": serving(article(7))}
        await world.polled()

    running(scenario, world)
    first, second = world.articles()
    assert first.id == second.id
    assert first.revision != second.revision
    assert len(second.text) > len(first.text)


def test_with_full_text_off_no_page_and_no_robots_are_asked(world: World) -> None:
    async def scenario() -> None:
        full(world)
        world.settings.full_text = False
        world.site.pages |= {"/feed": rss(brief(world, 1)), "/1": serving(article())}
        await world.polled()

    running(scenario, world)
    assert {r.path for r in world.site.requests} == {"/feed"}
    assert world.articles()[0].text == TEASER.format(place="Lowmere")


def test_one_feed_may_ask_though_the_others_do_not(world: World) -> None:
    async def scenario() -> None:
        full(world)
        world.settings.full_text = False
        with world.engine.begin() as db:
            db.execute(sa.update(feeds_table).values(full_text=True))
        world.site.pages |= {"/feed": rss(brief(world, 1)), "/1": serving(article())}
        await world.polled()

    running(scenario, world)
    assert asked(world, "/1") == 1


def test_a_feed_that_brings_the_whole_text_is_preferred(world: World) -> None:
    async def scenario() -> None:
        full(world)
        whole = brief(world, 1, text=paragraphs(6).replace("<", "&lt;"))
        world.site.pages |= {"/feed": rss(whole), "/1": serving(article(9))}
        await world.polled()

    running(scenario, world)
    assert asked(world, "/1") == 0
    assert asked(world, "/robots.txt") == 0


def test_a_page_that_says_less_than_the_feed_changes_nothing(world: World) -> None:
    text = " ".join([TEASER.format(place="Lowmere")] * 9)

    async def scenario() -> None:
        full(world)
        world.site.pages |= {"/feed": rss(brief(world, 1, text=text)), "/1": serving(article(2))}
        await world.polled()

    running(scenario, world)
    assert world.articles()[0].text == text
    assert reasons(world) == {"stored: new; page says no more than its feed": 1}
