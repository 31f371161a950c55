"""How the whole is doing: the counts in the header, and whether anything changed."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from dashboard.queries import views
from dashboard.queries.views import Row, count
from store import tables

# The five ends of an item, in the order in which people ask for them.
_FATES = ("stored", "revised", "duplicate", "filtered", "dead")


def counts(connection: sa.Connection) -> Row:
    """Articles, stories, events and feeds, the newest article, and the fates by stage."""
    a, e, f = views.articles.c, views.events.c, views.feeds.c
    newest = sa.select(sa.func.max(a.fetched), sa.func.max(a.event_time))
    fetched, published = connection.execute(newest).one()
    by_stage = fates(connection)
    return {
        "articles": count(connection, views.articles),
        "copies": count(connection, views.articles, a.copy_of.is_not(None)),
        "stories": count(connection, tables.stories, tables.stories.c.merged_into.is_(None)),
        "events": count(connection, views.events, e.removed.is_(False)),
        "matches": count(connection, views.matches, views.matches.c.matched.is_(True)),
        "feeds": count(connection, views.feeds),
        "feeds_failing": count(connection, views.feeds, f.error.is_not(None)),
        "newest_fetched": fetched,
        "newest_published": published,
        "fates": by_stage,
        # Every item that was seen, by its fate: ingest counts them all.
        "ledger": by_stage.get("ingest") or by_stage.get("database") or {},
    }


def fates(connection: sa.Connection) -> dict[str, dict[str, int]]:
    """`{stage: {fate: how many}}`."""
    f = views.fates.c
    query = sa.select(f.stage, f.fate, sa.func.sum(f["count"])).group_by(f.stage, f.fate)
    counted = {(stage, fate): int(n or 0) for stage, fate, n in connection.execute(query)}
    found: dict[str, dict[str, int]] = {}
    for stage, fate in sorted(
        counted, key=lambda key: (key[0], _FATES.index(key[1]) if key[1] in _FATES else len(_FATES))
    ):
        found.setdefault(stage, {})[fate] = counted[stage, fate]
    return found


def fate_reasons(connection: sa.Connection) -> list[Row]:
    f = views.fates.c
    return views.rows(connection, sa.select(views.fates).order_by(f.stage, f.fate, f.reason))


def change_tag(connection: sa.Connection) -> str:
    """A short text that differs whenever what the desk shows may differ.

    Everything derived moves with the sink's positions; feeds have their own writer.
    """
    p, f = tables.positions.c, tables.feeds.c
    positions = connection.execute(
        sa.select(p.topic, p.partition, p.next).order_by(p.topic, p.partition)
    ).all()
    feeds = connection.execute(
        sa.select(sa.func.count(), sa.func.max(f.last_at), sa.func.sum(f.errors_in_row))
    ).one()
    told = f"{[tuple(row) for row in positions]}{tuple(feeds)}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]
