"""Events, the coverage that matched them, and the coverage that nearly did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from dashboard.queries import views
from dashboard.queries.views import Row
from store import tables
from stream.records import Decision, Definition

_m, _a = views.matches.c, views.articles.c
covered = views.matches.join(views.articles, _m.article_id == _a.article_id)
COLUMNS: tuple[Any, ...] = (
    *(_m.match_id, _m.event_id, _m.article_id, _m.probability, _m.matched, _m.reasons),
    *(_m.definition_version, _m.model, _m.decided_at, _m.verdict, _m.history),
    *(_a.title, _a.url, _a.outlet, _a.outlet_name, _a.wire, _a.lang, _a.published),
    *(_a.published_from, _a.fetched, _a.event_time, _a.copy_of, _a.revision, _a.story_id),
)


def events(connection: sa.Connection) -> list[Row]:
    """Every registered event: the latest window first, those without a window on top."""
    found = views.rows(connection, sa.select(views.events).where(views.events.c.removed.is_(False)))
    found.sort(key=lambda row: (row["starts"] or "9999", row["event_id"]), reverse=True)
    sources = _sources(connection)
    e = tables.events.c
    defined = {row.id: row.definition for row in connection.execute(sa.select(e.id, e.definition))}
    for row in found:
        row["places"] = _places(defined.get(row["event_id"]))
        row["follows"] = list(row["follows"] or [])
        row["independent_sources"] = sources.get(row["event_id"], 0)
    return found


def _places(definition: Any) -> list[str]:
    try:
        return [place.name for place in msgspec.convert(definition, Definition).places]
    except msgspec.ValidationError:
        return []


def titles(connection: sa.Connection) -> dict[str, str]:
    """The title of every registered event."""
    e = views.events.c
    query = sa.select(e.event_id, e.title).where(e.removed.is_(False))
    return {row.event_id: row.title for row in connection.execute(query)}


def event(connection: sa.Connection, event_id: str) -> Row | None:
    """One event with its definition (a `Definition`, or None when it cannot be read)."""
    found = next((row for row in events(connection) if row["event_id"] == event_id), None)
    if found is None:
        return None
    e = tables.events.c
    stored = connection.execute(sa.select(e.definition).where(e.id == event_id)).scalar()
    try:
        found["definition"] = msgspec.convert(stored, Definition)
    except msgspec.ValidationError:
        found["definition"] = None
    return found


def _sources(connection: sa.Connection) -> dict[str, int]:
    """Independent sources of each event, counted as `v_stories` does: families whose piece is
    neither a copy nor credits another wire, and one when there is nothing but such pieces."""
    own = sa.and_(_a.copy_of.is_(None), sa.or_(_a.wire.is_(None), _a.wire == _a.family))
    query = (
        sa.select(_m.event_id, sa.func.count(sa.distinct(sa.case((own, _a.family)))))
        .select_from(covered)
        .where(_m.matched.is_(True))
        .group_by(_m.event_id)
    )
    return {event_id: max(1, count) for event_id, count in connection.execute(query)}


def latest_coverage(connection: sa.Connection, each: int) -> dict[str, list[Row]]:
    """The newest `each` matched articles of every event, newest first."""
    place = sa.func.row_number().over(
        partition_by=_m.event_id, order_by=(_a.event_time.desc(), _m.article_id)
    )
    numbered = (
        sa.select(*COLUMNS, place.label("place"))
        .select_from(covered)
        .where(_m.matched.is_(True))
        .subquery()
    )
    query = (
        sa.select(numbered)
        .where(numbered.c.place <= each)
        .order_by(numbered.c.event_id, numbered.c.place)
    )
    by_event: dict[str, list[Row]] = defaultdict(list)
    for row in views.rows(connection, query):
        by_event[row["event_id"]].append(with_decision(row))
    return by_event


def coverage(
    connection: sa.Connection, event_id: str, *, matched: bool, limit: int, offset: int = 0
) -> tuple[list[Row], int]:
    """Articles of one event (or, with `matched=False`, its near-misses), and how many in all.

    Matches come newest first, near-misses most probable first.
    """
    where = (_m.event_id == event_id, _m.matched.is_(matched))
    order = (_a.event_time.desc(),) if matched else (_m.probability.desc(),)
    query = (
        sa.select(*COLUMNS)
        .select_from(covered)
        .where(*where)
        .order_by(*order, _m.article_id)
        .limit(limit)
        .offset(offset)
    )
    found = [with_decision(row) for row in views.rows(connection, query)]
    return found, views.count(connection, views.matches, *where)


def close_calls(connection: sa.Connection, least: float, limit: int) -> list[Row]:
    """The newest originals that came near an event (`least` or more) and did not match it."""
    query = (
        sa.select(*COLUMNS)
        .select_from(covered)
        .where(_m.matched.is_(False), _m.probability >= least, _a.copy_of.is_(None))
        .order_by(_a.event_time.desc(), _m.probability.desc(), _m.match_id)
        .limit(limit)
    )
    return [with_decision(row) for row in views.rows(connection, query)]


def decisions_of(connection: sa.Connection, article_ids: Sequence[str]) -> list[Row]:
    """Every stored decision about these articles, most probable first."""
    query = (
        sa.select(*COLUMNS)
        .select_from(covered)
        .where(_m.article_id.in_(article_ids))
        .order_by(_m.probability.desc(), _m.event_id)
    )
    return [with_decision(row) for row in views.rows(connection, query)]


def days(connection: sa.Connection) -> dict[str, list[tuple[str, int, int]]]:
    """For each event, (ISO day, originals, copies) of its matched coverage, oldest first."""
    day = views.day(connection, _a.event_time).label("day")
    copies = sa.func.count(_a.copy_of)
    query = (
        sa.select(_m.event_id, day, sa.func.count() - copies, copies)
        .select_from(covered)
        .where(_m.matched.is_(True))
        .group_by(_m.event_id, day)
        .order_by(_m.event_id, day)
    )
    by_event: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for event_id, iso_day, originals, copied in connection.execute(query):
        by_event[event_id].append((iso_day, originals, copied))
    return by_event


def with_decision(row: Row) -> Row:
    """`decision`: the stored reasons as a Decision; None when an older release wrote otherwise."""
    try:
        row["decision"] = msgspec.convert(row["reasons"], Decision)
    except msgspec.ValidationError:
        row["decision"] = None
    return row
