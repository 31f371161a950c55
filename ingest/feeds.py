"""The feeds table: which feeds there are, which are due, what is known about each."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from msgspec import Struct, structs

from ingest.articles import urls
from store.connection import reading, translated
from store.tables import feed_items, hosts
from store.tables import feeds as table
from stream.errors import UsageError

# Feeds that are added together become due spread over this many seconds for each hundred, so
# that importing ten thousand does not start ten thousand requests in one minute.
_SPREAD_PER_HUNDRED = 30.0

# Until its first answer says more (the column is only used to back off from errors then).
_FIRST_INTERVAL = 300.0

# Rows to one statement when many are added: enough to be fast, often enough for a progress bar.
_CHUNK = 500


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
    folder: str | None = None
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
    hints: dict[str, Any] | None = None  # `ingest.documents.items.Hints`
    shown: int | None = None  # items in the last document
    flaw: str | None = None  # what of it could not be read
    outcome: str | None = None  # of the last poll: ok, unchanged, or what kind of error
    longest_pause: float | None = None  # seconds, fading: `ingest.policy.rhythm`
    twin: str | None = None  # URL of the feed that shows most of the same items
    twin_share: float | None = None
    health: str = "new"  # `ingest.policy.health`
    health_since: datetime | None = None
    why: str | None = None
    full_text: bool | None = None  # also ask the articles' pages; None = as the settings say
    host: str = ""  # `ingest.polling.hosts.host_of(url)`
    owner: str | None = None  # the poller that read it under a lease; no column


class Entry(Struct, kw_only=True, frozen=True):
    """What an operator says of a feed; None = nothing."""

    url: str
    title: str | None = None
    outlet: str | None = None
    folder: str | None = None  # names from the outermost, with "/" between
    full_text: bool | None = None
    paused: bool = False


class Added(Struct):
    """What became of entries: the new ones, and those polled already with the address used."""

    new: list[Entry] = []
    known: list[tuple[Entry, str]] = []


def _feed(row: Any) -> Feed:
    return Feed(**row._mapping)


def address(url: str) -> str:
    """`url` as it is stored. Raises UsageError when it is no http(s) address."""
    url = url.strip().replace(" ", "%20")
    if "://" not in url:
        url = f"https://{url}"
    if urls.canonical(url) is None or not url.isprintable():
        raise UsageError(f"{url[:200]!r} is not an http or https address; name the feed's URL")
    return url.partition("#")[0]


def key(url: str) -> str:
    """What two addresses of one feed have in common: no scheme, www, default port or slash at
    the end. Queries count: they often choose the section."""
    parts = urlsplit(urls.canonical(url) or url)
    host = parts.netloc.removeprefix("www.")
    query = urlsplit(url).query  # whole: to an article's address some of it would be tracking
    return f"{host}{parts.path.rstrip('/')}" + (f"?{query}" if query else "")


def folder_names(folder: str | None) -> list[str]:
    """The names of a folder's path, from the outermost; [] for none."""
    return [name.strip() for name in (folder or "").split("/") if name.strip()]


def sort_out(entries: Iterable[Entry], polled: Iterable[str]) -> Added:
    """What of `entries` would be new beside the feeds that are polled; writes nothing. Raises
    UsageError when one of them is no address."""
    there = {key(url): url for url in polled}
    added = Added()
    for entry in entries:
        url = address(entry.url)
        if same := there.get(key(url)):
            added.known.append((entry, same))
        else:
            there[key(url)] = url
            added.new.append(structs.replace(entry, url=url))
    return added


