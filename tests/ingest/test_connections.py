"""Connections that live on from one fetch to the next."""

from __future__ import annotations

import asyncio

from ingest.fetch.fetcher import Fetched, Fetcher, FetchError
from tests.ingest.answers import FEED, LIMIT, SETTINGS, fetched
from tests.ingest.misbehaving import Peer, Server, answer


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
