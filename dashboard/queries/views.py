"""The public views as the desk joins them, and two small helpers.

Texts, revisions, definitions and positions are not in the views; those come from `store.tables`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy import Text

from store import views

Row: TypeAlias = dict[str, Any]

articles = views.v_articles.table
stories = views.v_stories.table
events = views.v_events.table
matches = views.v_matches.table
alerts = views.v_alerts.table
feeds = views.v_feeds.table
fates = views.v_fates.table


def rows(connection: sa.Connection, query: sa.Select[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(query).mappings()]


def count(connection: sa.Connection, view: sa.FromClause, *where: sa.ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count()).select_from(view).where(*where)
    return int(connection.execute(query).scalar_one())


def day(connection: sa.Connection, moment: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """The UTC day of a moment as ISO text."""
    if connection.dialect.name == "postgresql":
        return sa.func.to_char(sa.func.timezone("UTC", moment), "YYYY-MM-DD", type_=Text())
    return sa.func.date(moment, type_=Text())
