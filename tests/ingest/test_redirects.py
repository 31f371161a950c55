"""Where a redirect leads, and where it ends."""

from __future__ import annotations

from itertools import count

import pytest

from ingest.fetch.fetcher import Fetched, FetchError
from tests.ingest.answers import SETTINGS, fetched, going
from tests.ingest.misbehaving import Peer, answer


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
