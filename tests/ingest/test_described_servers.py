"""The servers and coded documents that were given as descriptions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.fetch.fetcher import FetchError
from tests.ingest.answers import (
    CHUNKED,
    FEED,
    ODD,
    OK,
    SETTINGS,
    SHORT,
    Outcome,
    drip,
    fetched,
    going,
    hang_up,
)
from tests.ingest.misbehaving import Peer, Script, answer


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
