"""The feeds of a site, found from one of its pages. Nothing is offered that was not really read.

In this order, and no further than where feeds are found: the address itself; what the page
declares; links on it that look like feeds, and where feeds usually are; the news sitemaps that
robots.txt names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from msgspec import Struct, structs

from ingest import feeds
from ingest.documents import language
from ingest.documents.decode import decode
from ingest.documents.items import Document, Item
from ingest.fetch.fetcher import Fetched, FetchError
from ingest.subscriptions import links
from ingest.subscriptions.links import Link
from ingest.subscriptions.probe import Probe

# Requests to find one site's feeds: pages that declare more feeds than this want a choice by
# hand, and a site without any is left alone soon.
_MAX_REQUESTS = 20
# Two documents that share this much of their items are one feed in two formats.
_SAME = 0.8
# Items enough to tell the language of a feed.
_SAMPLE = 20


class Found(Struct, kw_only=True):
    """A feed that was read."""

    url: str
    how: str  # itself, or a `Link.how`
    title: str
    kind: str
    items: int
    newest: datetime | None
    language: str | None
    aside: str | None = None  # why it is not offered as one of the site's feeds


class Tried(Struct, frozen=True):
    url: str
    sentence: str  # why it is no feed


class Discovery(Struct, kw_only=True):
    """What was found from `target`. `found` is in the site's own order, feeds with items first;
    `aside` are those that add nothing: another format, comments."""

    target: str
    found: list[Found] = []
    aside: list[Found] = []
    tried: list[Tried] = []
    unasked: list[str] = []  # beyond the bound on requests
    refusal: str | None = None  # why nothing was found, in a sentence

    def as_dict(self) -> dict[str, Any]:
        """Plain values, times in ISO 8601."""
        plain = structs.asdict(self)
        for name in ("found", "aside"):
            plain[name] = [
                structs.asdict(f) | {"newest": f.newest.isoformat() if f.newest else None}
                for f in getattr(self, name)
            ]
        return plain | {"tried": [structs.asdict(t) for t in self.tried]}


async def discover(target: str, probe: Probe) -> Discovery:
    """The feeds at `target`, an address of a feed or of a page. Raises UsageError when it is no
    address; whatever goes wrong on the way is in the result."""
    return await _Search(target, probe).run()


class _Search:
    def __init__(self, target: str, probe: Probe) -> None:
        self._target, self._probe = target.strip(), probe
        self._result = Discovery(target=self._target)
        self._asked: dict[str, bool] = {}  # by feed key: was it a feed?
        self._items: list[tuple[Found, set[str]]] = []

    async def run(self) -> Discovery:
        url = feeds.address(self._target)
        probed = await self._probe.ask(url)
        missing = probed.refusal is not None and probed.refusal.kind == "connection"
        if missing and "://" not in self._target:  # nobody said https
            url = url.replace("https://", "http://", 1)
            probed = await self._probe.ask(url)
        self._asked[feeds.key(url)] = probed.document is not None
        if probed.document is not None:
            self._result.found.append(_found(Link(url, "itself"), probed.document))
            return self._result
        assert probed.refusal is not None
        if probed.answer is None:
            self._result.refusal = probed.refusal.sentence
            return self._result
        await self._from_page(probed.answer)
        self._arrange()
        if not self._result.found and not self._result.aside:
            self._result.refusal = (
                f"it is no feed and none was found from it; {len(self._asked)} addresses were asked"
            )
        return self._result

    async def _from_page(self, answer: Fetched) -> None:
        base = answer.final_url
        page, _ = decode(answer.body, answer.content_type)
        if await self._any(links.declared(page, base, answer.links)):
            return
        if await self._any(links.anchors(page, base)):
            return
        for link in links.well_known(base):  # one is enough: the others are usually the same
            if await self._any([link]):
                return
        root = urljoin(base, "/robots.txt")
        if len(self._asked) < _MAX_REQUESTS:
            self._asked[feeds.key(root)] = False
            robots = await self._probe.fetch(root)
            if not isinstance(robots, FetchError):
                text = robots.body.decode("utf-8", errors="replace")
                await self._any(links.news_sitemaps(text, base))

    async def _any(self, candidates: Sequence[Link]) -> bool:
        """Ask each; True when one of them is a feed."""
        for link in candidates:
            if feeds.key(link.url) in self._asked:
                continue
            if len(self._asked) >= _MAX_REQUESTS:
                self._result.unasked.append(link.url)
                continue
            probed = await self._probe.ask(link.url)
            self._asked[feeds.key(link.url)] = probed.document is not None
            if probed.document is None:
                assert probed.refusal is not None
                self._result.tried.append(Tried(link.url, probed.refusal.sentence))
                continue
            assert probed.answer is not None
            # A permanent redirect is nothing to start with.
            found = _found(Link(probed.answer.moved_to or link.url, link.how), probed.document)
            self._items.append((found, _names(probed.document.items)))
        return any(self._asked.get(feeds.key(link.url)) for link in candidates)

    def _arrange(self) -> None:
        kept: list[tuple[Found, set[str]]] = []
        for found, names in self._items:
            twin = next((k for k, other in kept if _alike(names, other)), None)
            if twin is not None:
                found.aside = f"the same items as {twin.url}"
            elif "comment" in urlsplit(found.url).path.lower():
                found.aside = "readers' comments"
            if found.aside:
                self._result.aside.append(found)
            else:
                kept.append((found, names))
        if not kept:  # comments are all there is
            kept, self._result.aside = self._items, []
        self._result.found = sorted((f for f, _ in kept), key=lambda f: f.items == 0)


def _found(link: Link, document: Document) -> Found:
    dated = [i.published for i in document.items if i.published]
    return Found(
        url=link.url,
        how=link.how,
        title=document.title,
        kind=document.kind,
        items=len(document.items),
        newest=max(dated, default=None),
        language=_language(document.items),
    )


def _language(items: Iterable[Item]) -> str | None:
    told = [language.identify(i.title, i.text, i.lang) for i in list(items)[:_SAMPLE]]
    return next((name for name, _ in Counter(filter(None, told)).most_common(1)), None)


def _names(items: Iterable[Item]) -> set[str]:
    return {name for i in items if (name := i.url or i.guid or i.title)}


def _alike(one: set[str], other: set[str]) -> bool:
    return bool(one) and len(one & other) >= _SAME * len(one | other)
