"""What ingest keeps, and for how long: the books do not grow for ever, and their sums never change.

A poll that brought nothing is worth its own row only while someone may ask when a feed was asked;
after that, one row for each feed and day (`polls_daily`) says the same. Each step is a transaction
of its own, short enough that polling goes on beside it, and may be interrupted anywhere.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import sqlalchemy as sa
import structlog
from msgspec import Struct

from ingest.articles.fates import FATES
from ingest.books.intake import upsert
from ingest.clock import Clock
from ingest.settings import IngestSettings
from store.connection import reading, translated
from store.tables import feed_items, polls, polls_daily
from stream.errors import Unavailable
from stream.log.contract import Log

T = TypeVar("T")

# Not at once: a start has better to do, and one that is restarted over and over must not prune
# each time.
_FIRST_S, _AGAIN_S = 600.0, 86_400.0
# Feeds in one transaction: at 70 polls a day each, other writers wait a tenth of a second.
_CHUNK = 200
_say = structlog.get_logger("dateline.ingest")
_COUNTS = ("seen", *FATES)
_DONE_WELL = ("ok", "unchanged")


class Pruned(Struct, kw_only=True):
    """Rows that went."""

    polls: int = 0  # folded into `polls_daily`
    items: int = 0  # of feed_items, forgotten


def prune(
    engine: sa.Engine, settings: IngestSettings, now: datetime, *, dry_run: bool = False
) -> Pruned:
    """Fold old polls and forget items that their feeds have not shown for long; `dry_run` only
    counts. Raises Unavailable when the database is away (run it again: what is done is done)."""
    pruned = Pruned()
    with translated(), reading(engine) as db:
        sources = list(db.execute(sa.select(polls.c.source).distinct()).scalars())
        ids = list(db.execute(sa.select(feed_items.c.feed_id).distinct()).scalars())
    old = _old(settings, now)
    for some in _chunks(sources):
        pruned.polls += _fold(engine, polls.c.source.in_(some) & old, dry_run)
    for some_ids in _chunks(ids):
        pruned.items += _forget(engine, some_ids, settings, now, dry_run)
    return pruned


async def daily(engine: sa.Engine, settings: IngestSettings, clock: Clock, log: Log) -> None:
    """Prune once a day, beside the polling, and the log with it where no broker does; runs until
    it is cancelled."""
    wait = _FIRST_S
    while True:
        await asyncio.sleep(wait)
        try:
            done = await asyncio.to_thread(prune, engine, settings, clock.now())
            gone = await asyncio.to_thread(log.prune, datetime.now(UTC))  # records bear its time
            _say.info("ingest.pruned", polls=done.polls, items=done.items, records=gone)
        except Unavailable as error:
            _say.warning("ingest.not_pruned", error=str(error))
        wait = _AGAIN_S


def _chunks(every: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(every), _CHUNK):
        yield every[start : start + _CHUNK]


def _old(settings: IngestSettings, now: datetime) -> sa.ColumnElement[bool]:
    """Whole days only: a day that is half folded would still be right, but would be written again
    with every run."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    nothing_new = polls.c.outcome == "unchanged"
    return sa.or_(
        nothing_new & (polls.c.at < today - timedelta(days=settings.keep_unchanged_days)),
        polls.c.at < today - timedelta(days=settings.keep_polls_days),
    )


def _fold(engine: sa.Engine, which: sa.ColumnElement[bool], dry_run: bool) -> int:
    if dry_run:
        with translated(), reading(engine) as db:
            count = sa.select(sa.func.count()).select_from(polls).where(which)
            return int(db.execute(count).scalar_one())
    with translated(), engine.begin() as db:
        days: dict[tuple[str, str], Counter[str]] = {}
        reasons: dict[tuple[str, str], Counter[str]] = {}
        # Locked, so that of two who fold at once the later one finds them gone.
        rows = db.execute(sa.select(polls).where(which).with_for_update()).all()
        for row in rows:
            key = (row.source, row.at.date().isoformat())
            day = days.setdefault(key, Counter())
            day["polls"] += 1
            day["failed"] += row.outcome not in _DONE_WELL
            for name in _COUNTS:
                day[name] += getattr(row, name)
            reasons.setdefault(key, Counter()).update(row.reasons)
        d = polls_daily.c
        there = sa.select(polls_daily).where(d.source.in_({source for source, _ in days}))
        for row in db.execute(there):
            if (key := (row.source, row.day)) in days:
                for name in ("polls", "failed", *_COUNTS):
                    days[key][name] += getattr(row, name)
                reasons[key].update(row.reasons)
        upsert(
            db,
            polls_daily,
            [
                {
                    "source": source,
                    "day": day,
                    **{name: days[source, day][name] for name in ("polls", "failed", *_COUNTS)},
                    "reasons": dict(sorted(reasons[source, day].items())),
                }
                for source, day in sorted(days)
            ],
        )
        db.execute(polls.delete().where(which))
    return len(rows)


def _forget(
    engine: sa.Engine, ids: Sequence[int], settings: IngestSettings, now: datetime, dry_run: bool
) -> int:
    """By the last document that was read of a feed, not by today: one that has been unchanged or
    unreachable for a year still shows what it showed."""
    t, kept = feed_items.c, timedelta(days=settings.keep_items_days)
    with translated(), reading(engine) as db:
        last_shown = (
            sa.select(t.feed_id, sa.func.max(t.last_seen).label("at"))
            .where(t.feed_id.in_(ids))
            .group_by(t.feed_id)
        )
        newest = {row.feed_id: row.at for row in db.execute(last_shown)}
        late = db.execute(
            sa.select(t.feed_id, t.item_key, t.last_seen).where(
                t.feed_id.in_(ids), t.last_seen < now - kept
            )
        ).all()
    gone = [(r.feed_id, r.item_key) for r in late if r.last_seen < newest[r.feed_id] - kept]
    if gone and not dry_run:
        with translated(), engine.begin() as db:
            db.execute(
                feed_items.delete().where(
                    t.feed_id == sa.bindparam("feed"), t.item_key == sa.bindparam("item")
                ),
                [{"feed": feed, "item": item} for feed, item in gone],
            )
    return len(gone)
