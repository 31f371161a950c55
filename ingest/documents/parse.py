"""One feed document to items. Runs in a worker process: hostile input can cost a minute or all
memory (see `ingest.documents.workers`). Does no I/O.

RSS, RDF and Atom are read by `xmlfeed`; what is not well-formed is made so before (`markup`), and
rare dialects are read by feedparser (`oddfeed`). A test holds both readers to the same items.
"""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import urljoin

from ingest.articles import urls
from ingest.documents import clean, dates, hints, jsonfeed, markup, oddfeed, sitemap, xmlfeed
from ingest.documents.decode import decode, legal_document, mended
from ingest.documents.entries import Entry, Link
from ingest.documents.items import Document, Item, Refusal

_ROOT = re.compile(r"<(?:\w{1,20}:)?(?:rss|rdf|feed|channel)[\s>]", re.IGNORECASE)
# Behind comments and instructions, the first element tells what a document is.
_FIRST = re.compile(r"<(?:\w{1,20}:)?([A-Za-z][\w\-]{0,30})")
_PROLOG = re.compile(r"\s+|<!--|<\?|<!(?=[A-Za-z])")
_LINE_BREAK = re.compile(r"\s*[\r\n]\s*")
_HEAD = 100_000  # letters in which a root element must begin
# "a@b.example (A. Writer)", the form that RSS asks for
_EMAIL_AND_NAME = re.compile(r"\S+@\S+\s*\(([^()]+)\)")

_NO_FEED = "expected RSS, Atom or JSON Feed, got something else"
_REFUSED = {
    "html": (
        "page",
        "a web page came where a feed was expected; check the address, or whether the publisher "
        "blocks this machine",
    ),
    "opml": (
        "not-a-feed",
        "expected a feed, got OPML, a list of feeds; read it with `dateline feeds import`",
    ),
    "sitemapindex": (
        "not-a-feed",
        "expected a feed, got a sitemap index; add the news sitemap that it names",
    ),
}


def parse(body: bytes, content_type: str, base: str, max_items: int) -> Document | Refusal:
    """The items of `body`, which was served as `content_type` from the URL `base`."""
    text, encoding = decode(body, content_type)
    if not text:
        return Refusal(kind="empty", sentence="expected a feed, got an empty answer")
    if text[0] in "{[":
        return jsonfeed.parse(text, base, encoding, max_items)
    start, name = _first_element(text)
    if name == "urlset":
        return sitemap.parse(text[start:], base, encoding, max_items)
    if name in _REFUSED:
        kind, sentence = _REFUSED[name]
        return Refusal(kind=kind, sentence=sentence)
    if not _ROOT.search(text, 0, _HEAD) and name != "entry":
        return Refusal(kind="not-a-feed", sentence=_NO_FEED)
    return _feed(text[start:], base, encoding, max_items)


def _first_element(text: str) -> tuple[int, str]:
    """Where the root begins, and its local name in lower case; (0, "") when junk stands first."""
    at = 0
    while match := _PROLOG.match(text, at):
        at = match.end()
        if match.group().isspace():
            continue
        end = text.find("-->" if match.group() == "<!--" else ">", at)
        if match.group() == "<!":
            if text[at : at + 12].lower() == "doctype html":
                return match.start(), "html"
            bracket = text.find("[", at, end)
            end = text.find(">", text.find("]", bracket)) if bracket >= 0 else end
        if end < 0:
            return 0, ""
        at = end + (3 if match.group() == "<!--" else 1)
    first = _FIRST.match(text, at)
    return (at, first[1].lower()) if first else (0, "")


