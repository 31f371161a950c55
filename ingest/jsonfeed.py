"""JSON Feed 1.0 and 1.1. One bad item never loses the others."""

from __future__ import annotations

import json
from typing import Any

from ingest import clean, dates, urls
from ingest.items import Document, Item, Refusal

_VERSION = "https://jsonfeed.org/version/"


def parse(text: str, base: str, encoding: str, max_items: int) -> Document | Refusal:
    """`text` is a whole JSON document; `base` the address that relative links start from."""
    try:
        feed = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return Refusal(
            kind="not-a-feed", sentence=f"expected JSON Feed, got broken JSON ({error})"[:300]
        )
    if not isinstance(feed, dict) or not isinstance(feed.get("items"), list):
        return Refusal(
            kind="not-a-feed",
            sentence="expected JSON Feed, got JSON without a list of items; check the address",
        )
    version = str(feed.get("version", ""))
    entries = feed["items"]
    home = urls.canonical(_text(feed, "home_page_url"), base)
    left_out = {}
    if len(entries) > max_items:
        left_out[f"filtered: over {max_items:,} items in one document"] = len(entries) - max_items
    lang = _text(feed, "language")
    return Document(
        kind="json" + (version[len(_VERSION) :][:10] if version.startswith(_VERSION) else ""),
        encoding=encoding,
        title=clean.line(_text(feed, "title")),
        link=home,
        items=[_item(n, e, home or base, lang) for n, e in enumerate(entries[:max_items])],
        left_out=left_out,
    )


def _no_constant(name: str) -> None:
    """NaN and Infinity are no JSON and could not be written out again."""


def _item(position: int, entry: Any, base: str, lang: str) -> Item:
    if not isinstance(entry, dict):
        return Item(position=position, error=f"an item is a {type(entry).__name__}, not an object")
    bodies = [
        clean.html_to_text(_text(entry, "content_html")),
        clean.plain(_text(entry, "content_text")),
    ]
    summary = clean.html_to_text(_text(entry, "summary"))
    url = _text(entry, "url")
    guid = entry.get("id")
    return Item(
        position=position,
        title=clean.line(_text(entry, "title")),
        text=max([*bodies, summary], key=len),
        url=urls.canonical(url, base) if url else None,
        guid=clean.plain(str(guid)) or None if isinstance(guid, str | int) else None,
        published=dates.read(_text(entry, "date_published"))
        or dates.read(_text(entry, "date_modified")),
        author=_author(entry),
        lang=_text(entry, "language") or lang or None,
    )


def _author(entry: dict[str, Any]) -> str | None:
    people = (
        entry.get("authors") if isinstance(entry.get("authors"), list) else [entry.get("author")]
    )
    names = [clean.line(_text(p, "name")) for p in people or [] if isinstance(p, dict)]
    return ", ".join(n for n in names if n) or None


def _text(holder: dict[str, Any], name: str) -> str:
    value = holder.get(name)
    return value if isinstance(value, str) else ""
