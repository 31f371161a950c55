"""Answers that are odd, and right all the same."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from ingest.fetch.fetcher import Fetched, FetchError
from tests.ingest.answers import FEED, LIMIT, ODD, fetched
from tests.ingest.misbehaving import Peer, answer


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
