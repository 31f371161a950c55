"""Where the sink is in each partition, moved in the transaction of the rows it speaks for.

The move is a compare-and-set: an owner that was paused and wakes after another took over finds its
`next` changed, writes nothing, and joins the group again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import sqlalchemy as sa

from sinks.database.rows import insert_for
from store.tables import outbox, positions
from stream.errors import LogChanged, PartitionsLost
from stream.log.contract import Log, Partition

_p = positions.c
# What a power cut may take from a database that is synced by the system: half a minute of work.
# More than this is no accident.
POWER_CUT = timedelta(minutes=10)


class Position(NamedTuple):
    log_id: str
    next: int | None  # None = this partition was never read into this database
    told: int = 0  # alerts of records below it may have been sent already


def load(
    connection: sa.Connection,
    partition: Partition,
    log_id: str,
    log: Log | None,
    group: str | None = None,
) -> tuple[Position, int]:
    """The saved position, and the offset to start from.

    Raises LogChanged when it was saved for another log, when the log does not hold it any more,
    and when `group` has come so much further that the database must be an older copy.
    """
    # Before the row is read: a writer that is being replaced moves the row first, then this.
    done = log.committed(group, partition) if log is not None and group is not None else None
    row = connection.execute(
        sa.select(_p.log_id, _p.next, _p.told).where(
            _p.topic == partition.topic, _p.partition == partition.number
        )
    ).one_or_none()
    first, end = log.bounds(partition) if log is not None else (0, None)
    name = f"{partition.topic}/{partition.number}"
    if row is None:
        return Position(log_id, None, _told(log, partition, first, done)), first
    saved = int(row.next)
    if row.log_id != log_id:
        raise LogChanged(
            f"the database was written from another log than the present {name} (it was deleted "
            "and made again); run `dateline db rebuild` into an empty database, or go back to the "
            "old log"
        )
    if end is not None and saved > end:
        raise LogChanged(
            f"the database has read {name} up to {saved:,}, but the log ends at {end:,}: it was "
            "shortened or restored from an older copy; run `dateline db rebuild` into an empty "
            "database, or restore the newer log"
        )
    if saved < first:
        raise LogChanged(
            f"the database has read {name} up to {saved:,}, but the log only keeps records from "
            f"{first:,}: {first - saved:,} were never stored; restore them, or run "
            "`dateline offsets reset database --to start --skip` to go on without them"
        )
    told = max(int(row.told or 0), _told(log, partition, saved, done))
    return Position(log_id, saved, told), saved


def _told(log: Log | None, partition: Partition, saved: int, told: int | None) -> int:
    """Where the alerts end that may have been sent already; 0 = before `saved`.

    The group's commit follows the database's. It is ahead after a power cut, by seconds, and when
    the database has gone back; then what was told since must not be told once more."""
    if log is None or told is None or told <= saved:
        return 0
    # Either may be gone from the log: then there is nothing to tell anybody again.
    unread = next(log.read(partition, saved, saved + 1), None)
    last = next(log.read(partition, told - 1, told), None)
    if unread is None or last is None or last.time - unread.time <= POWER_CUT:
        return told
    raise LogChanged(
        f"the database has read {partition.topic}/{partition.number} up to {saved:,}, but its "
        f"stage had come to {told:,}, {_hours(last.time - unread.time)} later: it is an older "
        "copy, or another database; name the right one, or run `dateline offsets reset database "
        "--to saved` to write the rest again from the log (alerts of that time are marked as "
        "perhaps sent)"
    )


def _hours(time: timedelta) -> str:
    return f"{time / timedelta(hours=1):.1f} h"


def went_back(connection: sa.Connection, partition: Partition, to: Position) -> None:
    """Remember across restarts that alerts below `to.told` may have been sent."""
    insert = insert_for(connection)(positions).values(
        topic=partition.topic,
        partition=partition.number,
        log_id=to.log_id,
        next=to.next,
        told=to.told,
    )
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=[_p.topic, _p.partition],
            set_={"told": to.told},
            where=sa.func.coalesce(_p.told, 0) < to.told,
        )
    )
    doubt_the_waiting(connection)


def doubt_the_waiting(connection: sa.Connection) -> None:
    """What waits in the outbox of a database that has gone back may have been sent. It counts as
    claimed by a deliverer that died, so channels to which repetition does no harm get it again
    and the others show an unknown outcome."""
    connection.execute(
        outbox.update()
        .where(outbox.c.state == "pending", ~outbox.c.alert_id.startswith("notice:"))
        .values(state="sending", next_at=outbox.c.told_at)
    )


def move(connection: sa.Connection, partition: Partition, old: Position, to: int) -> Position:
    """The new position; raises PartitionsLost when somebody else has moved it."""
    if old.next is None:
        insert = insert_for(connection)(positions).on_conflict_do_nothing()
        row = {
            "topic": partition.topic,
            "partition": partition.number,
            "log_id": old.log_id,
            "next": to,
        }
        done = len(connection.execute(insert.returning(_p.next), row).all())
    else:
        done = connection.execute(
            positions.update()
            .where(
                _p.topic == partition.topic,
                _p.partition == partition.number,
                _p.log_id == old.log_id,
                _p.next == old.next,
            )
            .values(next=to)
        ).rowcount
    if done != 1:
        raise PartitionsLost(
            f"another process writes {partition.topic}/{partition.number} to the database; "
            "nothing of ours was stored, joining the group again"
        )
    return Position(old.log_id, to, old.told)
