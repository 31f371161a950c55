"""How far each stage has come, who does it, and what went wrong last."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dateline import app
from dateline.config import Settings
from dateline.offsets import INPUTS
from dateline.pulse import LIVE_S
from ingest.polling import leases
from store import tables
from store.connection import reading
from stream.errors import Unavailable
from stream.log.contract import Log, Partition
from stream.records import event_time_of

Row = dict[str, Any]


def status(settings: Settings) -> list[Row]:
    """One row a stage.

    `done`, `lag`: records; `freshness`: event time of the last article that it handled; `owner`:
    the processes that do its work now; `state`: running, waiting (for what stands in `error`) or
    stopped, None = no process was heard of; `error`, `error_at`: the last one, also when it is
    over; `dead`: dead letters that wait; `snapshot`: when the newest was written. The row of ingest
    also has its pollers, see `ingest.polling.leases.listing`. While the log is away, what it would
    say (`done`, `lag`, `freshness`) is None.
    """
    engine = app.open_engine(settings)
    try:
        with reading(engine) as connection:
            failing = connection.execute(
                sa.select(sa.func.count()).where(tables.feeds.c.errors_in_row > 0)
            ).scalar()
            rows_of_polls = sa.select(sa.func.count()).select_from(tables.polls)
            folded = sa.select(sa.func.coalesce(sa.func.sum(tables.polls_daily.c.polls), 0))
            polls = sum(connection.execute(q).scalar_one() for q in (rows_of_polls, folded))
            d = tables.dead.c
            letters = sa.select(d.stage, sa.func.count().label("waiting")).where(d.state == "dead")
            dead: dict[str, int] = {
                row.stage: row.waiting for row in connection.execute(letters.group_by(d.stage))
            }
            undelivered, error = connection.execute(
                sa.select(sa.func.count(), sa.func.max(tables.outbox.c.last_error)).where(
                    tables.outbox.c.state.in_(("pending", "sending", "failed", "unknown"))
                )
            ).one()
            heard = _heard(connection)
        trouble = f"{failing} feeds failing" if failing else None
        rows = [
            _row("ingest", polls, 0, heard, dead)
            | ({"error": trouble} if trouble else {})
            | {"pollers": leases.listing(engine)}
        ]
        told = _told_by_log(settings)
        for stage in INPUTS:
            done, waiting, fresh = told.get(stage, (None, None, None))
            rows.append(_row(stage, done, waiting, heard, dead) | {"freshness": fresh})
        rows.append(
            _row("deliver", None, undelivered, heard, dead) | ({"error": error} if error else {})
        )
        return rows
    finally:
        engine.dispose()


def _told_by_log(settings: Settings) -> dict[str, tuple[int, int, datetime | None]]:
    """Stage -> records done, records that wait, freshness; nothing while the log is away: what
    the stages said last, which the database has, is then needed most."""
    try:
        log = app.open_log(settings)
        try:
            return {stage: (*_progress(log, stage), _freshness(log, stage)) for stage in INPUTS}
        finally:
            log.close()
    except Unavailable:
        return {}


def lag(settings: Settings) -> int:
    """Records that some stage has not handled yet."""
    log = app.open_log(settings)
    try:
        return sum(_progress(log, stage)[1] for stage in INPUTS)
    finally:
        log.close()


def _row(
    stage: str,
    done: int | None,
    waiting: int | None,
    heard: dict[str, list[Row]],
    dead: dict[str, int],
) -> Row:
    own = heard.get(stage, [])
    live = [one for one in own if one["live"] and one["state"] != "stopped"]
    # One that stands by for another owns nothing; stages without partitions own nothing either.
    at_work = [one for one in live if one["owns"] or stage not in INPUTS]
    states = [one["state"] for one in live or own[:1]]
    errors = sorted((one["error_at"], one["error"]) for one in own if one["error_at"])
    snapshots = [one["snapshot"] for one in own if one["snapshot"]]
    return {
        "stage": stage,
        "state": ("waiting" if "waiting" in states else states[0]) if states else None,
        "owner": ", ".join(one["process"] for one in at_work) or None,
        "done": done,
        "lag": waiting,
        "freshness": None,
        "dead": dead.get(stage, 0),
        "error": errors[-1][1] if errors else None,
        "error_at": errors[-1][0] if errors else None,
        "snapshot": max(snapshots, default=None),
    }


def _heard(connection: sa.Connection) -> dict[str, list[Row]]:
    """What processes said of each stage, the latest first. One that is gone without a last word
    counts as stopped."""
    horizon = datetime.now(UTC) - timedelta(seconds=LIVE_S)
    heard: dict[str, list[Row]] = {}
    query = sa.select(tables.pulses).order_by(tables.pulses.c.seen.desc())
    for row in connection.execute(query).mappings():
        live = row["seen"] > horizon
        one = {**row, "live": live, "state": row["state"] if live else "stopped"}
        heard.setdefault(row["stage"], []).append(one)
    return heard


def _progress(log: Log, stage: str) -> tuple[int, int]:
    done = waiting = 0
    for partition in _articles_of(log, stage):
        first, end = log.bounds(partition)
        next_offset = log.committed(f"dateline.{stage}", partition)
        next_offset = first if next_offset is None else next_offset
        done += next_offset - first
        waiting += max(0, end - next_offset)
    return done, waiting


def _freshness(log: Log, stage: str) -> datetime | None:
    """The event time of the newest of the articles that each partition's last record holds."""
    times = []
    for partition in _articles_of(log, stage):
        at = log.committed(f"dateline.{stage}", partition)
        for record in log.read(partition, at - 1, at) if at else ():
            times.append(event_time_of(record.value))
    return max((time for time in times if time is not None), default=None)


def _articles_of(log: Log, stage: str) -> Iterator[Partition]:
    """The partitions of the topic by which articles come to the stage."""
    topic = INPUTS[stage][0]
    for number in range(log.partitions(topic)):
        yield Partition(topic, number)
