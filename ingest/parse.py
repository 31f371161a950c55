"""One feed document to items. Runs in a worker process: hostile input can cost a minute or all
memory (see `ingest.workers`). Does no I/O."""

from __future__ import annotations

import io
import re
from typing import Any

import feedparser

from ingest import clean, dates, jsonfeed, urls
from ingest.decode import decode, legal_references
from ingest.items import Document, Item, Refusal

_ITEM = re.compile(r"<(?:\w{1,20}:)?(item|entry)[\s>/]", re.IGNORECASE)
_ROOT = re.compile(r"<(?:\w{1,20}:)?(rss|rdf|feed|channel)[\s>]", re.IGNORECASE)
_PAGE = re.compile(r"<!doctype\s+html|<html[\s>]", re.IGNORECASE)
_ROOT_END = re.compile(r"</(?:\w{1,20}:)?(?:rss|rdf|feed|channel)\s*>", re.IGNORECASE)
_MAX_AUTHOR = 200  # letters; what is longer is no name


def parse(body: bytes, content_type: str, base: str, max_items: int) -> Document | Refusal:
    """The items of `body`, which was served as `content_type` from the URL `base`."""
    text, encoding = decode(body, content_type)
    if not text:
        return Refusal(kind="empty", sentence="expected a feed, got an empty answer")
    if text[0] in "{[":
        return jsonfeed.parse(text, base, encoding, max_items)
    root, page = _ROOT.search(text, 0, 100_000), _PAGE.search(text, 0, 100_000)
    if page and (root is None or page.start() < root.start()):
        return Refusal(
            kind="page",
            sentence="a web page came where a feed was expected; check the address, or whether the "
            "publisher blocks this machine",
        )
    if root is None:
        return Refusal(
            kind="not-a-feed", sentence="expected RSS, Atom or JSON Feed, got something else"
        )
    text, left_out = _bounded(legal_references(text), max_items)
    parsed = feedparser.parse(
        io.BytesIO(text.encode("utf-8", errors="replace")),
        response_headers={
            "content-type": "application/xml; charset=utf-8",
            "content-location": base,
        },
        # Cleaning is ours: feedparser's takes 14 s for 80,000 comments in one description.
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    if not parsed.entries and not parsed.version and not parsed.feed:
        return Refusal(
            kind="not-a-feed",
            sentence="expected a feed, got XML that holds none; check the address",
        )
    if not parsed.entries and _ITEM.search(text):
        return Refusal(
            kind="broken", sentence="the document has items but is too broken for any to be read"
        )
    claim = parsed.feed.get("language")
    return Document(
        kind=parsed.version or "unknown",
        encoding=encoding,
        title=clean.line(parsed.feed.get("title") or ""),
        link=urls.canonical(parsed.feed.get("link"), base),
        items=[_safely(n, e, base, claim) for n, e in enumerate(parsed.entries[:max_items])],
        left_out=left_out,
    )


def _bounded(text: str, max_items: int) -> tuple[str, dict[str, int]]:
    """The text without items beyond the cap, and without a last item that was cut off: half an
    item would be taken for an edit when the whole one comes."""
    left_out: dict[str, int] = {}
    starts = list(_ITEM.finditer(text))
    if len(starts) > max_items:
        left_out[f"filtered: over {max_items:,} items in one document"] = len(starts) - max_items
        return text[: starts[max_items].start()] + _ending(text), left_out
    if starts:
        last = starts[-1]
        name = re.escape(last[1])
        closed = re.compile(rf"</(?:\w{{1,20}}:)?{name}\s*>|<{name}[^<>]*/>", re.IGNORECASE)
        if not _ROOT_END.search(text, last.end()) and not closed.search(text, last.start()):
            left_out["dead: the document ends in the middle of this item"] = 1
            return text[: last.start()] + _ending(text), left_out
    return text, left_out


def _ending(text: str) -> str:
    """Closing tags for a document cut between items."""
    root = _ROOT.search(text)
    assert root is not None  # the caller found one
    name = root.group()[1:].rstrip(" \t\r\n>")
    inner = "</channel>" if root[1].lower() == "rss" else ""
    return f"{inner}</{name}>"


def _safely(position: int, entry: Any, base: str, claim: str | None) -> Item:
    """One item's error is that item's, never its neighbours'."""
    try:
        return _item(position, entry, base, claim)
    except Exception as error:
        return Item(position=position, error=f"{type(error).__name__}: {error}"[:200])


def _item(position: int, entry: Any, base: str, claim: str | None) -> Item:
    bodies = [str(c.get("value") or "") for c in entry.get("content") or []]
    bodies.append(str(entry.get("summary") or ""))
    author = clean.line(str(entry.get("author") or ""))
    guid = clean.plain(str(entry.get("id") or ""))
    detail = entry.get("title_detail") or {}
    return Item(
        position=position,
        title=clean.line(str(entry.get("title") or "")),
        text=max((clean.html_to_text(b) for b in bodies), key=len),
        url=_link(entry, base),
        guid=guid or None,
        published=_published(entry),
        author=author[:_MAX_AUTHOR] or None,
        lang=detail.get("language") or claim,
    )


def _published(entry: Any) -> Any:
    """In order of precedence: published (pubDate), created, updated (dc:date)."""
    # dict.get, because feedparser's own answers "updated" with "published" when it is missing
    readings = (dates.read(dict.get(entry, name)) for name in ("published", "created", "updated"))
    return next((r for r in readings if r), None)


def _link(entry: Any, base: str) -> str | None:
    """The article's own address. feedparser's `entry.link` is the last link that came, which may
    be a related story; the first alternate is the item's own. Publishers who count clicks name
    the original in feedburner:origLink."""
    candidates = [entry.get("feedburner_origlink")]
    links = [li for li in entry.get("links") or [] if li.get("href")]
    alternates = [li["href"] for li in links if li.get("rel", "alternate") == "alternate"]
    guid = str(entry.get("id") or "")
    candidates += alternates[:1]
    if guid.startswith(("http://", "https://")) and entry.get("guidislink"):
        candidates.append(guid)
    itself = urls.canonical(base)  # an empty link, or only a fragment, resolves to the feed
    found = (urls.canonical(str(c), base) for c in candidates if c)
    return next((u for u in found if u and u != itself), None)
