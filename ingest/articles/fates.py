"""What becomes of an item: stored, revised, duplicate, filtered or dead, and why.

Pure decisions on what is known; `ingest.books.intake` reads and writes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from ingest.articles import identity, urls
from ingest.documents import clean, language
from stream import records
from stream.records import Article

# Below this share of common words a text says something else. Measured on five captured days
# (docs/ingest.md): of 359 edits under one address 6 lie below, of unrelated pairs 79 %. Alone it
# proves nothing, since headlines are rewritten from scratch: the item must also claim to be
# published long after the article was last appended, or have another guid than it had in this
# feed, under an address without the publisher's number. Both such items told another story.
SAME_STORY = 0.1
REUSED_AFTER = timedelta(hours=12)
# An item that kept its guid but moved to another address is the same article from here on: 99.5 %
# of unrelated pairs lie below. Below it, only an address that carries the guid's number will do,
# as that of all 56 items did which really moved.
MOVED_STORY = 0.25
# A wording may return once, as corrections are taken back. What returns again is flipping between
# two caches: each flip would be a revision for ever.
_RETURNS = 1
_WORDING, _WORDINGS = 8, 16  # hex digits of a content hash kept, and of how many
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
    note: str = ""  # why it is new although its guid or address is not
    page: str = ""  # what became of asking its page, when it was asked
    sketch: str | None = None  # of its feed's own words, when the article has its page's
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
    appended: datetime | None = None
    wordings: str = ""  # the beginnings of the contents that stood, oldest first


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
    """An item that moved to another address under its guid stays the article it was, unless it has
    become another story; and one that became another story under its address is another article."""
    shown = seen.get(c.item_key or "")
    if shown is not None and shown.article_id != c.article.id and shown.article_id in known:
        if (
            shown.content == c.content
            or urls.carries(c.article.url, c.article.ref)
            or identity.likeness(known[shown.article_id].sketch, _sketch(c)) >= MOVED_STORY
        ):
            c.article.id = shown.article_id
            return
        c.note = "another story under a guid that had named one before"
    if (other := reused_as(c, seen, known)) is not None:
        c.article.id = other
        c.note = "another story under an address that had named one before"


def reused_as(c: Candidate, seen: dict[str, Seen], known: dict[str, Known]) -> str | None:
    """The id of the article that `c` is when its address was reused for it; None: it was not."""
    before, published = known.get(c.article.id), c.article.published
    if c.item_key is None or before is None or before.content == c.content:
        return None
    dated = (
        published is not None
        and before.appended is not None
        # a date that cannot be true proves nothing
        and before.appended + REUSED_AFTER <= published <= c.article.fetched
    )
    renamed = c.article.ref and c.item_key not in seen and before.source == c.article.feed
    if (
        not (dated or renamed)
        or urls.numbered(c.article.url, c.article.ref)
        or identity.likeness(before.sketch, _sketch(c)) >= SAME_STORY
    ):
        return None
    # Not by its guid, which may be new with every poll.
    return identity.again(c.article.id, published.isoformat() if published else c.content)


def _sketch(c: Candidate) -> str:
    return c.sketch or identity.sketch(c.article.title, c.article.text)


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
        return STORED, c.note
    if c.chain and before.revision in c.chain[c.step :]:
        return DUPLICATE, "unchanged"
    shown = seen.get(c.item_key or "")
    if before.content == c.content:
        elsewhere = c.item_key is not None and shown is None and before.source != source
        return DUPLICATE, "known from another feed" if elsewhere else "unchanged"
    if shown and shown.article_id == c.article.id and shown.content == c.content:
        if before.source == source:
            return DUPLICATE, "unchanged since another text of this feed was kept"
        return DUPLICATE, "unchanged here; another feed's wording stands"
    times = 0
    if c.item_key is not None:
        if before.length and not c.article.text:
            return DUPLICATE, "its text is missing in this answer; the known one stands"
        own = c.sketch is None  # not its page's
        if own and identity.cut_off(c.article.text, _sketch(c), before.length, before.sketch):
            return DUPLICATE, "its text breaks off in this answer; the whole one stands"
        times = _stood(before).count(c.content[:_WORDING])
        if times > _RETURNS:
            return DUPLICATE, "a wording that comes and goes; the last one stands"
    if before.source == source:
        return REVISED, "an earlier wording returned" if times else "edited"
    holder, home = before.outlet or urls.domain(c.article.url), urls.domain(c.article.url)
    if c.article.outlet not in (holder, home):
        return DUPLICATE, "another outlet's article"
    if c.article.outlet == home != holder:
        return REVISED, "the publisher's own wording"
    if len(c.article.text) > before.length:
        return REVISED, "a fuller text than the other feed's"
    return DUPLICATE, "no fuller text than the other feed's"


def finish(c: Candidate, known: dict[str, Known], source: str, outlet: str | None = None) -> bool:
    """Complete the article, and know it from here on; True when its text had to be cut. `outlet`:
    of the feed `source`, when it has one."""
    article, before = c.article, known.get(c.article.id)
    article.revision = identity.revision(before.revision if before else None, c.content)
    if article.lang is None:
        article.lang = language.identify(article.title, article.text, c.lang_claim)
    length = len(article.text)
    was_cut = _fit(article)
    wordings = [*(_stood(before) if before else ()), c.content[:_WORDING]][-_WORDINGS:]
    known[article.id] = Known(
        article.revision, c.content, length, source,
        _sketch(c), outlet,
        article.fetched, "".join(wordings),
    )  # fmt: skip
    return was_cut


def _stood(known: Known) -> list[str]:
    digits = known.wordings
    return [digits[i : i + _WORDING] for i in range(0, len(digits), _WORDING)]


def _fit(article: Article) -> bool:
    """Cut the text until the record is within its limit; True when it had to be cut."""
    was_cut = False
    while (size := len(msgspec.json.encode(article))) > records.MAX_ARTICLE_BYTES:
        had = len(article.text.encode())
        share = (records.MAX_ARTICLE_BYTES - 1024) / size  # JSON escapes make it an estimate
        article.text = clean.cut(article.text, int(had * share))
        was_cut = True
    return was_cut
