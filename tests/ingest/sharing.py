"""Feeds for pollers that share a table of them, and how long one may take in a test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from ingest import feeds
from ingest.feeds import Entry
from store.tables import pollers
from tests.ingest.world import START

PATIENCE_S = 30


def add_feeds(engine: sa.Engine, count: int, per_host: int = 1) -> None:
    urls = [f"https://outlet{n // per_host}.example/{n}" for n in range(count)]
    feeds.add_many(engine, [Entry(url=url) for url in urls], now=START)


def let_pass(engine: sa.Engine, name: str) -> None:
    """The time of a poller is over, by the database's clock."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    with engine.begin() as db:
        db.execute(pollers.update().where(pollers.c.name == name).values(until=past))
