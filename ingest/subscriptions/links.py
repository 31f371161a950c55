"""Which addresses a web page may mean as feeds. Pure; reads hostile pages in linear time."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import urldefrag, urljoin, urlsplit

from msgspec import Struct

from ingest.articles import urls

# Heads of pages end far before this; feeds in the footer of a larger page are found elsewhere.
_MAX_PAGE = 1_000_000
# Possessive and bounded, so that no page makes it look twice at the same letters for long.
_TAG = re.compile(
    r"<(link|base|a)(?=[\s/])((?:[^<>\"']++|\"[^\"]{0,2000}+\"|'[^']{0,2000}+'){0,100}+)>",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(
    r"([a-zA-Z-]{1,30}+)\s{0,10}+=\s{0,10}+(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]++))"
)
# What is inside these is not on the page.
_HIDDEN = re.compile(r"<(!--|script\b|style\b|template\b)", re.IGNORECASE)
_HIDDEN_END = {"!--": "-->", "script": "</script", "style": "</style", "template": "</template"}
# application/json is what JSON Feed 1.0 asked for; WordPress puts its API under it too, which
# costs a request to find out.
_FEED_TYPES = {
    "application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/feed+json",
    "application/json", "application/xml", "text/xml",
}  # fmt: skip
_LOOKS_LIKE = re.compile(
    r"(?:^|[/._?=&-])(?:rss|atom|feeds?|rdf)(?:\d?(?:\.0)?)(?:[/._?=&-]|$)", re.IGNORECASE
)
_NO_FEED = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|ico|css|js|mp[34]|pdf|zip)$", re.IGNORECASE)
_LINK_HEADER = re.compile(r"<([^<>]{1,2000})>((?:\s*;\s*[^,;\"]{1,100}(?:\"[^\"]{0,500}\")?)*)")
WELL_KNOWN = ("/feed", "/rss", "/feed.xml", "/atom.xml", "/rss.xml", "/index.xml", "/feed.json")
_SITEMAP = re.compile(r"^\s*sitemap\s*:\s*(\S{1,2000})", re.IGNORECASE | re.MULTILINE)


class Link(Struct, frozen=True):
    url: str
    how: str  # link | header | anchor | well-known | robots


def declared(page: str, base: str, header: str = "") -> list[Link]:
    """What the page (served from `base`, with this Link header) itself calls its feeds."""
    start, found = base, list[Link]()
    for name, given in _tags(page):
        href = given.get("href", "")
        if name == "base" and start is base and href:
            start = _absolute(href, base) or base
        elif name == "link" and _is_feed(given.get("rel", ""), given.get("type", "")):
            found += _link(href, start, "link")
    for match in _LINK_HEADER.finditer(header[:_MAX_PAGE]):
        given = {k.lower(): (a or b or c) for k, a, b, c in _ATTRIBUTE.findall(match[2])}
        if _is_feed(given.get("rel", ""), given.get("type", "")):
            found += _link(match[1], base, "header")
    return _once(found)


def anchors(page: str, base: str) -> list[Link]:
    """Links on the page, within its site, whose address looks like a feed's."""
    start, found = base, list[Link]()
    for name, given in _tags(page):
        href = given.get("href", "")
        if name == "base" and start is base and href:
            start = _absolute(href, base) or base
        elif name == "a" and href:
            for link in _link(href, start, "anchor"):
                parts = urlsplit(link.url)
                looks = _LOOKS_LIKE.search(f"{parts.path}?{parts.query}")
                at_home = urls.domain(link.url) == urls.domain(base)
                if looks and at_home and not _NO_FEED.search(parts.path):
                    found.append(link)
    return _once(found)


def well_known(base: str) -> list[Link]:
    """Where feeds usually are: beside the page, then at the site's root."""
    folder = urlsplit(base).path.rstrip("/")
    beside = [f"{folder}/feed"] if folder and "." not in folder.rpartition("/")[2] else []
    return _once([Link(urljoin(base, path), "well-known") for path in (*beside, *WELL_KNOWN)])


def news_sitemaps(robots: str, base: str) -> list[Link]:
    """The sitemaps in a robots.txt that are for news, by their name."""
    named = (match[1] for match in _SITEMAP.finditer(robots[:_MAX_PAGE]))
    return _once([link for n in named if "news" in n.lower() for link in _link(n, base, "robots")])


def _is_feed(rel: str, kind: str) -> bool:
    relations = rel.lower().split()
    kind = kind.lower().partition(";")[0].strip()
    return ("alternate" in relations and kind in _FEED_TYPES) or "feed" in relations


def _tags(page: str) -> Iterator[tuple[str, dict[str, str]]]:
    for match in _TAG.finditer(_shown(page[:_MAX_PAGE])):
        given: dict[str, str] = {}
        for name, quoted, single, bare in _ATTRIBUTE.findall(match[2]):
            given.setdefault(name.lower(), html.unescape(quoted or single or bare))
        yield match[1].lower(), given


def _shown(page: str) -> str:
    """The page without comments and scripts."""
    kept, at, lower = [], 0, page.lower()
    while match := _HIDDEN.search(page, at):
        kept.append(page[at : match.start()])
        ending = _HIDDEN_END[match[1].lower()]
        end = lower.find(ending, match.end())
        if end < 0:  # never closed: the rest is hidden, as a browser sees it
            return "".join(kept)
        at = end + len(ending)
    return "".join([*kept, page[at:]])


def _absolute(href: str, base: str) -> str | None:
    href = re.sub(r"^feed:(?://)?(?=https?:)", "", "".join(href.split()), flags=re.IGNORECASE)
    try:
        url = urldefrag(urljoin(base, href)).url
    except ValueError:
        return None
    fits = len(url) <= urls.MAX_LENGTH and url.isprintable()
    return url if fits and urls.canonical(url) else None


def _link(href: str, base: str, how: str) -> list[Link]:
    url = _absolute(href, base) if href.strip() else None
    return [Link(url, how)] if url else []


def _once(found: list[Link]) -> list[Link]:
    return list({link.url: link for link in reversed(found)}.values())[::-1]
