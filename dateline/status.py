"""How far each stage has come: lag, freshness, last error."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from dateline import app
from dateline.config import Settings
from ingest.polling import leases
from store import tables
from store.engine import reading
from stream import records
from stream.log.contract import Log, Partition

# The topic that each stage reads as a group member.
INPUTS = {
    "embed": records.ARTICLES,
    "cluster": records.EMBEDDED,
    "match": records.PLACED,
    "database": records.MATCHED,
}


def status(settings: Settings) -> list[dict[str, Any]]:
    """One row a stage; freshness is the event time of the last article stored. The row of ingest
    also has its pollers, see `ingest.polling.leases.listing`."""
    log, engine = app.open_log(settings), app.open_engine(settings)
    try:
        with reading(engine) as connection:
            newest = connection.execute(
                sa.select(sa.func.max(tables.articles.c.event_time))
            ).scalar()
            failing = connection.execute(
                sa.select(sa.func.count()).where(tables.feeds.c.errors_in_row > 0)
            ).scalar()
            rows_of_polls = sa.select(sa.func.count()).select_from(tables.polls)
            folded = sa.select(sa.func.coalesce(sa.func.sum(tables.polls_daily.c.polls), 0))
            polls = sum(connection.execute(q).scalar_one() for q in (rows_of_polls, folded))
            dead = dict(
                connection.execute(
                    sa.select(tables.dead.c.stage, sa.func.max(tables.dead.c.message))
                    .where(tables.dead.c.state == "dead")
                    .group_by(tables.dead.c.stage)
                )
                .tuples()
                .all()
            )
            undelivered, error = connection.execute(
                sa.select(sa.func.count(), sa.func.max(tables.outbox.c.last_error)).where(
                    tables.outbox.c.state.in_(("pending", "sending", "failed", "unknown"))
                )
            ).one()
        trouble = f"{failing} feeds failing" if failing else None
        rows = [_row("ingest", polls, 0, None, trouble) | {"pollers": leases.listing(engine)}]
        for stage, topic in INPUTS.items():
            done, waiting = _progress(log, stage, topic)
            fresh = newest if stage == "database" else None
            rows.append(_row(stage, done, waiting, fresh, dead.get(stage)))
        rows.append(_row("deliver", None, undelivered, None, error))
        return rows
    finally:
        log.close()
        engine.dispose()


def lag(settings: Settings) -> int:
    """Records that some stage has not handled yet."""
    log = app.open_log(settings)
    try:
        return sum(_progress(log, stage, topic)[1] for stage, topic in INPUTS.items())
    finally:
        log.close()


def _row(
    stage: str, done: int | None, waiting: int, freshness: object, error: str | None
) -> dict[str, Any]:
    return {
        "stage": stage,
        "done": done,
        "lag": waiting,
        "freshness": freshness,
        "error": error,
    }


def _progress(log: Log, stage: str, topic: str) -> tuple[int, int]:
    done = waiting = 0
    for number in range(log.partitions(topic)):
        partition = Partition(topic, number)
        first, end = log.bounds(partition)
        next_offset = log.committed(f"dateline.{stage}", partition)
        next_offset = first if next_offset is None else next_offset
        done += next_offset - first
        waiting += max(0, end - next_offset)
    return done, waiting
