"""One article: its text, its revisions, its copies and what feed brought it."""

from __future__ import annotations

import sqlalchemy as sa

from dashboard.queries import views
from dashboard.queries.views import Row
from store import tables

_a, _t = views.articles.c, tables.articles.c


def article(connection: sa.Connection, article_id: str) -> Row | None:
    query = (
        sa.select(*views.articles.c, _t.text, _t.considered, _t.first_story_id)
        .select_from(views.articles.join(tables.articles, _t.id == _a.article_id))
        .where(_a.article_id == article_id)
    )
    found = views.rows(connection, query)
    return found[0] if found else None


def revisions(connection: sa.Connection, article_id: str, limit: int) -> list[Row]:
    """The newest `limit` revisions, oldest first: number, title, text, fetched, diff."""
    r = tables.revisions.c
    query = (
        sa.select(r.number, r.title, r.text, r.fetched, r.diff)
        .where(r.article_id == article_id)
        .order_by(r.number.desc())
        .limit(limit)
    )
    return views.rows(connection, query)[::-1]


def copies(connection: sa.Connection, article_id: str, limit: int) -> list[Row]:
    query = (
        sa.select(_a.article_id, _a.title, _a.outlet, _a.outlet_name, _a.published, _a.fetched)
        .where(_a.copy_of == article_id)
        .order_by(_a.fetched, _a.article_id)
        .limit(limit)
    )
    return views.rows(connection, query)


def headline(connection: sa.Connection, article_id: str) -> Row | None:
    query = sa.select(_a.article_id, _a.title, _a.outlet, _a.outlet_name).where(
        _a.article_id == article_id
    )
    found = views.rows(connection, query)
    return found[0] if found else None
