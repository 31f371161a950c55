"""What a check finds: every item of a document with the fate that a poll would give it.

The fates are decided by the same functions as in a poll, as if nothing were known yet.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct, structs

from ingest.articles import fates, normalise
from ingest.articles.fates import DEAD, DUPLICATE, FATES, REVISED, Candidate, Tally
from ingest.documents import language
from ingest.documents.items import Document, Item, Refusal


class CheckedItem(Struct, kw_only=True):
    """One item as it would be ingested; what it does not have is None or ""."""

    position: int  # in the document, from 0
    fate: str  # stored | duplicate | filtered | dead
    reason: str = ""
    title: str | None = None
    url: str | None = None
    guid: str | None = None
    published: datetime | None = None
    published_from: str | None = None
    author: str | None = None
    lang: str | None = None
    outlet: str | None = None
    text: str | None = None
    article_id: str | None = None


class LeftOut(Struct):
    """Items that were not even read, such as those over the cap."""

    fate: str
    reason: str
    count: int


class Checked(Struct, kw_only=True):
    """What was found at a target; `counts` add up: seen = stored + duplicate + filtered + dead."""

    target: str
    url: str | None = None  # the address that answered, after redirects; None for a file
    kind: str | None = None
    encoding: str | None = None
    title: str | None = None
    link: str | None = None
    language: str | None = None  # what the feed claims
    hints: dict[str, Any] | None = None
    ended: bool = False  # it says that nothing more will come
    refusal: Refusal | None = None
    items: list[CheckedItem] = []
    left_out: list[LeftOut] = []
    counts: dict[str, int] = msgspec.field(default_factory=lambda: counts([], []))

    def fill(self, document: Document, url: str) -> None:
        """Fill in what a document that came from `url` brings."""
        self.kind, self.encoding = document.kind, document.encoding
        self.title, self.link = document.title, document.link
        self.language = _claimed(document.items)
        self.hints, self.ended = structs.asdict(document.hints), document.ended
        self.items = _judged(document, url)
        self.left_out = [
            LeftOut(*what.partition(": ")[::2], count) for what, count in document.left_out.items()
        ]
        self.counts = counts(self.items, self.left_out)

    def as_dict(self) -> dict[str, Any]:
        """All of it in plain values, every key always there, times in ISO 8601."""
        found = structs.asdict(self)
        found["refusal"] = structs.asdict(self.refusal) if self.refusal else None
        found["left_out"] = [structs.asdict(x) for x in self.left_out]
        found["items"] = [
            structs.asdict(i) | {"published": i.published.isoformat() if i.published else None}
            for i in self.items
        ]
        return found


def _judged(document: Document, url: str) -> list[CheckedItem]:
    """Each item of a document that came from `url` with its fate, in the document's order."""
    found = [
        CheckedItem(position=i.position, fate=DEAD, reason=i.error)
        for i in document.items
        if i.error
    ]
    candidates = normalise.candidates(
        document, feed_url=url, outlet=None, fetched=datetime.now(UTC), tally=Tally.empty()
    )
    tally = Tally.empty()
    chosen = {id(c) for c in fates.best(candidates, tally)}
    twice = next(iter(tally.reasons), "").partition(": ")[2]
    known: dict[str, fates.Known] = {}
    for c in candidates:
        if id(c) in chosen:
            fate, reason = fates.decide(c, known, {}, url)
            if fate == fates.STORED and fates.finish(c, {}, url):
                reason = "text cut to fit a record"
        else:
            fate, reason = DUPLICATE, twice
        found.append(_item(c, fate, reason))
    return sorted(found, key=lambda i: i.position)


def _claimed(items: list[Item]) -> str | None:
    """The language that most items are said to be in."""
    claims = Counter(i.lang for i in items if i.lang)
    return claims.most_common(1)[0][0] if claims else None


def _item(c: Candidate, fate: str, reason: str) -> CheckedItem:
    a = c.article
    return CheckedItem(
        position=c.position,
        fate=fate,
        reason=reason,
        title=a.title,
        url=a.url,
        guid=a.ref,
        published=a.published,
        published_from=a.published_from,
        author=a.author,
        lang=a.lang or language.identify(a.title, a.text, c.lang_claim),
        outlet=a.outlet,
        text=a.text,
        article_id=a.id,
    )


def counts(items: list[CheckedItem], left_out: list[LeftOut]) -> dict[str, int]:
    fate = Counter(i.fate for i in items)
    for skipped in left_out:
        fate[skipped.fate] += skipped.count
    # Nothing is known before a check, so nothing can be a revision.
    return {"seen": fate.total(), **{name: fate[name] for name in FATES if name != REVISED}}
