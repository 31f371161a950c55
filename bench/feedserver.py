"""A thousand feeds on loopback, served by a process of its own that costs the measured ones little.

    python -m bench.feedserver --feeds 1000 --items 20 --hosts 100

Prints the base addresses as one line of JSON and serves until its standard input closes. Every
feed has an ETag and answers 304 to it; connections stay open. Nothing of it changes with time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

# Of the frequent words of English news, enough that no two items are alike and that a language
# model takes them for English.
_ENGLISH = """
    the a of and to in for on with after over from that this its their government minister
    police court city council people country president election vote budget school hospital
    company workers strike market prices river storm fire road train station airport talks
    agreement border village team match final season victory report study research health says
    said told reached opened closed announced expected called began ended found lost won new
    first second last public local national early late major large small more less
"""
_WORDS = _ENGLISH.split()
_NEWEST = datetime(2021, 9, 20, 12, tzinfo=UTC)
# The median item of the captured feeds holds some sixty words, in one or two HTML paragraphs.
_WORDS_AN_ITEM = 60
_REQUEST = re.compile(rb"GET /(\d+)[^\r\n]*\r\n")
_CONDITION = re.compile(rb"(?i)\r\nif-none-match: *([^\r\n]+)\r\n")


def document(feed: int, items: int) -> bytes:
    """RSS 2.0 with `items` items, always the same for a number."""
    random_ = random.Random(feed)
    entries = []
    for n in range(items):
        title = " ".join(random_.choices(_WORDS, k=9)).capitalize()
        words = random_.choices(_WORDS, k=_WORDS_AN_ITEM)
        half = len(words) // 2
        text = (
            f'<p>{" ".join(words[:half]).capitalize()}.</p><p><a href="/topic/{n}">'
            f'{words[half]}</a> {" ".join(words[half + 1 :])}. <img src="/img/{n}.jpg"/></p>'
        )
        date = format_datetime(_NEWEST - timedelta(minutes=37 * n + feed % 37))
        entries.append(
            f"<item><title>{title}</title><link>https://outlet{feed}.example/{n}</link>"
            f'<guid isPermaLink="false">{feed}-{n}</guid><pubDate>{date}</pubDate>'
            f"<category>News</category><description><![CDATA[{text}]]></description></item>"
        )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
        f"<title>Outlet {feed}</title><link>https://outlet{feed}.example/</link>"
        "<description>A feed to measure with</description><language>en</language>"
        f"{''.join(entries)}</channel></rss>"
    ).encode()


def _answers(feeds: int, items: int) -> list[tuple[bytes, bytes, bytes]]:
    """ETag, whole answer and 304 of each feed."""
    made = []
    for n in range(feeds):
        body, tag = document(n, items), f'"feed-{n}"'
        common = f"ETag: {tag}\r\nContent-Type: application/rss+xml; charset=utf-8\r\n"
        whole = f"HTTP/1.1 200 OK\r\n{common}Content-Length: {len(body)}\r\n\r\n".encode() + body
        not_modified = f"HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n".encode()
        made.append((tag.encode(), whole, not_modified))
    return made


class _Connection(asyncio.Protocol):
    """One request after the other; whoever measures sends no pipelines and no bodies."""

    def __init__(self, answers: list[tuple[bytes, bytes, bytes]]) -> None:
        self._answers, self._waiting = answers, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._waiting + data
        if not data.endswith(b"\r\n\r\n"):
            self._waiting = data
            return
        self._waiting = b""
        asked = _REQUEST.match(data)
        if asked is None or int(asked[1]) >= len(self._answers):
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        tag, whole, not_modified = self._answers[int(asked[1])]
        condition = _CONDITION.search(data)
        known = condition is not None and condition[1].strip() == tag
        self._transport.write(not_modified if known else whole)


async def serve(feeds: int, items: int, hosts: int) -> None:
    answers = _answers(feeds, items)
    loop = asyncio.get_running_loop()
    # Each address of 127.0.0.0/8 is a host of its own, so that nobody's courtesy to hosts counts.
    names = [f"127.1.{n // 200}.{n % 200 + 1}" for n in range(hosts)]
    port = 0
    for name in names:
        server = await loop.create_server(lambda: _Connection(answers), name, port, backlog=512)
        port = server.sockets[0].getsockname()[1]
    print(json.dumps([f"http://{name}:{port}" for name in names]), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve feeds on loopback.")
    parser.add_argument("--feeds", type=int, default=1000)
    parser.add_argument("--items", type=int, default=20)
    parser.add_argument("--hosts", type=int, default=100)
    given = parser.parse_args()
    asyncio.run(serve(given.feeds, given.items, given.hosts))


if __name__ == "__main__":
    main()
