"""From what was read to what is on the log: decides every item's fate and appends the new ones.

The order of effects is the promise: append, flush, and only then save what is known. A crash in
between makes the next poll append the same ids and revisions again, which later stages recognise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from ingest import clean, identity, language, urls
from store.engine import reading, translated
from store.tables import feed_items, feeds, identities
from stream import records
from stream.log.contract import Log, Producer
from stream.records import Article

# Below this share of common words an item that kept its guid but moved to another URL is another
# story: in the captured feeds edits keep over a third, reused guids under a tenth.
SAME_STORY = 0.15
# Room for ids and names around the text; a title beyond this is body text in the wrong field.
MAX_TITLE = 1_000
_MAX_REF = 500
# Keys in one query; SQLite takes 32,766, PostgreSQL 65,535.
_KEYS = 5_000

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
    """Counts of fates and of the reasons for them."""

    fates: Counter[str]
    reasons: Counter[str]

    @classmethod
    def empty(cls) -> Tally:
        return cls(Counter(), Counter())

    def add(self, fate: str, reason: str = "", count: int = 1) -> None:
        self.fates[fate] += count
        if reason:
            self.reasons[f"{fate}: {reason}"] += count

    def columns(self) -> dict[str, object]:
        counts = {fate: self.fates[fate] for fate in FATES}
        return {
            "seen": sum(counts.values()),
            **counts,
            "reasons": dict(sorted(self.reasons.items())),
        }


class _Known(Struct):
    """What was last appended of an article."""

    revision: str
    content: str
    length: int
    source: str
    sketch: str
    outlet: str | None  # of the feed whose wording it is; None = not a feed's, or not configured


class _Seen(Struct):
    article_id: str
    content: str


Save = Callable[[sa.Connection, Tally, bool], None]


class Intake:
    """Belongs to one thread (its producer does). `source` names whose wording an article has."""

    def __init__(self, engine: sa.Engine, log: Log) -> None:
        self._engine, self._log = engine, log
        self._producer: Producer | None = None

    def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close()

    def take(
        self,
        candidates: Sequence[Candidate],
        *,
        source: str,
        at: datetime,
        tally: Tally,
        save: Save,
        feed_id: int | None = None,
        in_order: bool = False,
    ) -> list[Article]:
        """Give each candidate its fate in `tally`, append the new ones oldest first (`in_order`:
        as they come) and save. `save(connection, tally, missed)` runs in the saving transaction;
        `missed` says that a feed showed nothing it had shown before. Returns what was appended.
        Raises Unavailable when the log or the database is away: then nothing was saved."""
        seen = self._seen(feed_id, candidates) if feed_id is not None else {}
        known = self._identities(
            [c.article.id for c in candidates] + [s.article_id for s in seen.values()]
        )
        for candidate in candidates:
            _keep_identity(candidate, seen, known)
        new: list[Candidate] = []
        for candidate in _best(candidates, tally) if feed_id is not None else candidates:
            fate, reason = _decide(candidate, known, seen, source)
            if fate in (STORED, REVISED):
                new.append(candidate)
                if _finish(candidate, known, source):
                    reason = f"{reason or 'new'}; text cut to fit a record"
            tally.add(fate, reason)
        if not in_order:
            new.sort(key=lambda c: (c.article.event_time, c.position))
        self._append([c.article for c in new])
        with translated(), self._engine.begin() as db:
            self._save_identities(db, new, known)
            if feed_id is not None:
                _save_items(db, feed_id, candidates, at)
            missed = bool(candidates) and not seen and self._has_items(db, feed_id, at)
            save(db, tally, missed)
        return [c.article for c in new]

    # -- reading -----------------------------------------------------------------------------------

    def _seen(self, feed_id: int, candidates: Sequence[Candidate]) -> dict[str, _Seen]:
        keys = sorted({c.item_key for c in candidates if c.item_key})
        t = feed_items.c
        query = sa.select(t.item_key, t.article_id, t.content_hash).where(t.feed_id == feed_id)
        return {
            r.item_key: _Seen(r.article_id, r.content_hash)
            for r in self._rows(query, t.item_key, keys)
        }

    def _identities(self, ids: Iterable[str]) -> dict[str, _Known]:
        t = identities.c
        query = sa.select(identities, feeds.c.outlet).outerjoin_from(
            identities, feeds, feeds.c.url == t.source
        )
        return {
            r.article_id: _Known(
                r.revision, r.content_hash, r.text_length, r.source, r.sketch, r.outlet
            )
            for r in self._rows(query, t.article_id, sorted(set(ids)))
        }

    def _rows(self, query: sa.Select[Any], column: Any, keys: Sequence[str]) -> list[Any]:
        found: list[Any] = []
        with translated(), reading(self._engine) as db:
            for start in range(0, len(keys), _KEYS):
                found += db.execute(query.where(column.in_(keys[start : start + _KEYS])))
        return found

    @staticmethod
    def _has_items(db: sa.Connection, feed_id: int | None, at: datetime) -> bool:
        older = (feed_items.c.feed_id == feed_id) & (feed_items.c.first_seen < at)
        return feed_id is not None and db.execute(sa.select(sa.exists().where(older))).scalar_one()

    # -- writing -----------------------------------------------------------------------------------

    def _append(self, articles: Sequence[Article]) -> None:
        if not articles:
            return
        if self._producer is None:
            self._producer = self._log.producer()
        try:
            for article in articles:
                self._producer.send(
                    records.ARTICLES, records.encode(article), key=article.id.encode()
                )
            self._producer.flush()
        except BaseException:
            broken, self._producer = self._producer, None  # a failed producer is not used again
            broken.close()
            raise

    @staticmethod
    def _save_identities(
        db: sa.Connection, new: Sequence[Candidate], known: dict[str, _Known]
    ) -> None:
        rows = {
            c.article.id: {
                "article_id": c.article.id,
                "revision": known[c.article.id].revision,
                "content_hash": known[c.article.id].content,
                "text_length": known[c.article.id].length,
                "source": known[c.article.id].source,
                "sketch": known[c.article.id].sketch,
                "appended": c.article.fetched,
            }
            for c in new
        }
        upsert(db, identities, [rows[key] for key in sorted(rows)])  # one order of locking for all


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


def _keep_identity(c: Candidate, seen: dict[str, _Seen], known: dict[str, _Known]) -> None:
    """An item that moved to another URL under its guid stays the article it was, unless it has
    become another story."""
    before = seen.get(c.item_key or "")
    if before is None or before.article_id == c.article.id or before.article_id not in known:
        return
    now = identity.sketch(c.article.title, c.article.text)
    if identity.likeness(known[before.article_id].sketch, now) >= SAME_STORY:
        c.article.id = before.article_id


def _best(candidates: Sequence[Candidate], tally: Tally) -> list[Candidate]:
    """One of each article: the one with the fullest text, the first of equals."""
    best: dict[str, Candidate] = {}
    for c in candidates:
        rival = best.get(c.article.id)
        if rival is None:
            best[c.article.id] = c
            continue
        tally.add(DUPLICATE, "the same article stands twice in this document")
        if len(c.article.text) > len(rival.article.text):
            best[c.article.id] = c
    return list(best.values())


def _decide(
    c: Candidate, known: dict[str, _Known], seen: dict[str, _Seen], source: str
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


def _finish(c: Candidate, known: dict[str, _Known], source: str) -> bool:
    """Complete the article, and know it from here on; True when its text had to be cut."""
    article, before = c.article, known.get(c.article.id)
    article.revision = identity.revision(before.revision if before else None, c.content)
    if article.lang is None:
        article.lang = language.identify(article.title, article.text, c.lang_claim)
    length = len(article.text)
    was_cut = _fit(article)
    known[article.id] = _Known(
        article.revision, c.content, length, source,
        identity.sketch(article.title, article.text), None,
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


def _save_items(
    db: sa.Connection, feed_id: int, candidates: Sequence[Candidate], at: datetime
) -> None:
    # Of items under one key the fullest counts, as in `_best`.
    rows = {
        c.item_key: {
            "feed_id": feed_id,
            "item_key": c.item_key,
            "article_id": c.article.id,
            "content_hash": c.content,
            "first_seen": at,
            "last_seen": at,
        }
        for c in sorted(candidates, key=lambda c: (len(c.article.text), -c.position))
        if c.item_key
    }
    ordered = [rows[key] for key in sorted(rows)]
    upsert(db, feed_items, ordered, keep=("first_seen",))


def upsert(
    db: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]], keep: Sequence[str] = ()
) -> None:
    """Insert or overwrite by primary key, except the columns in `keep`. Keys must be distinct."""
    if not rows:
        return
    if db.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
    statement = insert(table)
    keys = [c.name for c in table.primary_key]
    changed = {k: statement.excluded[k] for k in rows[0] if k not in keys and k not in keep}
    db.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), list(rows))
