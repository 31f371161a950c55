"""The feeds table: which feeds there are, which are due, what is known about each."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from ingest import schedule, urls
from ingest.settings import IngestSettings
from store.engine import reading, translated
from store.tables import feed_items
from store.tables import feeds as table
from stream.errors import UsageError

# Feeds that are added together become due spread over this many seconds for each hundred, so
# that importing ten thousand does not start ten thousand requests in one minute.
_SPREAD_PER_HUNDRED = 30.0

# Until its first answer says more (the column is only used to back off from errors then).
_FIRST_INTERVAL = 300.0


class Feed(Struct, kw_only=True):
    """One row; times are aware UTC, `interval_s` in seconds."""

    id: int
    url: str
    state: str  # active | paused | gone
    added: datetime
    next_at: datetime
    interval_s: float
    errors_in_row: int = 0
    outlet: str | None = None
    title: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None
    last_at: datetime | None = None
    last_ok: datetime | None = None
    last_status: int | None = None
    error: str | None = None
    last_new: datetime | None = None
    items_per_day: float | None = None
    moved_to: str | None = None
    moved_since: datetime | None = None
    hints: dict[str, Any] | None = None  # `ingest.items.Hints`


def _feed(row: Any) -> Feed:
    return Feed(**row._mapping)


def address(url: str) -> str:
    """`url` as it is stored. Raises UsageError when it is no http(s) address."""
    url = url.strip()
    if "://" not in url:
        url = f"https://{url}"
    if urls.canonical(url) is None:
        raise UsageError(f"{url[:200]!r} is not an http or https address; name the feed's URL")
    return url.partition("#")[0]


def add(
    engine: sa.Engine,
    url: str,
    outlet: str | None = None,
    *,
    title: str | None = None,
    now: datetime | None = None,
) -> bool:
    """Register one feed, due at once (`now`: by which clock, default the wall's); True when it
    was not there. An outlet or title given for a known feed replaces the stored one."""
    return add_many(engine, [(url, outlet, title)], now=now) == 1


def add_many(
    engine: sa.Engine,
    entries: Iterable[tuple[str, str | None, str | None]],
    *,
    now: datetime | None = None,
) -> int:
    """Register (url, outlet, title) entries in one transaction; how many are new. Raises
    UsageError, adding none, when one of them is no address."""
    wanted = {address(url): (outlet, title) for url, outlet, title in entries}
    now = now or datetime.now(UTC)
    new = 0
    with translated(), engine.begin() as db:
        known = set(db.execute(sa.select(table.c.url)).scalars())
        for n, (url, (outlet, title)) in enumerate(wanted.items()):
            given = {k: v for k, v in (("outlet", outlet), ("title", title)) if v}
            if url not in known:
                late = timedelta(seconds=n // 100 * _SPREAD_PER_HUNDRED)
                db.execute(
                    table.insert().values(
                        url=url, added=now, next_at=now + late,
                        interval_s=_FIRST_INTERVAL, state="active", errors_in_row=0, **given,
                    )
                )  # fmt: skip
                new += 1
            elif given:
                db.execute(table.update().where(table.c.url == url).values(**given))
    return new


def remove(engine: sa.Engine, url: str) -> bool:
    """Forget the feed; what it brought stays. False when it was not there."""
    with translated(), engine.begin() as db:
        ids = sa.select(table.c.id).where(table.c.url.in_((url, url.strip())))
        db.execute(feed_items.delete().where(feed_items.c.feed_id.in_(ids)))
        return bool(db.execute(table.delete().where(table.c.url.in_((url, url.strip())))).rowcount)


def set_state(engine: sa.Engine, url: str, state: str, *, now: datetime) -> bool:
    """ "paused", or "active" and due at once. False when there is no such feed."""
    values: dict[str, object] = {"state": state}
    if state == "active":
        values |= {"next_at": now, "errors_in_row": 0}
    with translated(), engine.begin() as db:
        return bool(db.execute(table.update().where(table.c.url == url).values(**values)).rowcount)


def listing(engine: sa.Engine) -> list[Feed]:
    """All feeds, by URL."""
    with translated(), reading(engine) as db:
        return [_feed(row) for row in db.execute(sa.select(table).order_by(table.c.url))]


def exists(engine: sa.Engine, feed_id: int) -> bool:
    with translated(), reading(engine) as db:
        return db.execute(sa.select(sa.exists().where(table.c.id == feed_id))).scalar_one()


def due(
    engine: sa.Engine, now: datetime, *, busy: Collection[int] = (), limit: int = 1000
) -> list[Feed]:
    """Active feeds whose time has come and that are not being polled, the longest waiting first."""
    query = (
        sa.select(table)
        .where(table.c.state == "active", table.c.next_at <= now, table.c.id.not_in(busy))
        .order_by(table.c.next_at, table.c.id)
        .limit(limit)
    )
    with translated(), reading(engine) as db:
        return [_feed(row) for row in db.execute(query)]


def next_due(engine: sa.Engine, *, busy: Collection[int] = ()) -> datetime | None:
    """When the next feed becomes due; None when no feed is active."""
    query = sa.select(sa.func.min(table.c.next_at)).where(
        table.c.state == "active", table.c.id.not_in(busy)
    )
    with translated(), reading(engine) as db:
        return db.execute(query).scalar_one_or_none()


# 410 Gone is believed after this many in a row: servers in trouble have sent it by mistake.
_GONE_AFTER = 5


def after_error(
    feed: Feed,
    now: datetime,
    settings: IngestSettings,
    *,
    sentence: str,
    status: int | None,
    retry_after: float | None,
) -> dict[str, object]:
    """The columns that a failed poll changes."""
    errors = feed.errors_in_row + 1
    wait = schedule.backoff(feed.interval_s, errors, settings, retry_after=retry_after)
    gone = status == 410 and errors >= _GONE_AFTER
    return {
        "last_at": now,
        "last_status": status,
        "error": sentence,
        "errors_in_row": errors,
        "next_at": schedule.next_at(now, wait, feed.url),
        "state": "gone" if gone else feed.state,
    }


def after_success(
    feed: Feed,
    now: datetime,
    settings: IngestSettings,
    *,
    status: int,
    max_age: float | None,
    new: int,
    dates: Iterable[datetime] = (),
    missed: bool = False,
) -> dict[str, object]:
    """The columns that a successful poll changes, apart from what the document itself says."""
    if feed.items_per_day is None or feed.last_ok is None:
        per_day = schedule.first_rate(list(dates), now)
    else:
        elapsed = (now - feed.last_ok).total_seconds()
        per_day = schedule.rate(feed.items_per_day, new, elapsed)
    wait = schedule.interval(per_day, settings, max_age=max_age, missed=missed)
    values: dict[str, object] = {
        "last_at": now,
        "last_ok": now,
        "last_status": status,
        "error": None,
        "errors_in_row": 0,
        "items_per_day": per_day,
        "interval_s": wait,
        "next_at": schedule.next_at(now, wait, feed.url),
    }
    return values | {"last_new": now} if new else values
