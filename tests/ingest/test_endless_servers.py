"""Servers that do not end: a fetch does, in time."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from ingest.fetch.fetcher import Fetched, FetchError
from tests.ingest.answers import CHUNKED, FEED, LIMIT, OK, SETTINGS, SHORT, drip, fetched
from tests.ingest.misbehaving import Peer, Script, answer


def for_ever(head: bytes, *parts: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.asked()
        await peer.say(head)
        await peer.for_ever(parts)

    return script


FLOODS: dict[str, Script] = {
    "headers": for_ever(OK, b"X: y\r\n" * 1000),
    "one header": for_ever(OK + b"X: ", b"x" * 10_000),
    "folded header": for_ever(OK + b"X: y\r\n", b" y\r\n" * 1000),
    "reason": for_ever(b"HTTP/1.1 200 ", b"x" * 10_000),
    "interim answers": for_ever(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100),
    "body": for_ever(OK + b"\r\n", b"<item/>" * 1000),
    "body longer than its length": for_ever(OK + b"Content-Length: 5\r\n\r\n", b"<item/>" * 1000),
    "chunks": for_ever(CHUNKED, b"5\r\n<rss>\r\n" * 1000),
    "chunk extension": for_ever(CHUNKED + b"5;x=", b"x" * 10_000),
    "chunks of one byte": for_ever(CHUNKED, (b"1;" + b"x" * 500 + b"\r\n \r\n") * 10),
    "trailers": for_ever(CHUNKED + b"5\r\n<rss>\r\n0\r\n", b"X: y\r\n" * 1000),
    "chunk size of zeros": for_ever(CHUNKED, b"0" * 10_000),
    "empty lines": for_ever(b"", b"\r\n" * 5000),
    "redirect's body": for_ever(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", b"<item/>" * 1000),
    "error's body": for_ever(b"HTTP/1.1 500 Oops\r\n\r\n", b"<item/>" * 1000),
    "many answers": for_ever(b"", answer(body=FEED) * 100),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_dammed_long_before_the_deadline(name: str) -> None:
    found, server = fetched(FLOODS[name])
    if name == "many answers":
        assert isinstance(found, Fetched)  # the first of them was right; the rest is never read
    else:
        assert isinstance(found, FetchError)
        assert found.kind != "timeout"
    # What the limit lets through, for each hop, and what lies in the sockets' buffers.
    assert server.sent < (SETTINGS.max_redirects + 1) * 2 * LIMIT + 16_000_000


@pytest.mark.parametrize(
    ("name", "said"), [("chunks of one byte", "max_wire_bytes"), ("interim answers", "of headers")]
)
def test_all_that_comes_over_the_wire_counts(name: str, said: str) -> None:
    found, _ = fetched(FLOODS[name])
    assert isinstance(found, FetchError)
    assert (found.kind, said in found.sentence) == ("too-large", True)


async def never_answer(peer: Peer) -> None:
    await peer.asked()
    await peer.hang()


async def interim_then_nothing(peer: Peer) -> None:
    await peer.asked()
    await peer.say(b"HTTP/1.1 100 Continue\r\n\r\n")
    await peer.hang()


async def slow_redirects(peer: Peer) -> None:
    while True:
        await peer.asked()
        await asyncio.sleep(0.06)
        await peer.say(answer("Location: /x" + peer.request.split()[1].decode(), status="302 X"))


SLOW: dict[str, Script] = {
    "never answers": never_answer,
    "an interim answer, then nothing": interim_then_nothing,
    "status line by the byte": drip(OK * 1000),
    "headers by the byte": drip(OK + b"X: y\r\n" * 1000),
    "body by the byte": drip(OK + b"\r\n" + FEED * 10),
    "chunks by the byte": drip(CHUNKED + b"1\r\nx\r\n" * 1000),
    "gzip by the byte": drip(OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(FEED)),
    "redirects": slow_redirects,
}


@pytest.mark.parametrize("name", SLOW)
def test_the_deadline_is_for_everything_together(name: str) -> None:
    found, _ = fetched(SLOW[name], SHORT)
    assert isinstance(found, FetchError)
    assert found.kind == "timeout"
