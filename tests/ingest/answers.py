"""What servers say: feeds, codings, redirects, and what is no answer; and fetches of it."""

from __future__ import annotations

import asyncio
import gzip
import zlib

from ingest.fetch.fetcher import Fetched, Fetcher, FetchError, NotModified
from ingest.settings import IngestSettings
from tests.ingest.misbehaving import Peer, Script, Server, answer

FEED = b"<rss><channel><title>A feed</title></channel></rss>"
Outcome = Fetched | NotModified | FetchError
LIMIT = 1_000_000
SETTINGS = IngestSettings(
    allow_networks=["127.0.0.0/8"], deadline=10, max_bytes=LIMIT, max_wire_bytes=2 * LIMIT
)
# For servers that would never end: the deadline is what ends them.
SHORT = SETTINGS.model_copy(update={"deadline": 0.25})


def fetched(
    script: Script | bytes, settings: IngestSettings = SETTINGS, *, path: str = "/", times: int = 1
) -> tuple[Outcome, Server]:
    """The last of so many fetches, one after the other; every connection has been closed."""

    async def main() -> tuple[Outcome, Server]:
        async with Server(script) as server:
            async with Fetcher(settings) as fetcher:
                for _ in range(times):
                    found = await fetcher.fetch(server.url(path))
            async with asyncio.timeout(5):
                await server.left()
            return found, server

    return asyncio.run(main())


async def hang_up(peer: Peer) -> None:
    peer.reset()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


def drip(data: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.asked()
        await peer.drip(data)

    return script


PACKED = gzip.compress(FEED)
RAW = zlib.compressobj(wbits=-15)
ODD: dict[str, bytes] = {
    "no Content-Type": answer(body=FEED),
    "no length": answer(body=FEED, length=False),
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\n" + FEED,
    "no reason": b"HTTP/1.1 200\r\n\r\n" + FEED,
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Type: text/xml\n\n" + FEED,
    "an interim answer before": b"HTTP/1.1 100 Continue\r\n\r\n" + answer(body=FEED),
    "changed by a proxy": answer(body=FEED, status="203 Non-Authoritative"),
    "long ETag": answer(f'ETag: "{"e" * 60_000}"', "Last-Modified: yesterday", body=FEED),
    "500 cookies": answer(*(f"Set-Cookie: c{n}={n}; Path=/" for n in range(500)), body=FEED),
    "bytes that are no text": answer("X: \udcff\udcfe", "Content-Type: a\udcff/b", body=FEED),
    "gzip": answer("Content-Encoding: gzip", body=PACKED),
    "GZIP": answer("Content-Encoding: GZip", body=PACKED),
    "x-gzip": answer("Content-Encoding: x-gzip", body=PACKED),
    "gzip, not said": answer("Content-Type: application/x-gzip", body=PACKED),
    "gzip, said, is plain": answer("Content-Encoding: gzip", body=FEED),
    "gzip twice": answer("Content-Encoding: gzip, gzip", body=gzip.compress(PACKED)),
    "gzip twice in two lines": answer(*["Content-Encoding: gzip"] * 2, body=gzip.compress(PACKED)),
    "gzip twice, said, is once": answer("Content-Encoding: gzip, gzip", body=PACKED),
    "gzip within deflate": answer("Content-Encoding: gzip, deflate", body=zlib.compress(PACKED)),
    "gzip in parts": answer(
        "Content-Encoding: gzip", body=b"".join(gzip.compress(bytes([b])) for b in FEED)
    ),
    "gzip with padding": answer("Content-Encoding: gzip", body=PACKED + bytes(100)),
    "gzip with one byte after it": answer("Content-Encoding: gzip", body=PACKED + b"\n"),
    "deflate": answer("Content-Encoding: deflate", body=zlib.compress(FEED)),
    "deflate, unwrapped": answer(
        "Content-Encoding: deflate", body=RAW.compress(FEED) + RAW.flush()
    ),
    "identity": answer("Content-Encoding: identity", body=FEED),
    "a coding that is none": answer("Content-Encoding: UTF-8", body=FEED),
}


def going(*locations: str, status: str = "302 Found") -> Script:
    """Sends from /0 to the first, from there to the next, and the last brings the feed."""
    turns = iter(locations)

    async def script(peer: Peer) -> None:
        while True:
            await peer.asked()
            to = next(turns, None)
            if to is None:
                await peer.say(answer(body=FEED))
            else:
                await peer.say(answer(f"Location: {to}", "Set-Cookie: seen=1", status=status))

    return script
