"""JSON Feed 1.0 and 1.1. One bad item never loses the others."""

from __future__ import annotations

import json
import re
from typing import Any

from ingest.articles import urls
from ingest.documents import clean, dates
from ingest.documents.items import Document, Item, Refusal
from ingest.documents.markup import CUT_OFF, over

_VERSION = "https://jsonfeed.org/version/"
_ITEMS = re.compile(r'"items"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")


def _no_constant(name: str) -> None:
    """NaN and Infinity are no JSON and could not be written out again."""


class _Number(str):
    """A number as it was written: an id is a name, and 5,000 digits are none that Python reads."""


_KINDS = {type(None): "null", str: "string", _Number: "number", list: "list"}
_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_int=_Number, parse_float=_Number)


def parse(text: str, base: str, encoding: str, max_items: int) -> Document | Refusal:
    """`text` is a whole JSON document; `base` the address that relative links start from."""
    left_out: dict[str, int] = {}
    try:
        feed: Any = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        try:
            feed, left_out = _salvaged(text)
        except (ValueError, RecursionError):
            return Refusal(
                kind="not-a-feed", sentence=f"expected JSON Feed, got broken JSON ({error})"[:300]
            )
    if not isinstance(feed, dict) or not isinstance(feed.get("items"), list):
        return Refusal(
            kind="not-a-feed",
            sentence="expected JSON Feed, got JSON without a list of items; check the address",
        )
    version = _text(feed, "version")
    entries = feed["items"]
    if len(entries) > max_items:
        left_out[over(max_items)] = len(entries) - max_items
    home = urls.canonical(_text(feed, "home_page_url"), base)
    lang = _text(feed, "language")
    return Document(
        kind="json" + (version[len(_VERSION) :][:10] if version.startswith(_VERSION) else ""),
        encoding=encoding,
        title=clean.line(_text(feed, "title")),
        link=home,
        items=[_safely(n, e, home or base, lang) for n, e in enumerate(entries[:max_items])],
        left_out=left_out,
        ended=feed.get("expired") is True,
    )


def _salvaged(text: str) -> tuple[dict[str, Any], dict[str, int]]:
    """The whole items of a document that was cut off or has a stray comma. Raises ValueError when
    it has no list of items."""
    begins = _ITEMS.search(text)
    if begins is None:
        raise ValueError("no items")
    feed = _DECODER.decode(text[: begins.end()] + "]}")
    at = begins.end()
    left_out: dict[str, int] = {}
    while True:
        between = _BETWEEN.match(text, at)
        at = between.end() if between else at
        if text[at : at + 1] in ("]", ""):
            return feed, left_out
        try:
            item, at = _DECODER.raw_decode(text, at)
        except ValueError:
            left_out[CUT_OFF] = 1
            return feed, left_out
        feed["items"].append(item)


def _safely(position: int, entry: Any, base: str, lang: str) -> Item:
    """One item's error is that item's, never its neighbours'."""
    if not isinstance(entry, dict):
        kind = _KINDS.get(type(entry), "truth value")
        return Item(position=position, error=f"an item is a {kind}, not an object")
    try:
        return _item(position, entry, base, lang)
    except Exception as error:
        return Item(position=position, error=f"{type(error).__name__}: {error}"[:200])


def _item(position: int, entry: dict[str, Any], base: str, lang: str) -> Item:
    bodies = (_text(entry, name) for name in ("content_html", "content_text", "summary"))
    guid = clean.plain(_written(entry, "id"))
    links = [_text(entry, "url"), _text(entry, "external_url")]
    if guid.startswith(("http://", "https://")):  # most ids are the item's address
        links.insert(1, guid)
    return Item(
        position=position,
        title=clean.line(_text(entry, "title")),
        text=max((clean.html_to_text(b) for b in bodies), key=len),
        url=next((u for li in links if li.strip() and (u := urls.canonical(li, base))), None),
        guid=guid or None,
        published=dates.read(_written(entry, "date_published"))
        or dates.read(_written(entry, "date_modified")),
        author=_author(entry),
        lang=_text(entry, "language") or lang or None,
    )


def _author(entry: dict[str, Any]) -> str | None:
    people = entry.get("authors")
    if not isinstance(people, list):
        people = [entry.get("author")]
    names = [clean.line(_text(p, "name")) for p in people[:20] if isinstance(p, dict)]
    return ", ".join(n for n in names if n)[: clean.MAX_NAME] or None


def _text(holder: dict[str, Any], name: str) -> str:
    """A string; "" for everything else."""
    value = holder.get(name)
    return value if isinstance(value, str) and not isinstance(value, _Number) else ""


def _written(holder: dict[str, Any], name: str) -> str:
    """A string, or a number as it was written; "" for everything else."""
    value = holder.get(name)
    return str(value) if isinstance(value, str) else ""
