"""From what was read to what is on the log: decides every item's fate and appends the new ones.

The order of effects is the promise: append, flush, and only then save what is known. A crash in
between makes the next poll append the same ids and revisions again, which later stages recognise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ingest import fates
from ingest.fates import REVISED, STORED, Candidate, Known, Seen, Tally
from store.engine import reading, translated
from store.tables import feed_items, feeds, identities
from stream import records
from stream.log.contract import Log, Producer
from stream.records import Article

# Keys in one query; SQLite takes 32,766, PostgreSQL 65,535.
_KEYS = 5_000

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
            fates.keep_identity(candidate, seen, known)
        new: list[Candidate] = []
        for candidate in fates.best(candidates, tally) if feed_id is not None else candidates:
            fate, reason = fates.decide(candidate, known, seen, source)
            if fate in (STORED, REVISED):
                new.append(candidate)
                if fates.finish(candidate, known, source):
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

    def _seen(self, feed_id: int, candidates: Sequence[Candidate]) -> dict[str, Seen]:
        keys = sorted({c.item_key for c in candidates if c.item_key})
        t = feed_items.c
        query = sa.select(t.item_key, t.article_id, t.content_hash).where(t.feed_id == feed_id)
        return {
            r.item_key: Seen(r.article_id, r.content_hash)
            for r in self._rows(query, t.item_key, keys)
        }

    def _identities(self, ids: Iterable[str]) -> dict[str, Known]:
        t = identities.c
        query = sa.select(identities, feeds.c.outlet).outerjoin_from(
            identities, feeds, feeds.c.url == t.source
        )
        return {
            r.article_id: Known(
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
        db: sa.Connection, new: Sequence[Candidate], known: dict[str, Known]
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


def _save_items(
    db: sa.Connection, feed_id: int, candidates: Sequence[Candidate], at: datetime
) -> None:
    # Of items under one key the fullest counts, as in `best`.
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
