"""Feeds in rare dialects (Atom 0.3, CDF, base64, home-made ones): read by feedparser.

It knows them all; what it takes quadratic time for, `ingest.documents.markup` has removed before.
"""

from __future__ import annotations

import io
from typing import Any

import feedparser

from ingest.documents.entries import Entry, Feed, Link
from ingest.documents.markup import Tidied

_DATES = ("published", "created", "updated")


def read(tidied: Tidied, base: str, max_items: int) -> Feed:
    """What feedparser finds in a document that was made tidy."""
    headers = {"content-type": "application/xml; charset=utf-8"}
    if "xml:base" in tidied.text:  # else feedparser would take guids for relative links too
        headers["content-location"] = base
    parsed = feedparser.parse(
        io.BytesIO(tidied.text.encode("utf-8", errors="replace")),
        response_headers=headers,
        # Cleaning is ours: feedparser's takes 14 s for 80,000 comments in one description.
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    channel = _entry(parsed.feed)
    if language := parsed.feed.get("language"):
        channel.values["language"] = [str(language)]
    for theirs, ours in (
        ("ttl", "ttl"), ("sy_updateperiod", "update_period"),
        ("sy_updatefrequency", "update_frequency"),
    ):  # fmt: skip
        if value := parsed.feed.get(theirs):
            channel.values[ours] = [str(value)]
    entries = [_entry(e) for e in parsed.get("entries", [])[:max_items]]
    feed = Feed(str(parsed.get("version") or ""), channel, entries)
    feed.skip_hours, feed.skip_days = tidied.skip_hours, tidied.skip_days
    return feed


def _entry(found: Any) -> Entry:
    values: dict[str, list[str]] = {}

    def add(name: str, value: Any) -> None:
        if value:
            values.setdefault(name, []).append(str(value))

    add("title", found.get("title"))
    for content in found.get("content") or []:
        if isinstance(content, dict) and not str(content.get("type", "")).startswith(
            ("image/", "audio/", "video/")
        ):
            add("content", content.get("value"))
    add("summary", found.get("summary"))
    add("guid", found.get("id"))
    add("origin", found.get("feedburner_origlink"))
    for name in _DATES:
        # dict.get: feedparser's own answers "updated" with "published" when it is missing
        add(name, dict.get(found, name))
    for person in found.get("authors") or []:
        add("creator", person.get("name"))
    if "creator" not in values:
        add("author", found.get("author"))
    links = [
        Link(str(li["href"]), str(li.get("rel", "alternate")), _type(li))
        for li in found.get("links") or []
        if li.get("href")
    ]
    lang = (found.get("title_detail") or {}).get("language")
    return Entry(values, links, bool(found.get("guidislink", True)), lang)


def _type(link: Any) -> str:
    return str(link.get("type", "")).partition(";")[0].strip().lower()
