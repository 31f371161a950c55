"""Writing many rows at once, the same way on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

Row = dict[str, Any]


def insert_for(connection: sa.Connection) -> Any:
    """The dialect's own insert, which knows ON CONFLICT."""
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    rows: Iterable[Mapping[str, Any]],
    *,
    kept: Collection[str] = (),
    by_position: bool = False,
) -> None:
    """Insert the rows, or replace those with the same primary key (but for the columns `kept`).

    The last of rows with one key counts: a statement may not touch a row twice. They are written
    in the order of their keys, so that two writers wait for each other instead of deadlocking.
    `by_position`: a row is only replaced by a later position of its lane, and the live lane
    (the lower number) wins over backfill.
    """
    keys = [column.name for column in table.primary_key]
    last = {tuple(row[key] for key in keys): dict(row) for row in rows}
    if not last:
        return
    statement = insert_for(connection)(table)
    new = statement.excluded
    written = set(next(iter(last.values())))
    changes = {name: new[name] for name in sorted(written - set(keys) - set(kept))}
    later = None
    if by_position:
        own = table.c
        later = sa.or_(
            new.lane < own.lane, sa.and_(new.lane == own.lane, new.log_offset >= own.log_offset)
        )
    if changes:
        statement = statement.on_conflict_do_update(index_elements=keys, set_=changes, where=later)
    else:
        statement = statement.on_conflict_do_nothing()
    connection.execute(statement, [last[key] for key in sorted(last)])