def add_many(
    engine: sa.Engine,
    entries: Iterable[Entry],
    *,
    now: datetime | None = None,
    replace: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Added:
    """Register all entries in one transaction (`progress` hears how many are written), due from
    `now` on (default the wall's clock). Feeds that are polled already stay as they are, unless
    `replace`: then what an entry gives replaces what is stored."""
    now = now or datetime.now(UTC)
    with translated(), engine.begin() as db:
        added = sort_out(entries, db.execute(sa.select(table.c.url)).scalars())
        rows = [
            {
                **_given(entry),
                "url": entry.url,
                "state": "paused" if entry.paused else "active",
                "added": now,
                "next_at": now + timedelta(seconds=n // 100 * _SPREAD_PER_HUNDRED),
                "interval_s": _FIRST_INTERVAL,
                "errors_in_row": 0,
            }
            for n, entry in enumerate(added.new)
        ]
        for start in range(0, len(rows), _CHUNK):
            # Whoever adds the same feed at this moment has added it: that is no error.
            _insert_new(db, rows[start : start + _CHUNK])
            if progress:
                progress(min(start + _CHUNK, len(rows)))
        for entry, url in added.known if replace else ():
            if given := {k: v for k, v in _given(entry).items() if v is not None}:
                db.execute(table.update().where(table.c.url == url).values(**given))
    return added


def _insert_new(db: sa.Connection, rows: list[dict[str, object]]) -> None:
    if db.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
    db.execute(insert(table).on_conflict_do_nothing(index_elements=["url"]), rows)


def _given(entry: Entry) -> dict[str, object]:
    return {name: getattr(entry, name) for name in ("title", "outlet", "folder", "full_text")}


def add(
    engine: sa.Engine,
    url: str,
    outlet: str | None = None,
    *,
    title: str | None = None,
    now: datetime | None = None,
) -> bool:
    """Register one feed, due at once; True when it was not there. An outlet or title given for a
    known feed replaces the stored one."""
    entry = Entry(url=url, outlet=outlet, title=title)
    return bool(add_many(engine, [entry], now=now, replace=True).new)


def find(engine: sa.Engine, url: str) -> Feed:
    """The feed that is polled at `url`, or at another way to write it. Raises UsageError when
    there is none."""
    with translated(), reading(engine) as db:
        row = db.execute(sa.select(table).where(table.c.url == url)).first()
        if row is None:
            there = {key(known): known for known in db.execute(sa.select(table.c.url)).scalars()}
            same = there.get(key(address(url)))
            row = db.execute(sa.select(table).where(table.c.url == same)).first()
    if row is None:
        near = difflib.get_close_matches(key(url), there, n=1)
        hint = f"did you mean {there[near[0]]}?" if near else "see `dateline feeds list`"
        raise UsageError(f"{url} is not among the feeds; {hint}")
    return _feed(row)


def remove(engine: sa.Engine, url: str) -> bool:
    """Forget the feed; what it brought stays. False when it was not there."""
    with translated(), engine.begin() as db:
        ids = sa.select(table.c.id).where(table.c.url == url.strip())
        db.execute(feed_items.delete().where(feed_items.c.feed_id.in_(ids)))
        return bool(db.execute(table.delete().where(table.c.url == url.strip())).rowcount)


def set_state(engine: sa.Engine, url: str, state: str, *, now: datetime) -> bool:
    """ "paused", or "active" and due at once. False when there is no such feed."""
    values: dict[str, object] = {"state": state}
    if state == "active":
        values |= {"next_at": now, "errors_in_row": 0}
    with translated(), engine.begin() as db:
        return bool(db.execute(table.update().where(table.c.url == url).values(**values)).rowcount)


def poll_now(engine: sa.Engine, url: str, *, now: datetime) -> bool:
    """Make an active feed due. False when there is no such feed."""
    due = table.update().where(table.c.url == url, table.c.state == "active")
    with translated(), engine.begin() as db:
        return bool(db.execute(due.values(next_at=now)).rowcount)


def listing(engine: sa.Engine) -> list[Feed]:
    """All feeds, by URL."""
    with translated(), reading(engine) as db:
        return [_feed(row) for row in db.execute(sa.select(table).order_by(table.c.url))]


def exists(engine: sa.Engine, feed_id: int) -> bool:
    with translated(), reading(engine) as db:
        return db.execute(sa.select(sa.exists().where(table.c.id == feed_id))).scalar_one()


def due(
    engine: sa.Engine, now: datetime, *, owner: str | None = None, limit: int = 1000
) -> list[Feed]:
    """Active feeds (of the hosts that `owner` has leased) whose time has come; the last ones to
    become due come first."""
    query = sa.select(table).where(table.c.state == "active", table.c.next_at <= now)
    query = query.order_by(table.c.next_at.desc(), table.c.id).limit(limit)
    return _read(engine, query, owner)


def held(engine: sa.Engine, owner: str, ids: Collection[int] | None = None) -> list[Feed]:
    """The active feeds (among `ids`) of the hosts that `owner` has leased."""
    query = sa.select(table).where(table.c.state == "active")
    if ids is not None:
        query = query.where(table.c.id.in_(ids))
    return _read(engine, query, owner)


def _read(engine: sa.Engine, query: sa.Select[Any], owner: str | None) -> list[Feed]:
    if owner is not None:
        query = query.join(hosts, hosts.c.host == table.c.host).where(hosts.c.owner == owner)
    with translated(), reading(engine) as db:
        found = [_feed(row) for row in db.execute(query)]
    for feed in found:
        feed.owner = owner
    return found
