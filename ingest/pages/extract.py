"""A page's bytes to the article in it, or why there is none. Runs in a process of its own: pages
exist on which extractors run for ever. Does no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import trafilatura
from lxml import html as lxml_html
from lxml.html import HtmlElement

from ingest.articles import urls
from ingest.documents import clean, dates
from ingest.documents.decode import decode
from ingest.pages.notices import Facts, notice
from ingest.pages.page import Page, Unread

_HTML = re.compile(r"\s*(?:text/html|application/xhtml\+xml|text/plain|$)", re.IGNORECASE)
_META_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE
)
_CHARSET = re.compile(r"charset\s*=", re.IGNORECASE)
_HEAD_BYTES = 16_384  # where a page must say its encoding, with room for long heads
_MAX_JSON = 1_000_000  # letters of one JSON-LD block; it holds the article's text at most twice
_MAX_AUTHOR = 200
_MAX_AROUND = 200_000
_ARTICLE = re.compile(r"article|blogposting|report|webpage", re.IGNORECASE)
# Where a page speaks of other articles, which may be locked when this one is not.
_BESIDE = {"nav", "footer", "aside", "li", "script", "style", "noscript", "template", "svg", "head"}
_LONG_LINK = 60  # letters: a longer link is another article's teaser, a shorter one may be a button


def read(body: bytes, content_type: str, url: str, asked: str, about: str) -> Page | Unread:
    """The article of the page at `url`, found by asking for `asked`, that a feed announced with
    the words `about`."""
    if not _HTML.match(content_type.partition(";")[0]):
        return Unread(kind="not-html", clause="is no web page")
    if not _CHARSET.search(content_type) and (meta := _META_CHARSET.search(body, 0, _HEAD_BYTES)):
        content_type = f"text/html; charset={meta[1].decode('ascii', errors='replace')}"
    markup, _ = decode(body, content_type)
    if "<" not in markup:
        return Unread(kind="not-html", clause="is no web page")
    try:
        tree = lxml_html.document_fromstring(markup)
    except (ValueError, lxml_html.etree.ParserError):
        return Unread(kind="empty", clause="holds no article that can be told from the rest")
    said = list(_statements(tree))
    title = _title(tree)
    text = _text(markup, url, title)
    facts = Facts(
        asked=asked, url=url, about=about, title=title, text=text, around=_around(tree),
        markup=markup[:_MAX_AROUND].lower(), free=_free(tree, said), locked_part=_locked_part(said),
    )  # fmt: skip
    if refusal := notice(facts):
        return refusal
    return Page(
        text=text,
        url=url,
        title=title,
        published=_published(tree, said),
        author=_author(tree, said),
        lang=tree.get("lang") or None,
        canonical=_canonical(tree, url),
    )


def _text(markup: str, url: str, title: str) -> str:
    found = trafilatura.bare_extraction(markup, url=url, include_comments=False)
    if found is None:
        return ""
    text = clean.html_to_text(str(getattr(found, "text", "") or ""))
    first, _, rest = text.partition("\n")
    return rest.lstrip() if title and " ".join(first.split()) in title else text


def _title(tree: HtmlElement) -> str:
    found = _meta(tree, "og:title") or tree.findtext(".//h1") or tree.findtext(".//title")
    return clean.line(found or "")


def _around(tree: HtmlElement) -> str:
    """The words that the page shows beside lists, menus and other articles' teasers."""
    pieces: list[str] = []
    stack: list[tuple[HtmlElement, bool]] = [(tree, False)]  # no recursion: pages nest deeply
    while stack:
        node, after = stack.pop()
        if after:
            pieces.append(node.tail or "")
            continue
        stack.append((node, True))
        if not isinstance(node.tag, str) or node.tag in _BESIDE:
            continue
        if node.tag == "a" and len(node.text_content()) > _LONG_LINK:
            continue
        pieces.append(node.text or "")
        stack += [(child, False) for child in reversed(node)]
    return " ".join(" ".join(pieces).split())[:_MAX_AROUND]


def _meta(tree: HtmlElement, name: str) -> str | None:
    for node in tree.iter("meta"):
        if (node.get("property") or node.get("name") or node.get("itemprop")) == name:
            return node.get("content") or None
    return None


def _canonical(tree: HtmlElement, url: str) -> str | None:
    for node in tree.iter("link"):
        if "canonical" in (node.get("rel") or "").lower().split():
            return urls.canonical(node.get("href"), url)
    return None


# -- what the page says of itself (schema.org) -----------------------------------------------------


def _statements(tree: HtmlElement) -> Iterator[dict[str, Any]]:
    """The JSON-LD objects about an article, however they are wrapped."""
    for node in tree.iter("script"):
        if (node.get("type") or "").strip().lower() != "application/ld+json":
            continue
        raw = (node.text or "").strip()
        if len(raw) > _MAX_JSON:
            continue
        try:
            waiting: list[Any] = [json.loads(raw, strict=False)]
        except (ValueError, RecursionError):
            continue
        while waiting:
            value = waiting.pop()
            if isinstance(value, list):
                waiting += value
            elif isinstance(value, dict):
                waiting += [value[k] for k in ("@graph", "mainEntity") if k in value]
                if _ARTICLE.search(str(value.get("@type", ""))):
                    yield value


def _no(value: object) -> bool:
    return value is False or str(value).strip().lower() in ("false", "http://schema.org/false")


def _free(tree: HtmlElement, said: list[dict[str, Any]]) -> bool | None:
    told = [s["isAccessibleForFree"] for s in said if "isAccessibleForFree" in s]
    told += [v for v in (_meta(tree, "isAccessibleForFree"),) if v]
    tier = _meta(tree, "article:content_tier")
    if tier == "locked" or any(_no(value) for value in told):
        return False
    return True if told or tier else None


def _locked_part(said: list[dict[str, Any]]) -> bool:
    for statement in said:
        parts = statement.get("hasPart") or []
        for part in parts if isinstance(parts, list) else [parts]:
            if isinstance(part, dict) and _no(part.get("isAccessibleForFree")):
                return True
    return False


def _published(tree: HtmlElement, said: list[dict[str, Any]]) -> datetime | None:
    """Only what is written for machines: a date guessed from a page's words is often another's."""
    claims = [s.get("datePublished") for s in said]
    claims += [_meta(tree, name) for name in ("article:published_time", "datePublished")]
    return next((d for c in claims if isinstance(c, str) and (d := dates.read(c))), None)


def _author(tree: HtmlElement, said: list[dict[str, Any]]) -> str | None:
    for statement in said:
        authors = statement.get("author") or []
        names = [
            str(a.get("name") or "") if isinstance(a, dict) else str(a)
            for a in (authors if isinstance(authors, list) else [authors])
        ]
        if joined := clean.line(", ".join(n for n in names if n)):
            return joined[:_MAX_AUTHOR]
    named = clean.line(_meta(tree, "author") or "")
    return named[:_MAX_AUTHOR] if named and "://" not in named else None
