"""Stories: what the machine found by itself."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from dashboard.queries import views
from dashboard.queries.views import Row
from store import tables

_s, _a = views.stories.c, views.articles.c


def stories(
    connection: sa.Connection, *, search: str = "", limit: int, offset: int = 0
) -> tuple[list[Row], int]:
    """Stories with news last in them first, and how many there are in all.

    `search` looks for the text in labels and in the headlines of their articles.
    """
    where: list[sa.ColumnElement[bool]] = [_s.merged_into.is_(None)]
    if search:
        headline = sa.select(_a.story_id).where(_a.title.icontains(search, autoescape=True))
        where.append(sa.or_(_s.label.icontains(search, autoescape=True), _s.story_id.in_(headline)))
    query = (
        sa.select(views.stories)
        .where(*where)
        .order_by(sa.nulls_last(_s.last_published.desc()), _s.story_id)
        .limit(limit)
        .offset(offset)
    )
    return views.rows(connection, query), views.count(connection, views.stories, *where)


def newest(connection: sa.Connection, limit: int) -> list[Row]:
    """The stories that moved last, found through the newest articles.

    The view has to add up every article; going through the index on event_time keeps the first
    page quick when there are a million.
    """
    # A busy story fills many of the newest rows: look at enough of them to find `limit` stories.
    recent = sa.select(_a.story_id).order_by(_a.event_time.desc(), _a.article_id)
    ids = connection.execute(recent.limit(limit * 40)).scalars()
    first = list(dict.fromkeys(ids))[:limit]
    found = views.rows(connection, sa.select(views.stories).where(_s.story_id.in_(first)))
    return sorted(found, key=lambda row: first.index(row["story_id"]))


def story(connection: sa.Connection, story_id: str) -> Row | None:
    """One story; a merged one carries `merged_into`."""
    found = views.rows(connection, sa.select(views.stories).where(_s.story_id == story_id))
    return found[0] if found else None


def labels(connection: sa.Connection, ids: Sequence[str]) -> dict[str, str]:
    t = tables.stories.c
    found = connection.execute(sa.select(t.id, t.label).where(t.id.in_(ids)))
    return {row.id: row.label for row in found}


def members(connection: sa.Connection, story_id: str, limit: int) -> list[Row]:
    """Articles of a story, oldest first, each original with its `copies`.

    A copy whose original is not among the rows stands by itself.
    """
    query = (
        sa.select(views.articles)
        .where(_a.article_id.in_(_inside(story_id)))
        .order_by(_a.event_time, _a.article_id)
        .limit(limit)
    )
    found = views.rows(connection, query)
    by_id = {row["article_id"]: {**row, "copies": []} for row in found}
    tops = []
    for row in by_id.values():
        original = by_id.get(row["copy_of"] or "")
        if original is None or original is row:
            tops.append(row)
        else:
            original["copies"].append(row)
    return tops


# A saga longer than that is read from its nearest parts on.
MOST_LINKS = 12


def chain(connection: sa.Connection, story: Row) -> list[Row]:
    """The stories that this one continues and those that continue it, earliest first, itself
    between them; empty when it stands alone."""
    t = tables.stories.c
    before, after = list[str](), list[str]()
    link = story["continues"]
    while link and link not in before and len(before) < MOST_LINKS:
        before.append(link)
        link = connection.execute(sa.select(t.continues).where(t.id == link)).scalar()
    ends = [story["story_id"]]
    while ends and len(after) < MOST_LINKS:
        ends = list(connection.execute(
            sa.select(t.id).where(t.continues.in_(ends), t.merged_into.is_(None)).order_by(t.id)
        ).scalars())  # fmt: skip
        after += [one for one in ends if one not in after]
    if not before and not after:
        return []
    wanted = [*reversed(before), story["story_id"], *after[:MOST_LINKS]]
    found = views.rows(connection, sa.select(views.stories).where(_s.story_id.in_(wanted)))
    by_id = {row["story_id"]: row for row in found}
    return [by_id[one] for one in wanted if one in by_id]


def _inside(story_id: str) -> sa.Select[tuple[str]]:
    """Ids of the articles of a story: through the table, whose index the view hides."""
    return sa.select(tables.articles.c.id).where(tables.articles.c.story_id == story_id)


def events_of(connection: sa.Connection, story_id: str) -> list[Row]:
    """Events that articles of this story matched, with how many."""
    m, e = views.matches.c, views.events.c
    number = sa.func.count().label("articles")
    query = (
        sa.select(m.event_id, e.title, number)
        .select_from(views.matches.join(views.events, e.event_id == m.event_id))
        .where(m.article_id.in_(_inside(story_id)), m.matched.is_(True))
        .group_by(m.event_id, e.title)
        .order_by(number.desc(), m.event_id)
    )
    return views.rows(connection, query)
