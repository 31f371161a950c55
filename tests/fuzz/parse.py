"""Any bytes, under any content type: items or one sentence why not, clean and complete."""

from __future__ import annotations

import re

import msgspec

from ingest.documents.items import Refusal
from ingest.documents.parse import parse
from tests.fuzz.fuzzer import fuzz

BASE = "https://feeds.example/news/feed.xml"
MAX_ITEMS = 20
_TYPES = ("", "text/xml; charset=koi8-r", "application/json", "text/html; charset=utf-16")
_DIRTY = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\ud800-\udfff]")
_MARKUP = re.compile(r"</?[a-zA-Z]|<!--")


def one(data: bytes) -> None:
    content_type = _TYPES[data[0] % len(_TYPES)] if data else ""
    found = parse(data[1:], content_type, BASE, MAX_ITEMS)
    msgspec.msgpack.encode(found)
    if isinstance(found, Refusal):
        assert found.sentence
        return
    assert len(found.items) <= MAX_ITEMS
    assert all(n > 0 for n in found.left_out.values())
    assert found.seen == len(found.items) + sum(found.left_out.values())
    for position, item in enumerate(found.items):
        assert item.position == position
        for text in (item.title, item.text, item.author or ""):
            assert not _DIRTY.search(text), repr(text)
            assert not _MARKUP.search(text), repr(text)
        assert "\n" not in item.title
        assert not _DIRTY.search(item.guid or "")
        assert item.url is None or item.url.startswith(("http://", "https://")), item.url
        assert item.published is None or item.published.tzinfo is not None
    hints = found.hints
    assert hints.ttl is None or hints.ttl >= 60
    assert len(hints.skip_hours) < 24
    assert len(hints.skip_days) < 7


if __name__ == "__main__":
    fuzz(one)
