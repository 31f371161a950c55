"""Feeds: what is read, and how that goes."""

from __future__ import annotations

import sqlalchemy as sa

from dashboard.queries import views
from dashboard.queries.views import Row


def feeds(connection: sa.Connection, *, limit: int, offset: int = 0) -> tuple[list[Row], int]:
    """Feeds that fail or are unwell first, then by outlet; and how many there are in all."""
    f = views.feeds.c
    unwell = sa.and_(f.state == "active", f.health.not_in(("ok", "new")))
    query = (
        sa.select(views.feeds)
        .order_by(sa.case((f.error.is_not(None), 0), (unwell, 1), else_=2), f.outlet, f.url)
        .limit(limit)
        .offset(offset)
    )
    return views.rows(connection, query), views.count(connection, views.feeds)
