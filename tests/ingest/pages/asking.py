"""Pages of a site that are asked for, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from aiohttp import web

from ingest import feeds
from ingest.books.ledger import PollReport
from tests.ingest.pages.html import HEADLINE, TEASER, article
from tests.ingest.world import World, item, rss, running

PLACES = ("Lowmere", "Eastbury", "Saltwick", "Norholm")
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


def polled(world: World, *items: str, after: timedelta = timedelta(hours=1)) -> None:
    """One poll of a feed with these items."""

    async def scenario() -> None:
        full(world)
        world.site.pages["/feed"] = rss(*(brief(world, i + 1, p) for i, p in enumerate(items)))
        for i, place in enumerate(items):
            world.site.pages.setdefault(f"/{i + 1}", serving(article(place=place)))
        await world.polled(after)

    running(scenario, world)


def timed(world: World, times: list[datetime], body: bytes) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        times.append(world.clock.now())
        return web.Response(body=body, content_type="text/html")

    return answer
