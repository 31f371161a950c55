"""Whatever a server does, a poll ends in time with a value, and nothing is left open."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

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


# -- servers that break the protocol ---------------------------------------------------------------


async def hang_up(peer: Peer) -> None:
    peer.reset()


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


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
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


# -- servers that do not end -----------------------------------------------------------------------


def for_ever(head: bytes, *parts: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.asked()
        await peer.say(head)
        await peer.for_ever(parts)

    return script


OK = b"HTTP/1.1 200 OK\r\n"
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


def drip(data: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.asked()
        await peer.drip(data)

    return script


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


# -- odd, and right all the same -------------------------------------------------------------------

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


@pytest.mark.parametrize("name", ODD)
def test_odd_answers_are_read(name: str) -> None:
    found, _ = fetched(ODD[name])
    assert isinstance(found, Fetched), found
    assert found.body == FEED
    assert (found.etag, found.last_modified) == (None, None)
    found.content_type.encode()  # nothing that a database could not hold


@pytest.mark.parametrize("name", ["gzip", "gzip twice", "gzip in parts", "deflate"])
def test_coded_answers_may_come_a_byte_at_a_time(name: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.asked()
        for byte in ODD[name]:
            await peer.say(bytes([byte]))
            await asyncio.sleep(0)

    found, _ = fetched(script)
    assert isinstance(found, Fetched)
    assert found.body == FEED


def test_an_empty_answer_is_an_empty_body() -> None:
    for coding in ("identity", "gzip", "deflate"):
        found, _ = fetched(answer(f"Content-Encoding: {coding}"))
        assert isinstance(found, Fetched)
        assert found.body == b""


@pytest.mark.parametrize(
    "status", [204, 205, 206, 226, 300, 304, 305, 306, 400, 404, 410, 418, 429, 500, 503, 599, 799]
)
def test_other_statuses_are_errors_that_name_them(status: int) -> None:
    body = b"" if status in (204, 304) else FEED
    found, _ = fetched(answer("Location: /x", body=body, status=f"{status} \x1b[31mRed\udcff"))
    assert isinstance(found, FetchError)
    assert (found.kind, found.status) == ("status", status)
    assert found.sentence.isprintable()


def test_a_body_of_exactly_the_limit_is_read() -> None:
    for packed in (False, True):
        body = b"x" * LIMIT
        coding = "Content-Encoding: gzip" if packed else "X: y"
        found, _ = fetched(answer(coding, body=gzip.compress(body) if packed else body))
        assert isinstance(found, Fetched)
        assert len(found.body) == LIMIT
        body += b"x"
        found, _ = fetched(answer(coding, body=gzip.compress(body) if packed else body))
        assert isinstance(found, FetchError)
        assert (found.kind, "max_bytes" in found.sentence) == ("too-large", True)


# -- connections that live on ----------------------------------------------------------------------


def test_a_connection_closed_while_idle_is_replaced_unseen() -> None:
    async def once(peer: Peer) -> None:
        await peer.asked()
        await peer.say(answer(body=FEED))
        await peer.reader.readuntil(b"\r\n\r\n")  # the second request gets no answer

    found, server = fetched(once, times=2)
    assert isinstance(found, Fetched)
    assert server.connections == 2


def test_what_was_said_between_two_requests_is_no_answer() -> None:
    async def main() -> None:
        spoken = asyncio.Event()

        async def chatty(peer: Peer) -> None:
            await peer.asked()
            await peer.say(answer(body=b"first"))
            if server.connections == 1:
                await asyncio.sleep(0.05)
                await peer.say(answer(body=b"not asked for"))
                spoken.set()
            await peer.hang()

        async with Server(chatty) as server, Fetcher(SETTINGS) as fetcher:
            await fetcher.fetch(server.url("/a"))
            await spoken.wait()
            await asyncio.sleep(0.05)
            found = await fetcher.fetch(server.url("/b"))
            assert isinstance(found, Fetched)
            assert found.body == b"first"

    asyncio.run(main())


def test_an_answer_before_the_request_is_a_value() -> None:
    async def hasty(peer: Peer) -> None:
        await peer.say(answer(body=FEED))
        await peer.hang()

    # Over a network nobody can tell which of the two went out first.
    found, _ = fetched(hasty)
    assert isinstance(found, Fetched | FetchError)


def test_a_connection_is_used_again() -> None:
    async def polite(peer: Peer) -> None:
        while True:
            await peer.asked()
            await peer.say(answer(body=FEED))

    found, server = fetched(polite, times=5)
    assert isinstance(found, Fetched)
    assert (server.connections, len(server.requests)) == (1, 5)


def test_the_limit_is_for_one_answer_not_for_a_connection() -> None:
    async def large(peer: Peer) -> None:
        while True:
            await peer.asked()
            await peer.say(answer(body=b"x" * LIMIT))

    found, server = fetched(large, times=5)
    assert isinstance(found, Fetched)
    assert server.connections == 1


# -- redirects -------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("/b", b"/b"), ("../c", b"/c"), ("?q=1", b"/a/b?q=1"), ("d e", b"/a/d%20e"),
        ("/é", b"/%C3%A9"), ("/\udce9", b"/%E9"), ("/a%2Fb%zz", b"/a%2Fb%zz"),
        ("  /b  ", b"/b"), ("/b\t?x=\ty", b"/b?x=y"), ("/b#frag", b"/b"), ("./", b"/a/"),
        ("/<script>\"'`{}|\\^", b"/%3Cscript%3E%22'%60%7B%7D%7C%5C%5E"), ("/x?u=http://y/", b"/x?u=http://y/"),
    ],
)  # fmt: skip
def test_a_redirect_is_asked_in_legal_characters(location: str, asked: bytes) -> None:
    found, server = fetched(going(location), path="/a/b")
    assert isinstance(found, Fetched), found
    assert server.requests[1].split(b" ")[1] == asked
    assert found.final_url.endswith(asked.decode())


@pytest.mark.parametrize(
    "location",
    [
        "javascript:alert(1)", "file:///etc/passwd", "data:text/xml,<rss/>", "gopher://h/1",
        "ftp://127.0.0.1/", "unix:/run/x", "mailto:a@b", "https://", "http://[::1",
        "http://a b/", "http://127.0.0.1:99999/", "http://127.0.0.1:0/", "http://\udcff\udcfe/",
        "http://" + "a" * 300 + "/", "/" + "x" * 5000, "http://.../", "http://-/",
    ],
)  # fmt: skip
def test_a_redirect_to_nowhere_is_an_error(location: str) -> None:
    found, server = fetched(going(location))
    assert isinstance(found, FetchError)
    assert found.sentence.isprintable()
    assert len(server.requests) == 1


def test_where_a_feed_has_moved_can_be_stored() -> None:
    found, _ = fetched(going("/é\udce9 x#y", status="301 Moved"))
    assert isinstance(found, Fetched)
    assert found.moved_to == found.final_url
    assert found.moved_to.endswith("/%C3%A9%E9%20x")


def test_a_line_end_in_a_redirect_starts_no_header() -> None:
    for trick in ("/b%0d%0aX-Evil: 1", "/b\rX-Evil: 1", "/b\u560a\u560dX-Evil: 1"):
        found, server = fetched(going(trick))
        assert isinstance(found, Fetched | FetchError)
        assert all(b"\nX-Evil" not in request for request in server.requests)


@pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "307 T", "308 P"])
def test_redirects_without_end_are_ended(status: str) -> None:
    found, server = fetched(going(*("/a" for _ in range(99)), status=status))
    assert isinstance(found, FetchError)
    assert found.kind == "redirect"
    assert len(server.requests) == SETTINGS.max_redirects + 1
    assert not any(b"cookie" in request.lower() for request in server.requests)
    assert server.connections == 1


def test_redirects_that_grow_are_ended() -> None:
    longer = ("/" + "x" * 1500 * n for n in count(1))

    async def script(peer: Peer) -> None:
        while True:
            await peer.asked()
            await peer.say(answer(f"Location: {next(longer)}", status="302 Found"))

    found, server = fetched(script)
    assert isinstance(found, FetchError)
    assert len(server.requests) == 3


# -- the given descriptions ------------------------------------------------------------------------


def _redirecting(to: str, then: bytes = answer(body=FEED), status: str = "302 Found") -> Script:
    async def script(peer: Peer) -> None:
        while True:
            path = (await peer.asked()).split()[1].decode()
            await peer.say(then if path == to else answer(f"Location: {to}", status=status))

    return script


# The name of each description, the behaviour that it describes, and how a poll of it ends.
DESCRIBED: dict[str, tuple[Script | bytes, str]] = {
    "redirect-loop": (going(*("/a", "/b") * 50), "redirect"),
    "redirect-to-file": (going("file:///etc/passwd"), "redirect"),
    "redirect-to-metadata": (going("http://169.254.169.254/"), "address"),
    "redirect-no-location": (answer(status="302 Found"), "redirect"),
    "redirect-relative": (going("../ok"), "fetched"),
    "301-moves": (_redirecting("/new", status="301 Moved Permanently"), "moved"),
    "304-first": (answer(status="304 Not Modified"), "status"),
    "410": (answer(status="410 Gone"), "status"),
    "404": (answer(status="404 Not Found"), "status"),
    "503": (answer("Content-Type: text/html", body=b"<p>Busy", status="503 Busy"), "status"),
    "slow-drip": (drip(OK + b"\r\n" + FEED), "timeout"),
    "chunk-garbage": (CHUNKED + b"zz\r\n<rss>\r\n", "connection"),
    "double-gzip": (ODD["gzip twice"], "fetched"),
    "etag-1mb": (ODD["long ETag"], "fetched"),
    "content-type-none": (ODD["no Content-Type"], "fetched"),
    "set-cookie": (ODD["500 cookies"], "fetched"),
    "close-at-once": (hang_up, "connection"),
    "http09": (FEED, "connection"),
}
# Shown elsewhere: tests/ingest/test_addresses.py and test_trust.py.
ELSEWHERE = {"dns-rebinding", "tls-expired"}


def _ended(found: Outcome) -> str:
    if isinstance(found, FetchError):
        return found.kind
    return "moved" if found.moved_to else "fetched"


@pytest.mark.parametrize("name", DESCRIBED)
def test_described_servers(name: str) -> None:
    script, end = DESCRIBED[name]
    found, _ = fetched(script, SHORT if end == "timeout" else SETTINGS)
    assert _ended(found) == end


def test_every_given_description_is_played(shared_data: Path) -> None:
    folder = shared_data / "feeds" / "hostile"
    given = {json.loads(path.read_text())["path"] for path in folder.glob("http-*.http.json")}
    assert given == {f"/http-{name}" for name in {*DESCRIBED, *ELSEWHERE}}


def _coded(folder: Path) -> Iterator[tuple[str, bytes]]:
    for row in (folder / "INDEX.tsv").read_text().splitlines()[1:]:
        name, content_type, coding, *_ = row.split("\t")
        if coding:
            headers = f"Content-Type: {content_type}", f"Content-Encoding: {coding}"
            yield name, answer(*headers, body=(folder / name).read_bytes())


def test_given_coded_documents_end_as_their_index_says(shared_data: Path) -> None:
    ends = {
        name: _ended(fetched(script, SETTINGS.model_copy(update={"max_bytes": 8 << 20}))[0])
        for name, script in _coded(shared_data / "feeds" / "hostile")
    }
    assert ends == {
        "gz-ok.xml.gz": "fetched",
        "gz-bomb-400mb.xml.gz": "too-large",
        "gz-bomb-nested.gz": "fetched",  # one layer undone: still gzip, which no parser takes
        "gz-bomb-multi-encoding.gz": "fetched",
        "gz-many-members.gz": "fetched",
        "gz-truncated.gz": "encoding",
        "gz-bad-crc.gz": "encoding",
        "gz-header-plain.gz": "fetched",
        "deflate-garbage.bin": "encoding",
        "br-garbage.bin": "encoding",
    }
