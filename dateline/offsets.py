"""Where each stage goes on, and setting it elsewhere: for when a log or a database was replaced."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from dateline import app
from dateline.config import Settings
from sinks.database import positions
from sinks.database.stage import DatabaseSink
from store import tables
from store.connection import reading
from stream import records
from stream.errors import UsageError
from stream.log.contract import Log, Partition
from stream.offsets import at_time

# The topics that each stage reads as a member of its group.
INPUTS: dict[str, tuple[str, ...]] = {
    "embed": (records.ARTICLES,),
    "cluster": (records.EMBEDDED,),
    "match": (records.PLACED,),
    "database": DatabaseSink.inputs,
}
Where = datetime | Literal["start", "end", "saved"]
_p = tables.positions.c


def show(settings: Settings) -> list[dict[str, Any]]:
    """One row a stage and partition: what the log holds (`first`, `end`), where the group goes on
    (`next`), where the database is (`saved`), how many records wait."""
    log, engine = app.open_log(settings), app.open_engine(settings)
    try:
        with reading(engine) as connection:
            saved = _saved(connection)
        rows = []
        for stage, partitions in ((stage, _partitions(log, stage)) for stage in INPUTS):
            for partition in partitions:
                first, end = log.bounds(partition)
                group = log.committed(f"dateline.{stage}", partition)
                own = saved.get(partition) if stage == "database" else None
                at = own[1] if own else first if group is None else group
                rows.append(
                    {
                        "stage": stage,
                        "topic": partition.topic,
                        "partition": partition.number,
                        "first": first,
                        "next": group,
                        "saved": own[1] if own else None,
                        "end": end,
                        "waiting": max(0, end - at),
                    }
                )
        return rows
    finally:
        log.close()
        engine.dispose()


def reset(settings: Settings, stage: str, to: Where, *, skip: bool = False) -> list[dict[str, Any]]:
    """Let the stage go on elsewhere: one row a partition, with `was` and `now`.

    Raises UsageError while the stage runs; when records would be left out and `skip` is false;
    and when the database was written from another log, which only a rebuild can mend.
    """
    if stage not in INPUTS:
        raise UsageError(f"expected a stage of {', '.join(INPUTS)}, got {stage!r}")
    if to == "saved" and stage != "database":
        raise UsageError(f"only the stage database keeps positions of its own, {stage} has none")
    log, engine = app.open_log(settings), app.open_engine(settings)
    group = f"dateline.{stage}"
    try:
        with reading(engine) as connection:
            saved = _saved(connection) if stage == "database" else {}
        for partition, (log_id, at) in saved.items():
            _same_log(log, partition, log_id, at)
        was: dict[Partition, int | None] = {}
        now: dict[Partition, int] = {}
        for partition in _partitions(log, stage):
            first, end = log.bounds(partition)
            committed = log.committed(group, partition)
            own = saved[partition][1] if partition in saved else committed
            was[partition] = own
            if to == "saved":  # a partition that the database has never read begins at its start
                now[partition] = saved[partition][1] if partition in saved else first
            else:
                now[partition] = _offset(log, partition, to)
            begin = first if own is None else own
            if (left_out := now[partition] - min(begin, end)) > 0 and not skip:
                raise UsageError(
                    f"{left_out:,} records of {partition.topic}/{partition.number} would be left "
                    f"out for ever (from {begin:,} to {now[partition]:,}); add --skip if that is "
                    "what you want, or name an earlier time"
                )
        back = {
            p: positions.Position(log.log_id(p.topic), at, done)
            for p, at in now.items()
            if to == "saved" and (done := log.committed(group, p) or 0) > at
        }
        with engine.begin() as connection:  # before the group's commits, which say it, are gone
            for partition, position in back.items():
                positions.went_back(connection, partition, position)
            if to == "saved":
                positions.doubt_the_waiting(connection)
        log.set_committed(group, now)  # refuses while the stage runs, so it comes before the rest
        with engine.begin() as connection:
            for partition in saved.keys() & now.keys():
                connection.execute(
                    tables.positions.update()
                    .where(_p.topic == partition.topic, _p.partition == partition.number)
                    .values(next=now[partition])
                )
            # The stage takes the topics as they are now for its own.
            connection.execute(
                tables.stage_topics.delete().where(tables.stage_topics.c.stage == stage)
            )
        return [
            {"topic": p.topic, "partition": p.number, "was": was[p], "now": offset}
            for p, offset in now.items()
        ]
    finally:
        log.close()
        engine.dispose()


def running(settings: Settings, stage: str) -> bool:
    """Whether the stage runs somewhere (one that never committed anything counts as not)."""
    try:
        refuse_running(settings, stage)
    except UsageError:
        return True
    return False


def refuse_running(settings: Settings, stage: str) -> None:
    """Raises UsageError while the stage runs."""
    log, group = app.open_log(settings), f"dateline.{stage}"
    try:
        found = {p: log.committed(group, p) for p in _partitions(log, stage)}
        log.set_committed(group, {p: at for p, at in found.items() if at is not None})
    finally:
        log.close()


def read_time(text: str) -> Where:
    """`start`, `end`, `saved` or an ISO time (UTC unless it names a zone); else UsageError."""
    if text in ("start", "end", "saved"):
        return text  # type: ignore[return-value]
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"expected start, end, saved or a time such as 2018-06-12T08:30, got {text!r}"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _offset(log: Log, partition: Partition, to: Where) -> int:
    first, end = log.bounds(partition)
    if to == "start":
        return first
    if to == "end":
        return end
    assert isinstance(to, datetime)
    return at_time(log, partition, to)


def _same_log(log: Log, partition: Partition, log_id: str, at: int) -> None:
    """Rows are overwritten by later offsets only, so those of another log stay for ever."""
    if log_id != log.log_id(partition.topic) or at > log.bounds(partition)[1]:
        raise UsageError(
            f"the database was written from another {partition.topic} than the present one, or "
            "from more of it than there is; run `dateline db rebuild` into an empty database, or "
            "bring the old log back"
        )


def _saved(connection: sa.Connection) -> Mapping[Partition, tuple[str, int]]:
    return {
        Partition(row.topic, row.partition): (row.log_id, row.next)
        for row in connection.execute(sa.select(tables.positions))
    }


def _partitions(log: Log, stage: str) -> list[Partition]:
    return [
        Partition(topic, number)
        for topic in INPUTS[stage]
        for number in range(log.partitions(topic))
    ]
