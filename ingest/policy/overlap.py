"""Which other feed shows the same items."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from ingest.feeds import Feed
from store.tables import feed_items, feeds


def due(feed: Feed, now: datetime, fresh: int) -> bool:
    """Looked at with a day's first news: a feed does not become another's copy within hours."""
    return fresh > 0 and feed.last_new is not None and feed.last_new.date() != now.date()


def twin(db: sa.Connection, feed: Feed, at: datetime) -> tuple[str, float] | None:
    """The URL of the feed that has shown most of the articles in the document of the poll `at`,
    and how many of them (0 to 1); None when no other feed has shown any."""
    mine, other = feed_items.alias(), feed_items.alias()
    shown = (mine.c.feed_id == feed.id) & (mine.c.last_seen == at)
    both = sa.func.count(sa.distinct(other.c.article_id)).label("both")
    best = db.execute(
        sa.select(feeds.c.url, both)
        .select_from(mine)
        .join(other, (other.c.article_id == mine.c.article_id) & (other.c.feed_id != feed.id))
        .join(feeds, feeds.c.id == other.c.feed_id)
        .where(shown, feeds.c.state == "active")
        .group_by(feeds.c.url)
        .order_by(both.desc(), feeds.c.url)
        .limit(1)
    ).one_or_none()
    if best is None:
        return None
    all_of_mine = db.execute(
        sa.select(sa.func.count(sa.distinct(mine.c.article_id))).where(shown)
    ).scalar_one()
    return best.url, best.both / all_of_mine
