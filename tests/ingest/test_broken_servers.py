"""Servers that break the protocol: a fetch ends with a value, and nothing is left open."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest

from ingest.fetch.fetcher import FetchError
from tests.ingest.answers import CHUNKED, FEED, fetched, hang_up
from tests.ingest.misbehaving import Peer, Script, answer


async def hang_up_after_the_request(peer: Peer) -> None:
    await peer.asked()


async def reset_in_the_middle(peer: Peer) -> None:
    await peer.asked()
    await peer.say(answer("Content-Length: 5000", body=FEED, length=False))
    peer.reset()


async def reset_without_a_length(peer: Peer) -> None:
    await peer.asked()
    await peer.say(answer(body=FEED, length=False))
    await asyncio.sleep(0)
    peer.reset()


BROKEN: dict[str, Script | bytes] = {
    "hangs up": hang_up,
    "hangs up after the request": hang_up_after_the_request,
    "resets in the middle": reset_in_the_middle,
    "resets without a length": reset_without_a_length,
    "HTTP/0.9": FEED,
    "HTTP/0.9, long": FEED * 10_000,
    "empty line": b"\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.0\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(100),
    "HTTP/7.3": b"HTTP/7.3 200 OK\r\nContent-Length: 0\r\n\r\n",
    "status in words": b"HTTP/1.1 OK\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "negative status": b"HTTP/1.1 -20 OK\r\nContent-Length: 0\r\n\r\n",
    "status 000": b"HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n",
    "header without colon": b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    "header without name": b"HTTP/1.1 200 OK\r\n: nonsense\r\n\r\n",
    "NUL in a header": b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "headers without end": b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n",
    "too many headers": answer(*(f"X-{n}: {n}" for n in range(20_000)), body=FEED),
    "header too long": answer(f"X: {'x' * 1_000_000}", body=FEED),
    "header name too long": answer(f"{'x' * 1_000_000}: x", body=FEED),
    "reason too long": answer(status=f"200 {'x' * 1_000_000}", body=FEED),
    "101": b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nxxx",
    "length too long": answer(f"Content-Length: {len(FEED) + 9}", body=FEED, length=False),
    "length negative": answer("Content-Length: -5", body=FEED, length=False),
    "length in words": answer("Content-Length: many", body=FEED, length=False),
    "length beyond numbers": answer(f"Content-Length: {'9' * 40}", body=FEED, length=False),
    "length of a terabyte": answer("Content-Length: 1000000000000", body=FEED, length=False),
    "two lengths": answer("Content-Length: 4", body=FEED),
    "the same length twice": answer(f"Content-Length: {len(FEED)}", body=FEED),
    "length too short": answer("Content-Length: 5", body=FEED, length=False),
    "length and chunks": answer("Transfer-Encoding: chunked", body=b"5\r\n<rss>\r\n0\r\n\r\n"),
    "chunk size in words": CHUNKED + b"zz\r\n<rss>\r\n",
    "chunk size negative": CHUNKED + b"-5\r\n<rss>\r\n0\r\n\r\n",
    "chunk size beyond numbers": CHUNKED + b"f" * 40 + b"\r\n<rss>\r\n0\r\n\r\n",
    "chunk longer than said": CHUNKED + b"2\r\n<rss>\r\n0\r\n\r\n",
    "chunks cut short": CHUNKED + b"5\r\n<rss>\r\n",
    "chunks without end": CHUNKED + b"5\r\n<rss>\r\n0\r\n",
    "chunks, plain body": CHUNKED + FEED,
    "gzip cut short": answer("Content-Encoding: gzip", body=gzip.compress(FEED * 99)[:-30]),
    "gzip cut before its end mark": answer("Content-Encoding: gzip", body=gzip.compress(FEED)[:-1]),
    "gzip with a wrong checksum": answer(
        "Content-Encoding: gzip", body=gzip.compress(FEED)[:-8] + b"12345678"
    ),
    "gzip that is noise": answer("Content-Encoding: gzip", body=b"\x1f\x8b\x08" + bytes(range(99))),
    "deflate that is noise": answer("Content-Encoding: deflate", body=b"\xff\xfe" * 99),
    "deflate cut short": answer("Content-Encoding: deflate", body=zlib.compress(FEED)[:-9]),
    "brotli, never asked for": answer("Content-Encoding: br", body=b"\x8b\x02\x80<rss>\x03"),
    "zstd, never asked for": answer("Content-Encoding: zstd", body=b"\x28\xb5\x2f\xfd" + bytes(9)),
    "coded three times": answer("Content-Encoding: gzip, gzip, gzip", body=FEED),
    "coded three times, in three lines": answer(*["Content-Encoding: gzip"] * 3, body=FEED),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_answer_is_an_error_with_a_sentence(name: str) -> None:
    found, server = fetched(BROKEN[name])
    assert isinstance(found, FetchError), found
    assert found.sentence.isprintable()
    assert len(found.sentence) < 400
    assert server.connections == 1  # a new connection that fails is not tried again
