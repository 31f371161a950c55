"""How a feed is, in one word and one sentence, from what its row says. Pure but for `count`.

Judged at every poll and stored with it, so that showing ten thousand feeds computes nothing, and
so that an outage of ours makes no feed look silent: nobody asked it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus

import sqlalchemy as sa
from prometheus_client import Gauge

from ingest.feeds import Feed
from ingest.policy import moves, rhythm
from ingest.settings import IngestSettings
from store.connection import reading, translated
from store.tables import feeds

OK, NEW = "ok", "new"
SILENT, STALE, EMPTY = "silent", "stale", "empty"
DYING, GONE, BLOCKED, MALFORMED = "dying", "gone", "blocked", "malformed"
MOVED, DUPLICATED = "moved", "duplicated"
STATES = (OK, NEW, SILENT, STALE, EMPTY, DYING, GONE, BLOCKED, MALFORMED, MOVED, DUPLICATED)

# One error in a row is the web; of 10,000 feeds some hundred have one at any time. Three in a
# row, with the waits between them, last a quarter of an hour at least.
ERRORS_IN_ROW = 3
# 404 and 410 are believed after this many in a row: servers in trouble have sent both.
GONE_AFTER = 5
# A feed nine of whose ten items another feed shows too brings nothing of its own.
SAME_ITEMS = 0.9

_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_REFUSED = (
    HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS,
)  # fmt: skip

_gauge = Gauge("dateline_ingest_feeds", "Feeds that are not paused, by health", ["health"])


def judged(feed: Feed, now: datetime, settings: IngestSettings) -> dict[str, object]:
    """The columns health, health_since and why of a feed whose other columns are already those
    after its poll at `now`."""
    state, why = _failing(feed) if feed.errors_in_row else _answering(feed, now, settings)
    if state == feed.health:
        return {"health": state, "health_since": feed.health_since or now, "why": why}
    return {"health": state, "health_since": now, "why": why}


def _failing(feed: Feed) -> tuple[str, str | None]:
    errors, said = feed.errors_in_row, feed.error or "no answer"
    if errors < ERRORS_IN_ROW:
        return feed.health, feed.why
    why = f"{errors:,} failed polls in a row, now: {said}"
    if feed.last_status in _GONE:
        return (GONE if errors >= GONE_AFTER else DYING), why
    if feed.outcome == "page" or feed.last_status in _REFUSED:
        return BLOCKED, why
    if feed.outcome == "empty":
        return EMPTY, why
    return (MALFORMED if feed.last_status == HTTPStatus.OK else DYING), why


def ended(feed: Feed) -> bool:
    """Has its last document said that nothing more will come?"""
    return bool((feed.hints or {}).get("ended"))


def _answering(feed: Feed, now: datetime, settings: IngestSettings) -> tuple[str, str | None]:
    quiet = now - (feed.last_new or feed.added)
    limit = rhythm.silent_after(feed.longest_pause, now - feed.added)
    if ended(feed):
        return GONE, "the feed says that nothing more will come"
    if feed.flaw:
        return MALFORMED, feed.flaw
    if quiet > rhythm.STALE_AFTER:
        return STALE, f"nothing new for {_days(quiet)}"
    if quiet > limit:
        usual = timedelta(seconds=feed.longest_pause or 0)
        return SILENT, (
            f"nothing new for {_days(quiet)}; its longest pause of late was {_days(usual)}"
        )
    if feed.shown == 0:
        return EMPTY, "the document holds no items"
    if feed.moved_to:
        if moves.stayed(feed, now, settings):
            return MOVED, (
                f"moved to {feed.moved_to}, which is polled as a feed of its own; remove this one"
            )
        return MOVED, f"redirects permanently to {feed.moved_to}; believed when that has lasted"
    if feed.twin and (feed.twin_share or 0) >= SAME_ITEMS:
        return DUPLICATED, f"{feed.twin_share:.0%} of its items are also in {feed.twin}"
    return OK, None


def _days(length: timedelta) -> str:
    hours = length.total_seconds() / 3600
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"


def count(engine: sa.Engine) -> dict[str, int]:
    """Feeds that are not paused by health, every state named; also set as a metric."""
    query = (
        sa.select(feeds.c.health, sa.func.count())
        .where(feeds.c.state != "paused")
        .group_by(feeds.c.health)
    )
    with translated(), reading(engine) as db:
        found: dict[str, int] = dict(db.execute(query).all())
    for state in STATES:
        _gauge.labels(state).set(found.get(state, 0))
    return {state: found.get(state, 0) for state in STATES}
