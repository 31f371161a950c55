"""Are two databases the same, as far as the log decides it?

A rebuild from the log must give the same rows; what operators and receivers did since (delivery
states, replayed dead letters) and what ingest keeps for itself is not part of that.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from store import tables
from store.connection import describe, reading, translated

# Table -> columns that are somebody else's than the log's.
DERIVED: dict[sa.Table, frozenset[str]] = {
    tables.positions: frozenset({"told"}),
    tables.articles: frozenset(),
    tables.revisions: frozenset(),
    tables.stories: frozenset(),
    tables.events: frozenset(),
    tables.matches: frozenset(),
    tables.verdicts: frozenset(),
    tables.acks: frozenset(),
    tables.alerts: frozenset(),
    tables.alert_articles: frozenset(),
    tables.outbox: frozenset({"state", "attempts", "next_at", "last_error", "at"}),
    tables.fates: frozenset(),
    tables.dead: frozenset({"state"}),
}
# Enough to see what kind of difference it is.
SHOWN = 5


def derived_rows(engine: sa.Engine) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
    """Table name -> primary key -> row, of everything that is derived from the log."""
    return {table.name: _keyed(engine, table, left_out) for table, left_out in DERIVED.items()}


def differences(one: sa.Engine, other: sa.Engine, *, outbox: bool = False) -> list[str]:
    """One line a table that differs, with examples; none = the same rows. The outbox is left out
    unless asked for: a rebuild tells nobody."""
    lines: list[str] = []
    for table, left_out in DERIVED.items():
        if table is tables.outbox and not outbox:
            continue
        mine, theirs = _keyed(one, table, left_out), _keyed(other, table, left_out)
        odd = sorted(
            (key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key)),
            key=repr,
        )
        if odd:
            examples = "; ".join(_example(mine.get(key), theirs.get(key)) for key in odd[:SHOWN])
            lines.append(f"{table.name}: {len(odd):,} rows differ: {examples}")
    return lines


def _keyed(
    engine: sa.Engine, table: sa.Table, left_out: frozenset[str]
) -> dict[tuple[Any, ...], dict[str, Any]]:
    keys = [column.name for column in table.primary_key]
    columns = [column for column in table.c if column.name not in left_out]
    with translated(describe(engine)), reading(engine) as connection:
        query = sa.select(*columns)
        if table is tables.outbox:  # notices to operators come from the feeds, not from the log
            query = query.where(~table.c.alert_id.startswith("notice:"))
        rows = connection.execute(query).mappings()
        return {tuple(row[key] for key in keys): dict(row) for row in rows}


def _example(mine: dict[str, Any] | None, theirs: dict[str, Any] | None) -> str:
    row = mine or theirs or {}
    name = "/".join(str(row[key]) for key in list(row)[:2])
    if mine is None or theirs is None:
        return f"{name} is only in the {'second' if mine is None else 'first'}"
    odd = [column for column in mine if mine[column] != theirs[column]]
    return f"{name} in {', '.join(odd)}"
