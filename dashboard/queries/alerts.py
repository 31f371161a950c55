"""Alerts as they stand, each with the article that speaks most for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa

from dashboard.queries import views
from dashboard.queries.events import COLUMNS, covered, with_decision
from dashboard.queries.views import Row
from store import tables

_v, _m, _a = views.alerts.c, views.matches.c, views.articles.c
# A merged alert lives on in the one it went into; a withdrawn one has no articles left.
_SHOWN = _v.state.in_(("open", "acknowledged"))


def alerts(
    connection: sa.Connection, *, event_id: str | None = None, limit: int, offset: int = 0
) -> list[Row]:
    """The one that changed last first; each with its `evidence`."""
    query = sa.select(views.alerts).where(_SHOWN).order_by(_v.updated_at.desc(), _v.alert_id)
    if event_id is not None:
        query = query.where(_v.event_id == event_id)
    return _complete(connection, views.rows(connection, query.limit(limit).offset(offset)))


def latest(connection: sa.Connection, each: int) -> dict[str, list[Row]]:
    """The `each` alerts of every event that changed last."""
    place = sa.func.row_number().over(
        partition_by=_v.event_id, order_by=(_v.updated_at.desc(), _v.alert_id)
    )
    numbered = sa.select(views.alerts, place.label("place")).where(_SHOWN).subquery()
    query = (
        sa.select(numbered)
        .where(numbered.c.place <= each)
        .order_by(numbered.c.event_id, numbered.c.place)
    )
    by_event: dict[str, list[Row]] = defaultdict(list)
    for row in _complete(connection, views.rows(connection, query)):
        by_event[row["event_id"]].append(row)
    return by_event


def _complete(connection: sa.Connection, found: list[Row]) -> list[Row]:
    ids = [row["alert_id"] for row in found]
    evidence = _evidence(connection, ids)
    for row in found:
        row["evidence"] = evidence.get(row["alert_id"])
    return found


def _evidence(connection: sa.Connection, alert_ids: Sequence[str]) -> dict[str, Row]:
    """For each alert its most probable matched article, originals before copies."""
    told = tables.alert_articles.c
    place = sa.func.row_number().over(
        partition_by=told.alert_id,
        order_by=(
            sa.case((_a.copy_of.is_(None), 0), else_=1),
            _m.probability.desc(),
            _m.article_id,
        ),
    )
    numbered = (
        sa.select(told.alert_id, *COLUMNS, place.label("place"))
        .select_from(
            covered.join(tables.alert_articles, told.article_id == _m.article_id).join(
                views.alerts, sa.and_(_v.alert_id == told.alert_id, _v.event_id == _m.event_id)
            )
        )
        .where(told.alert_id.in_(alert_ids), _m.matched.is_(True))
        .subquery()
    )
    found = views.rows(connection, sa.select(numbered).where(numbered.c.place == 1))
    return {row["alert_id"]: with_decision(row) for row in found}