def _feed(text: str, base: str, encoding: str, max_items: int) -> Document | Refusal:
    left_out: dict[str, int] = {}
    try:
        feed = xmlfeed.read(legal_document(text), max_items)
        if feed.skipped:
            left_out[markup.over(max_items)] = feed.skipped
    except xmlfeed.Odd:
        try:
            tidied = markup.tidy(text, max_items)
        except markup.TooManyTags as error:
            return Refusal(kind="broken", sentence=f"the document is not read: {error}")
        left_out = tidied.left_out
        try:
            feed = xmlfeed.read(tidied.text, max_items)
        except xmlfeed.Odd:
            feed = oddfeed.read(tidied, base, max_items)
    channel = feed.channel
    if not feed.entries and not feed.version and not channel.values:
        return Refusal(
            kind="not-a-feed",
            sentence="expected a feed, got XML that holds none; check the address",
        )
    if not feed.entries and left_out:
        return Refusal(
            kind="broken", sentence="the document has items but is too broken for any to be read"
        )
    language = channel.first("language") or channel.lang
    return Document(
        kind=feed.version or "unknown",
        encoding=encoding,
        title=clean.line(mended(channel.first("title"))),
        link=_link(channel, base, None),
        hints=hints.read(feed),
        items=[_safely(n, e, base, language) for n, e in enumerate(feed.entries)],
        left_out=left_out,
    )


def _safely(position: int, entry: Entry, base: str, language: str | None) -> Item:
    """One item's error is that item's, never its neighbours'."""
    try:
        return _item(position, entry, base, language)
    except Exception as error:
        return Item(position=position, error=f"{type(error).__name__}: {error}"[:200])


def _item(position: int, entry: Entry, base: str, language: str | None) -> Item:
    guid = clean.plain(entry.last("guid") or entry.last("about") or entry.last("other_guid"))
    return Item(
        position=position,
        title=clean.line(mended(entry.last("title") or entry.first("other_title"))),
        text=_text(entry),
        url=_link(entry, base, guid),
        guid=guid or None,
        published=_published(entry),
        author=_author(entry),
        lang=entry.lang or language or None,
    )


def _text(entry: Entry) -> str:
    """The fullest of what the item brings."""
    bodies = {*entry.values.get("content", ()), *entry.values.get("summary", ())}
    if not bodies:
        bodies = set(entry.values.get("media", ())[:1])
    return max((clean.html_to_text(mended(b)) for b in sorted(bodies)), key=len, default="")


def _published(entry: Entry) -> datetime | None:
    """In order of precedence: published (pubDate), created, updated (dc:date); the last one of
    several that can be read."""
    for name in ("published", "created", "updated"):
        for raw in reversed(entry.values.get(name, ())):
            if found := dates.read(raw):
                return found
    return None


def _author(entry: Entry) -> str | None:
    names = []
    for raw in entry.values.get("creator") or entry.values.get("author") or ():
        if len(raw) > 10 * clean.MAX_NAME:
            continue
        name = clean.line(raw)
        match = _EMAIL_AND_NAME.fullmatch(name)
        names.append(match[1].strip() if match else name)
    return ", ".join(dict.fromkeys(n for n in names if n))[: clean.MAX_NAME] or None


def _link(entry: Entry, base: str, guid: str | None) -> str | None:
    """The item's own address: the original that publishers who count clicks name, its own link,
    the first alternate (a page rather than another format), a guid that is an address, and where
    its content lies when that is elsewhere."""
    candidates = [Link(v) for v in entry.values.get("origin", ())[:1]]
    candidates += [li for li in entry.links if li.rel == "own"]
    alternates = [li for li in entry.links if li.rel == "alternate"]
    alternates.sort(key=lambda li: li.type not in ("", "text/html", "application/xhtml+xml"))
    candidates += alternates
    if guid and entry.permalink and guid.lower().startswith(("http://", "https://", "/")):
        candidates.append(Link(guid))
    candidates += [li for li in entry.links if li.rel == "content"]
    itself = urls.canonical(base)  # an empty link, or only a fragment, resolves to the feed
    for link in candidates[:20]:
        found = urls.canonical(_typed(link.href), _base(base, link.base))
        if found and found.partition("#")[0] != itself:
            return found
    return None


def _typed(href: str) -> str:
    """As a person means it: without blanks around it or broken lines, and with a scheme."""
    href = _LINE_BREAK.sub("", href.strip()).replace("\t", "")
    if href[:4].lower() == "www.":
        href = f"https://{href}"
    return href.replace(" ", "%20") if " " in href else href


def _base(base: str, chain: str | None) -> str:
    for step in chain.split("\n") if chain else ():
        try:
            joined = urljoin(base, step.strip())
        except ValueError:
            continue
        if joined.startswith(("http://", "https://")):
            base = joined
    return base
