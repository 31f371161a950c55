"""Pausing, resuming, asking at once, removing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from dateline.commands.feeds import words
from dateline.commands.feeds.access import to_read
from dateline.commands.shared import Db, settings

Url = Annotated[str, typer.Argument(metavar="URL", help="As `dateline feeds list` shows it.")]


def pause(url: Url, db: Db = None) -> None:
    """Stop polling a feed for now."""
    _change(url, db, "paused")


def resume(url: Url, db: Db = None) -> None:
    """Poll a paused feed again, at once; a failing one forgets its errors."""
    _change(url, db, "active")


def poll_now(url: Url, db: Db = None) -> None:
    """Make a feed due at once, whatever its rhythm says."""
    _change(url, db, "due")


def remove(url: Url, db: Db = None) -> None:
    """Stop polling a feed for good; what it brought stays."""
    _change(url, db, "removed")


def _change(url: str, db: str | None, to: str) -> None:
    from ingest import feeds
    from stream.errors import UsageError

    now = datetime.now(UTC)
    with to_read(settings(db)) as engine:
        if engine is None:
            raise UsageError("there is no database yet, so no feeds; `dateline feeds add URL`")
        feed = feeds.find(engine, url)
        if to == "due":
            if feed.state != "active":
                raise UsageError(f"{feed.url} is {feed.state}; `dateline feeds resume URL` first")
            feeds.poll_now(engine, feed.url, now=now)
        elif to == "removed":
            feeds.remove(engine, feed.url)
        else:
            feeds.set_state(engine, feed.url, to, now=now)
    said = {"due": "is due now", "removed": "is polled no more", "active": "is polled again"}
    words.out().print(words.text(f"{feed.url} {said.get(to, f'is {to}')}."), soft_wrap=True)
