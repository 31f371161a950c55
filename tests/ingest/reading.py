"""A document that is read, and what it holds."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

from ingest.documents.items import Document, Item, Refusal
from ingest.documents.parse import parse

N = "https://news.example"
BASE = "https://feeds.example/news/feed.xml"
NOON = datetime(2021, 9, 20, 10, 0, tzinfo=UTC)
# Nothing a document holds may cost more; the machine that runs this may be busy, so it is ten
# times what the worst of them takes.
BOUND_S = 20.0


def read(body: bytes | str, content_type: str = "", max_items: int = 2000) -> Document | Refusal:
    data = body.encode() if isinstance(body, str) else body
    began = time.process_time()
    found = parse(data, content_type, BASE, max_items)
    assert time.process_time() - began < BOUND_S
    return found


def items(found: Document | Refusal) -> list[Item]:
    assert isinstance(found, Document), found
    return found.items


def titles(found: Document | Refusal) -> list[str]:
    return [i.title for i in items(found)]


def links(found: Document | Refusal) -> list[str | None]:
    return [i.url for i in items(found)]


def dates(found: Document | Refusal) -> list[datetime | None]:
    return [i.published for i in items(found)]


def one(inner: str, *, head: str = "", tail: str = "") -> str:
    return (
        f'<rss version="2.0"><channel><title>T</title>{head}<item><title>Kept</title>{inner}</item>'
        f"{tail}</channel></rss>"
    )


def refused(kind: str) -> Callable[[Document | Refusal], bool]:
    return lambda f: isinstance(f, Refusal) and f.kind == kind and bool(f.sentence)


def clean_everywhere(found: Document | Refusal) -> None:
    """What must hold of every item, whatever the document."""
    if isinstance(found, Refusal):
        assert found.sentence
        return
    for entry in found.items:
        for value in (entry.title, entry.text, entry.guid or "", entry.author or ""):
            value.encode()  # can be stored
            assert not re.search("[\x00-\x08\x1b\u202e\ud800-\udfff]", value)
        for value in (entry.title, entry.text, entry.author or ""):
            assert not re.search(r"<(?:script|img|iframe|svg|object|style)\b", value, re.IGNORECASE)
        assert entry.url is None or re.match(r"https?://[^\s<>\"]+$", entry.url), entry.url
