"""Any file: feeds with addresses that can be polled, problems told, or one sentence why not."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ingest.subscriptions import opml
from stream.errors import UsageError
from tests.fuzz.fuzzer import fuzz

_FILE = Path(tempfile.mkdtemp(prefix="dateline-fuzz-")) / "feeds.opml"


def one(data: bytes) -> None:
    _FILE.write_bytes(data)
    try:
        listed = opml.read(_FILE)
    except UsageError:
        return
    for entry in listed.entries:
        assert entry.url.strip()
    for text in opml.document(()):
        text.encode()


if __name__ == "__main__":
    fuzz(one)
