"""The outlets of the sample world as one loopback web server whose clock reveals the items."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape, quoteattr

from aiohttp import web

from dateline.demo.world import Feed, Piece, Version, World

# What feeds of newspapers list: the last twenty or thirty items.
ITEMS = 25
# The moments of polling are spread by a hash of the feed's URL, port included: with the same port
# two demos poll, and so place, in the same order.
PORT = 8641
_TYPES = {
    "rss": "application/rss+xml",
    "rdf": "application/rdf+xml",
    "atom": "application/atom+xml",
    "json": "application/feed+json",
}
Shown = Sequence[tuple[Piece, Version]]


class SampleServer:
    """Serves the feeds at their paths, with ETags; `now` is the simulated time."""

    def __init__(self, world: World, now: Callable[[], datetime]) -> None:
        self._world, self._now = world, now
        self._feeds = {feed.path: feed for feed in world.feeds}
        self.requests = 0
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        self.address = ""

    async def start(self) -> None:
        """Listen on loopback, on a free port when ours is taken; `address` is then its URL
        without a path."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", PORT).start()
        except OSError:
            await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.address = f"http://{host}:{port}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests += 1
        feed = self._feeds.get(request.path)
        if feed is None:
            return web.Response(status=404, text="no such feed")
        body = render(feed, self._world.shown(feed, self._now(), ITEMS))
        tag = f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        return web.Response(
            body=body, content_type=_TYPES[feed.format], charset="utf-8", headers={"ETag": tag}
        )


def render(feed: Feed, shown: Shown) -> bytes:
    """The document of the feed; an undated piece carries no date."""
    text = {"rss": _rss, "rdf": _rdf, "atom": _atom, "json": _json}[feed.format](feed, shown)
    return text.encode()


def _body(feed: Feed, version: Version) -> str:
    if feed.full:
        return "".join(
            f"<p>{escape(part)}</p>" for part in version.text.split("\n") if part.strip()
        )
    return escape(". ".join(version.text.split(". ")[:2]).rstrip(".") + ".")


def _rss(feed: Feed, shown: Shown) -> str:
    items = "".join(
        f"<item><title>{escape(version.title)}</title><link>{escape(piece.url)}</link>"
        f"<guid isPermaLink='true'>{escape(piece.url)}</guid>"
        + ("" if piece.undated else f"<pubDate>{format_datetime(piece.published)}</pubDate>")
        + f"<description>{escape(_body(feed, version))}</description></item>"
        for piece, version in shown
    )
    return (
        "<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel>"
        f"<title>{escape(feed.title)}</title><link>https://{feed.outlet}/</link>"
        f"<language>en</language>{items}</channel></rss>"
    )


def _rdf(feed: Feed, shown: Shown) -> str:
    items = "".join(
        f"<item rdf:about={quoteattr(piece.url)}><title>{escape(version.title)}</title>"
        f"<link>{escape(piece.url)}</link>"
        + ("" if piece.undated else f"<dc:date>{piece.published.isoformat()}</dc:date>")
        + f"<description>{escape(_body(feed, version))}</description></item>"
        for piece, version in shown
    )
    return (
        "<?xml version='1.0' encoding='utf-8'?>"
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'"
        " xmlns='http://purl.org/rss/1.0/' xmlns:dc='http://purl.org/dc/elements/1.1/'>"
        f"<channel rdf:about='https://{feed.outlet}/'><title>{escape(feed.title)}</title>"
        f"<link>https://{feed.outlet}/</link><description/></channel>{items}</rdf:RDF>"
    )


def _atom(feed: Feed, shown: Shown) -> str:
    entries = "".join(
        f"<entry><id>{escape(piece.url)}</id><title>{escape(version.title)}</title>"
        f"<link href={quoteattr(piece.url)}/>"
        + (
            ""
            if piece.undated
            else f"<published>{piece.published.isoformat()}</published>"
            f"<updated>{version.at.isoformat()}</updated>"
        )
        + f"<content type='html'>{escape(_body(feed, version))}</content></entry>"
        for piece, version in shown
    )
    return (
        "<?xml version='1.0' encoding='utf-8'?><feed xmlns='http://www.w3.org/2005/Atom'"
        f" xml:lang='en'><id>https://{feed.outlet}/</id><title>{escape(feed.title)}</title>"
        f"{entries}</feed>"
    )


def _json(feed: Feed, shown: Shown) -> str:
    items = [
        {
            "id": piece.url,
            "url": piece.url,
            "title": version.title,
            "content_html": _body(feed, version),
        }
        | ({} if piece.undated else {"date_published": piece.published.isoformat()})
        for piece, version in shown
    ]
    return json.dumps(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": feed.title,
            "home_page_url": f"https://{feed.outlet}/",
            "language": "en",
            "items": items,
        },
        ensure_ascii=False,
    )
