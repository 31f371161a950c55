"""What becomes of an item: stored, revised, duplicate, filtered or dead, and why.

Pure decisions on what is known; `ingest.intake` reads and writes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from ingest import clean, identity, language, urls
from stream import records
from stream.records import Article

# Below this share of common words an item that kept its guid but moved to another URL is another
# story. Measured on five captured days: 79 % of unrelated articles lie below, and 6 of 53 moved
# items, all of them headlines rewritten from scratch; splitting one costs less than merging two.
SAME_STORY = 0.1
# Room for ids and names around the text; a title beyond this is body text in the wrong field.
MAX_TITLE = 1_000
_MAX_REF = 500
STORED, REVISED, DUPLICATE, FILTERED, DEAD = "stored", "revised", "duplicate", "filtered", "dead"
FATES = (STORED, REVISED, DUPLICATE, FILTERED, DEAD)


class Candidate(Struct, kw_only=True):
    """An item on its way: the article it would be (its revision still empty)."""

    article: Article
    content: str  # content hash
    position: int
    item_key: str | None = None  # how its feed names it; None outside feeds
    lang_claim: str | None = None
    chain: list[str] | None = None  # revisions that an archive's rows of this id make, in order
    step: int = 0  # which of them this one is


class Tally(Struct):
    """Counts of fates and of the reasons for them, beside what was seen: counted where items are
    read, never here, so that an item which is lost on the way leaves a gap in the books."""

    fates: Counter[str]
    reasons: Counter[str]
    seen: int = 0

    @classmethod
    def empty(cls, seen: int = 0) -> Tally:
        return cls(Counter(), Counter(), seen)

    def add(self, fate: str, reason: str = "", count: int = 1) -> None:
        self.fates[fate] += count
        if reason:
            self.reasons[f"{fate}: {reason}"] += count

    def columns(self) -> dict[str, object]:
        counts = {fate: self.fates[fate] for fate in FATES}
        return {
            "seen": self.seen,
            **counts,
            "reasons": dict(sorted(self.reasons.items())),
        }


class Known(Struct):
    """What was last appended of an article."""

    revision: str
    content: str
    length: int
    source: str
    sketch: str
    outlet: str | None  # of the feed whose wording it is; None = not a feed's, or not configured


class Seen(Struct):
    article_id: str
    content: str


def candidate(
    article: Article, position: int, *, item_key: str | None = None, lang_claim: str | None = None
) -> Candidate:
    """`article` with its content hashed and its fields brought to a size that travels."""
    article.title = article.title[:MAX_TITLE]
    article.ref = article.ref[:_MAX_REF] if article.ref else None
    return Candidate(
        article=article,
        content=identity.content_hash(article.title, article.text),
        position=position,
        item_key=item_key,
        lang_claim=lang_claim,
    )


def keep_identity(c: Candidate, seen: dict[str, Seen], known: dict[str, Known]) -> None:
    """An item that moved to another URL under its guid stays the article it was, unless it has
    become another story."""
    before = seen.get(c.item_key or "")
    if before is None or before.article_id == c.article.id or before.article_id not in known:
        return
    now = identity.sketch(c.article.title, c.article.text)
    if identity.likeness(known[before.article_id].sketch, now) >= SAME_STORY:
        c.article.id = before.article_id


def best(candidates: Sequence[Candidate], tally: Tally) -> list[Candidate]:
    """One of each article: the one with the fullest text, the first of equals."""
    fullest: dict[str, Candidate] = {}
    for c in candidates:
        rival = fullest.get(c.article.id)
        if rival is None:
            fullest[c.article.id] = c
            continue
        tally.add(DUPLICATE, "the same article stands twice in this document")
        if len(c.article.text) > len(rival.article.text):
            fullest[c.article.id] = c
    return list(fullest.values())


def decide(
    c: Candidate, known: dict[str, Known], seen: dict[str, Seen], source: str
) -> tuple[str, str]:
    if not c.article.title and not c.article.text:
        return FILTERED, "no title and no text"
    before = known.get(c.article.id)
    if before is None:
        return STORED, ""
    if c.chain and before.revision in c.chain[c.step :]:
        return DUPLICATE, "unchanged"
    if before.content == c.content:
        return DUPLICATE, "unchanged"
    shown = seen.get(c.item_key or "")
    if shown and shown.article_id == c.article.id and shown.content == c.content:
        return DUPLICATE, "unchanged here; another feed's wording stands"
    if before.source == source:
        return REVISED, "edited"
    holder, home = before.outlet or urls.domain(c.article.url), urls.domain(c.article.url)
    if c.article.outlet not in (holder, home):
        return DUPLICATE, "another outlet's article"
    if c.article.outlet == home != holder:
        return REVISED, "the publisher's own wording"
    if len(c.article.text) > before.length:
        return REVISED, "a fuller text than the other feed's"
    return DUPLICATE, "no fuller text than the other feed's"


def finish(
    c: Candidate, known: dict[str, Known], source: str, outlet: str | None = None
) -> bool:
    """Complete the article, and know it from here on; True when its text had to be cut. `outlet`:
    of the feed `source`, when it has one."""
    article, before = c.article, known.get(c.article.id)
    article.revision = identity.revision(before.revision if before else None, c.content)
    if article.lang is None:
        article.lang = language.identify(article.title, article.text, c.lang_claim)
    length = len(article.text)
    was_cut = _fit(article)
    known[article.id] = Known(
        article.revision, c.content, length, source,
        identity.sketch(article.title, article.text), outlet,
    )  # fmt: skip
    return was_cut


def _fit(article: Article) -> bool:
    """Cut the text until the record is within its limit; True when it had to be cut."""
    was_cut = False
    while (size := len(msgspec.json.encode(article))) > records.MAX_ARTICLE_BYTES:
        had = len(article.text.encode())
        share = (records.MAX_ARTICLE_BYTES - 1024) / size  # JSON escapes make it an estimate
        article.text = clean.cut(article.text, int(had * share))
        was_cut = True
    return was_cut
