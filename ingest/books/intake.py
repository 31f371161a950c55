"""From what was read to what is on the log: decides every item's fate and appends the new ones.

The order of effects is the promise: append, flush, and only then save what is known. A crash in
between makes the next poll append the same ids and revisions again, which later stages recognise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from ingest.articles import fates
from ingest.articles.fates import REVISED, STORED, Candidate, Known, Seen, Tally
from store.connection import reading, translated
from store.tables import feed_items, feeds, identities
from stream import records
from stream.errors import Unavailable
from stream.log.contract import Log, Producer
from stream.records import Article

# Keys in one query; SQLite takes 32,766, PostgreSQL 65,535.
_KEYS = 5_000

Save = Callable[[sa.Connection], None]


class Overtaken(Unavailable):
    """Another process stored an article between our look-up and our save. What is known now may
    give other fates: decide again."""


class Delivery(Struct, kw_only=True):
    """What one poll, or a stretch of an archive, brings. `source` names whose wording it is."""

    candidates: Sequence[Candidate]
    source: str
    at: datetime
    tally: Tally  # takes the fates of the candidates
    feed_id: int | None = None
    outlet: str | None = None  # the feed's, when the operator gave one
    had_items: bool = False  # the feed has shown items before
    in_order: bool = False  # append as they come; else oldest first
    missed: bool = False  # set: the feed showed nothing that it had shown before
    fresh: int = 0  # set: items that the feed had never shown before
    new: list[Candidate] = []  # set: what was appended
    stored: set[str] = set()  # set: the ids among them that nobody knew


class Intake:
    """Belongs to one thread (its producer does)."""

    def __init__(self, engine: sa.Engine, log: Log) -> None:
        self._engine, self._log = engine, log
        self._producer: Producer | None = None

    def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close()

    def preview(self, delivery: Delivery) -> list[Candidate]:
        """What `take` would append of it now. Writes nothing; the delivery is used up."""
        known, (seen,) = self._look_up([delivery])
        _decide(delivery, known, seen)
        return delivery.new

    def take(self, deliveries: Sequence[Delivery], save: Save) -> None:
        """Give each candidate its fate in its delivery's tally, one delivery after the other,
        append the new ones and save all together. `save(connection)` runs in the saving
        transaction. Raises Unavailable when the log or the database is away, and Overtaken: then
        nothing was saved."""
        known, shown = self._look_up(deliveries)
        for delivery, seen in zip(deliveries, shown, strict=True):
            _decide(delivery, known, seen)
        self._append([c.article for d in deliveries for c in d.new])
        with translated(), self._engine.begin() as db:
            _save_identities(db, deliveries, known)
            _save_items(db, deliveries)
            save(db)

    def _look_up(
        self, deliveries: Sequence[Delivery]
    ) -> tuple[dict[str, Known], list[dict[str, Seen]]]:
        """The articles that may be meant, by id, and what each feed has shown, by item key."""
        if not deliveries:
            return {}, []
        with translated(), reading(self._engine) as db:
            shown = [_seen(db, d) for d in deliveries]
            known = _identities(
                db,
                [c.article.id for d in deliveries for c in d.candidates]
                + [s.article_id for seen in shown for s in seen.values()],
            )
            # Nearly never there: addresses that were given to other stories.
            other = [
                fates.reused_as(c, seen, known)
                for d, seen in zip(deliveries, shown, strict=True)
                for c in d.candidates
            ]
            if renamed := [id_ for id_ in other if id_ is not None]:
                known |= _identities(db, renamed)
        return known, shown

    def feeds(self, ids: Sequence[int]) -> dict[int, bool]:
        """Those of these feeds that are (still) registered: have they shown items before?"""
        if not ids:
            return {}
        t, of_feed = feeds.c, feed_items.c.feed_id == feeds.c.id
        query = sa.select(t.id, sa.exists().where(of_feed).correlate(feeds)).where(t.id.in_(ids))
        with translated(), reading(self._engine) as db:
            return {row[0]: row[1] for row in db.execute(query)}

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


def _decide(delivery: Delivery, known: dict[str, Known], seen: dict[str, Seen]) -> None:
    candidates, tally, from_feed = delivery.candidates, delivery.tally, delivery.feed_id is not None
    delivery.fresh = len({c.item_key for c in candidates if c.item_key} - seen.keys())
    for candidate in candidates:
        fates.keep_identity(candidate, seen, known)
    # Guids that are new with every poll do not mean that the items are.
    strange = not seen and not any(
        (before := known.get(c.article.id)) and before.source == delivery.source for c in candidates
    )
    delivery.missed = bool(candidates) and strange and delivery.had_items
    for candidate in fates.best(candidates, tally) if from_feed else candidates:
        fate, reason = fates.decide(candidate, known, seen, delivery.source)
        if fate in (STORED, REVISED):
            delivery.new.append(candidate)
            if fate == STORED:
                delivery.stored.add(candidate.article.id)
            if candidate.page:
                reason = f"{reason or 'new'}; {candidate.page}"
            if fates.finish(candidate, known, delivery.source, delivery.outlet):
                reason = f"{reason or 'new'}; text cut to fit a record"
        tally.add(fate, reason)
    if not delivery.in_order:
        delivery.new.sort(key=lambda c: (c.article.event_time, c.position))


# -- reading ---------------------------------------------------------------------------------------


def _seen(db: sa.Connection, delivery: Delivery) -> dict[str, Seen]:
    keys = sorted({c.item_key for c in delivery.candidates if c.item_key})
    if not delivery.had_items:
        return {}
    t = feed_items.c
    query = sa.select(t.item_key, t.article_id, t.content_hash).where(t.feed_id == delivery.feed_id)
    return {
        r.item_key: Seen(r.article_id, r.content_hash) for r in _rows(db, query, t.item_key, keys)
    }


def _identities(db: sa.Connection, ids: Iterable[str]) -> dict[str, Known]:
    t = identities.c
    query = sa.select(identities, feeds.c.outlet).outerjoin_from(
        identities, feeds, feeds.c.url == t.source
    )
    return {
        r.article_id: Known(
            r.revision,
            r.content_hash,
            r.text_length,
            r.source,
            r.sketch,
            r.outlet,
            r.appended,
            r.wordings,
        )
        for r in _rows(db, query, t.article_id, sorted(set(ids)))
    }


def _rows(db: sa.Connection, query: sa.Select[Any], column: Any, keys: Sequence[str]) -> list[Any]:
    found: list[Any] = []
    for start in range(0, len(keys), _KEYS):
        found += db.execute(query.where(column.in_(keys[start : start + _KEYS])))
    return found


# -- writing ---------------------------------------------------------------------------------------


def _save_identities(
    db: sa.Connection, deliveries: Sequence[Delivery], known: dict[str, Known]
) -> None:
    new = [c for d in deliveries for c in d.new]
    stored = {article_id for d in deliveries for article_id in d.stored}
    rows = {
        c.article.id: {
            "article_id": c.article.id,
            "revision": known[c.article.id].revision,
            "content_hash": known[c.article.id].content,
            "text_length": known[c.article.id].length,
            "source": known[c.article.id].source,
            "sketch": known[c.article.id].sketch,
            "wordings": known[c.article.id].wordings,
            "appended": c.article.fetched,
        }
        for c in new
    }
    ordered = [rows[key] for key in sorted(rows)]  # one order of locking for all
    upsert(db, identities, [row for row in ordered if row["article_id"] not in stored])
    if first := [row for row in ordered if row["article_id"] in stored]:
        try:
            db.execute(identities.insert(), first)
        except sa.exc.IntegrityError as error:
            raise Overtaken("another process stores the same articles; try again") from error


def _save_items(db: sa.Connection, deliveries: Sequence[Delivery]) -> None:
    # Of items under one key the fullest counts, as in `best`.
    rows = {
        (d.feed_id, c.item_key): {
            "feed_id": d.feed_id,
            "item_key": c.item_key,
            "article_id": c.article.id,
            "content_hash": c.content,
            "first_seen": d.at,
            "last_seen": d.at,
        }
        for d in deliveries
        if d.feed_id is not None
        for c in sorted(d.candidates, key=lambda c: (len(c.article.text), -c.position))
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
