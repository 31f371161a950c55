"""How far a feed has moved, and what goes with every hop."""

from __future__ import annotations

import asyncio

import pytest

from ingest.fetch import hops
from ingest.fetch.fetcher import Fetched, Fetcher, FetchError, NotModified
from tests.ingest.misbehaving import Peer, Server
from tests.ingest.misbehaving import answer as whole
from tests.ingest.world import LOOPBACK


def _hops(*statuses: int, end: bytes = b"") -> tuple[Fetched | NotModified | FetchError, str]:
    """/0 is redirected to /1 with the first status, and so on; the answer and the server's URL."""

    async def script(peer: Peer) -> None:
        while True:
            n = int((await peer.asked()).split()[1].strip(b"/"))
            if n < len(statuses):
                await peer.say(whole(f"Location: /{n + 1}#x", status=f"{statuses[n]} Elsewhere"))
            else:
                await peer.say(end or whole(body=b"body"))

    async def main() -> tuple[Fetched | NotModified | FetchError, str]:
        async with Server(script) as server, Fetcher(LOOPBACK) as fetcher:
            etag = '"v"' if end else None
            return await fetcher.fetch(server.url("/0"), etag=etag), server.url("")

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("statuses", "moved"),
    [
        ((), None), ((301,), "/1"), ((308,), "/1"), ((302,), None), ((303,), None), ((307,), None),
        ((301, 308), "/2"), ((301, 302), "/1"), ((302, 301), None), ((301, 307, 301), "/1"),
        ((301, 301, 301, 301, 301), "/5"),
    ],
)  # fmt: skip
def test_a_feed_has_moved_as_far_as_permanent_redirects_lead(
    statuses: tuple[int, ...], moved: str | None
) -> None:
    answer, base = _hops(*statuses)
    assert isinstance(answer, Fetched)
    assert answer.moved_to == (base + moved if moved else None)
    assert answer.final_url == f"{base}/{len(statuses)}"


def test_a_feed_that_has_moved_may_be_unchanged() -> None:
    answer, base = _hops(301, end=whole(status="304 Not Modified", length=False))
    assert answer == NotModified(moved_to=f"{base}/1")


def test_from_https_to_http_is_never_a_move() -> None:
    assert hops.downgrade("HTTPS://a.example/", "http://a.example/")
    assert not hops.downgrade("http://a.example/", "https://a.example/")
    assert not hops.downgrade("http://a.example/", "http://b.example/")


def test_validators_go_with_every_hop() -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.asked())
        to = f"Location: http://127.0.0.2:{server.port}/b"
        first = b"Host: 127.0.0.1" in peer.request
        await peer.say(
            whole(to, status="302 Found") if first else whole(status="304 X", length=False)
        )

    server = Server(script)

    async def main() -> None:
        async with server, Fetcher(LOOPBACK) as fetcher:
            answer = await fetcher.fetch(server.url("/a"), etag='"v"')
        assert answer == NotModified()

    asyncio.run(main())
    assert [b'If-None-Match: "v"' in request for request in seen] == [True, True]


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("http://h/a", "/b#x", "http://h/b"),
        ("http://me:pw@h/a", "/b", "http://me:pw@h/b"),
        ("http://me:pw@h/a", "http://h/b", "http://me:pw@h/b"),
        ("http://me:pw@h/a", "https://H/b", "https://me:pw@H/b"),
        ("https://me:pw@h/a", "http://h/b", "http://h/b"),
        ("http://me:pw@h/a", "http://other/b", "http://other/b"),
        ("http://me:pw@h/a", "http://h:81/b", "http://h:81/b"),
        ("http://h/a", "http://admin:admin@h/b", "http://h/b"),
        ("http://h/a", "http://admin:admin@inside/b", "http://inside/b"),
        ("http://me:pw@h/a", "http://admin:admin@h/b", "http://me:pw@h/b"),
        ("http://h/a", "//inside/b", "http://inside/b"),
    ],
)  # fmt: skip
def test_credentials_come_from_the_operator_and_stay_at_their_host(
    url: str, location: str, target: str
) -> None:
    assert hops.target(url, location) == target


def test_a_password_is_sent_but_in_no_outcome() -> None:
    async def script(peer: Peer) -> None:
        while True:
            path = (await peer.asked()).split()[1]
            if path == b"/a":
                await peer.say(whole("Location: /b", status="301 Moved"))
            else:
                await peer.say(whole(body=b"body"))

    async def main() -> None:
        async with Server(script) as server, Fetcher(LOOPBACK) as fetcher:
            secret = server.url("/a").replace("127", "me:s3cret@127")
            answer = await fetcher.fetch(secret)
            assert isinstance(answer, Fetched)
            assert all(b"Authorization: Basic bWU6czNjcmV0" in r for r in server.requests)
            assert answer.final_url == server.url("/b")
            assert answer.moved_to == secret.replace("/a", "/b")  # what will be asked from then on
            for broken in (secret.replace("http", "ftp"), secret.replace("127.", "12 7.")):
                failed = await fetcher.fetch(broken)
                assert isinstance(failed, FetchError)
                assert "s3cret" not in failed.sentence

    asyncio.run(main())
