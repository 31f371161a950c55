"""A real web server on loopback whose answers the test decides, and a world to poll into."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from aiohttp import web

from ingest import feeds
from ingest.books.ledger import PollReport
from ingest.clock import VirtualClock
from ingest.polling.poller import Poller
from ingest.settings import IngestSettings
from store.tables import polls
from stream import records
from stream.log.contract import Partition, topics
from stream.log.sqlite import SqliteLog
from stream.records import Article

START = datetime(2021, 9, 20, 12, 0, tzinfo=UTC)
LOOPBACK = IngestSettings(allow_networks=["127.0.0.0/8"], deadline=5)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Site:
    """Serves `pages` (path -> bytes or handler) on an ephemeral port of 127.0.0.1."""

    base: str = ""
    pages: dict[str, bytes | Handler] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    requests: list[web.Request] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        page = self.pages.get(request.path)
        if page is None:
            raise web.HTTPNotFound
        if callable(page):
            return await page(request)
        headers = {"Content-Type": "application/xml", **self.headers[request.path]}
        return web.Response(body=page, headers=headers)

    def url(self, path: str) -> str:
        return f"{self.base}{path}"


async def started(site: Site) -> web.AppRunner:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", site.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0)
    await listening.start()
    assert listening._server is not None
    site.base = f"http://127.0.0.1:{listening._server.sockets[0].getsockname()[1]}"
    return runner


class World:
    """A database, a log, a clock and a site; `polled()` polls what is due."""

    def __init__(self, folder: Path, engine: sa.Engine) -> None:
        self.engine = engine
        self.log = SqliteLog(folder / "log.db")
        self.log.create_topics(topics(1))
        self.clock = VirtualClock(START)
        self.settings = IngestSettings(
            allow_networks=["127.0.0.0/8"], host_gap=0, deadline=5, parse_deadline=30
        )
        self.site = Site()
        self._poller: Poller | None = None

    def poller(self) -> Poller:
        return Poller(self.engine, self.log, self.settings, self.clock)

    async def polled(self, after: timedelta = timedelta(days=1)) -> list[PollReport]:
        """Let `after` pass, then poll what is due."""
        await self.clock.sleep_until(self.clock.now() + after, asyncio.Event())
        if self._poller is None:
            self._poller = await self.poller().__aenter__()
        return await self._poller.poll_due()

    async def stop(self) -> None:
        poller, self._poller = self._poller, None
        if poller is not None:
            await poller.__aexit__(None, None, None)

    def articles(self) -> list[Article]:
        return [
            records.decode(r.value, Article) for r in self.log.read(Partition(records.ARTICLES, 0))
        ]

    def ledger(self) -> list[sa.Row]:
        with self.engine.connect() as db:
            return list(db.execute(sa.select(polls).order_by(polls.c.at, polls.c.source)))

    def close(self) -> None:
        self.log.close()
        self.engine.dispose()


def running(scenario: Callable[[], Awaitable[None]], place: Site | World) -> None:
    """Run an async test against a site (and its world), stopped whatever happens."""
    site = place.site if isinstance(place, World) else place

    async def main() -> None:
        runner = await started(site)
        try:
            await scenario()
        finally:
            if isinstance(place, World):
                await place.stop()
            await runner.cleanup()

    asyncio.run(main())


def rss(*items: str, title: str = "Test feed", language: str = "en") -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel>'
        f"<title>{title}</title><link>https://news.example/</link><language>{language}</language>"
        f"{''.join(items)}</channel></rss>"
    ).encode()


def item(
    n: int | str,
    *,
    title: str | None = None,
    text: str | None = None,
    link: str | None = None,
    guid: str | None = None,
    date: str | None = "Mon, 20 Sep 2021 10:00:00 GMT",
) -> str:
    title = f"Headline number {n} of the day" if title is None else title
    text = f"The text of article {n}, which is about something." if text is None else text
    link = f"https://news.example/{n}" if link is None else link
    return (
        f"<item><title>{title}</title><link>{link}</link>"
        f"<guid isPermaLink='false'>{guid or f'id-{n}'}</guid><description>{text}</description>"
        + (f"<pubDate>{date}</pubDate>" if date else "")
        + "</item>"
    )


def add_feed(world: World, path: str, outlet: str | None = None) -> str:
    url = world.site.url(path)
    feeds.add(world.engine, url, outlet, now=world.clock.now())
    return url


def sums(report: PollReport) -> dict[str, int]:
    return {fate: n for fate, n in report.counts.items() if n}
