"""Permanent redirects: watched for a week, then the feed is known by its new address.

A 301 may be a mistake, a hijacked domain or a hotel's login page. So it is followed at once but
believed only when it has led to the same place for `moved_after`, and only by a poll that found
the feed there. What the feed has brought stays its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from ingest.articles import urls
from ingest.feeds import Feed, key
from ingest.polling.hosts import host_of
from ingest.settings import IngestSettings
from store.tables import feeds, identities

# Longer addresses hold a session or an attack; neither should be asked for ever.
_MAX_URL = 2000
_say = structlog.get_logger("dateline.ingest")


def watch(feed: Feed, target: str | None, now: datetime) -> dict[str, object]:
    """The columns after a poll that ended at `target` by permanent redirects only (None = it was
    answered at its own address, or a redirect on the way was temporary)."""
    target = target.partition("#")[0] if target else None
    if not target or target == feed.url or len(target) > _MAX_URL or not urls.canonical(target):
        return {"moved_to": None, "moved_since": None}
    if target == feed.moved_to and feed.moved_since and feed.moved_since <= now:
        return {"moved_to": target, "moved_since": feed.moved_since}
    _say.info("ingest.feed_moves", feed=feed.url, to=target)
    return {"moved_to": target, "moved_since": now}


def stayed(feed: Feed, now: datetime, settings: IngestSettings) -> bool:
    """Has the redirect been there long enough to be believed?"""
    return feed.moved_since is not None and now - feed.moved_since >= timedelta(
        seconds=settings.moved_after
    )


def adopt(db: sa.Connection, feed: Feed, now: datetime) -> dict[str, object]:
    """Make `feed.moved_to` its address: the columns to change, none when that address is polled
    as a feed of its own. Its articles stay its wording; polls keep the address that was asked."""
    assert feed.moved_to is not None
    host = host_of(feed.moved_to)
    near = sa.select(feeds.c.url).where(feeds.c.host == host, feeds.c.id != feed.id)
    if any(key(url) == key(feed.moved_to) for url in db.execute(near).scalars()):
        return {}
    db.execute(
        identities.update().where(identities.c.source == feed.url).values(source=feed.moved_to)
    )
    _say.warning("ingest.feed_moved", feed=feed.url, to=feed.moved_to, since=str(feed.moved_since))
    return {
        "url": feed.moved_to, "host": host, "moved_to": None,
        "moved_since": None, "health": "ok", "health_since": now, "why": f"was at {feed.url}",
    }  # fmt: skip
