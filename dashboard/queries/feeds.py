"""Feeds: what is read, and how that goes."""

from __future__ import annotations

import sqlalchemy as sa

from dashboard.queries import views
from dashboard.queries.views import Row


def feeds(connection: sa.Connection, *, limit: int, offset: int = 0) -> tuple[list[Row], int]:
    """Failing feeds first, then by outlet; and how many there are in all."""
    f = views.feeds.c
    query = (
        sa.select(views.feeds)
        .order_by(sa.case((f.error.is_not(None), 0), else_=1), f.outlet, f.url)
        .limit(limit)
        .offset(offset)
    )
    return views.rows(connection, query), views.count(connection, views.feeds)
