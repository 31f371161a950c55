"""Which poller asks which host: leases in the database, shared out without anybody in charge.

Every poller has a row with the moment until which it may be trusted to be at work, and renews it;
the hosts that name it as their owner are leased for as long. All times are the database's: a lease
is the same for all, whatever their clocks say. A poller itself counts from before it asked for
the renewal, on a clock of its own that nobody sets, and so always stops first.

Each poller takes what should be its own (`ingest.polling.shares`) and is free, and gives back, when
idle, what should be another's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from ingest.feeds import Feed
from ingest.polling import process
from ingest.polling.hosts import host_of
from ingest.polling.shares import shared_out
from store.connection import reading, translated
from store.tables import UtcDateTime, feeds, hosts, pollers
from stream.errors import Unavailable

# Keys in one statement; SQLite takes 32,766.
_KEYS = 5_000
# Any number will do, as long as every release uses the same.
_ADVISORY_LOCK = 0x6C_65_61_73_65_73


class Signs(Struct, frozen=True):
    """What to compare with last time, to know whether anything has changed."""

    live: frozenset[str]  # pollers
    dead: frozenset[str]
    feeds: tuple[int, int, int]  # how many, the sum of the active ones' ids, those without a host
    free: frozenset[str]  # hosts that nobody has leased


class Share(Struct):
    """`mine`: host -> seconds until it may be asked (0 = at once). `surplus`: those of them that
    should be another poller's, or have no active feed. `wanted`: all that should be ours."""

    mine: dict[str, float]
    surplus: set[str]
    wanted: set[str]


class Leases:
    """The leases of one poller; `length` and `gap` in seconds. Belongs to one thread. All methods
    raise Unavailable when the database is away."""

    def __init__(self, engine: sa.Engine, name: str, length: float, gap: float) -> None:
        self.name = name
        self._engine, self._length = engine, timedelta(seconds=length)
        self._gap = timedelta(seconds=gap)
        self._process = process.identity()

    def signs(self) -> Signs:
        """A glance at what others do; cheap."""
        with translated(), reading(self._engine) as db:
            now = _now(db)
            live: set[str] = set()
            dead: set[str] = set()
            for row in db.execute(sa.select(pollers)):
                gone = row.until <= now or process.dead(row.process)
                (dead if gone and row.name != self.name else live).add(row.name)
            active = sa.select(sa.func.coalesce(sa.func.sum(feeds.c.id), 0))
            counts = db.execute(
                sa.select(
                    sa.select(sa.func.count()).select_from(feeds).scalar_subquery(),
                    active.where(feeds.c.state == "active").scalar_subquery(),
                    sa.select(sa.func.count()).where(feeds.c.host == "").scalar_subquery(),
                )
            ).one()
            free = db.execute(sa.select(hosts.c.host).where(hosts.c.owner.is_(None))).scalars()
            return Signs(frozenset(live), frozenset(dead), tuple(counts), frozenset(free))

    def share(self, dead: Collection[str] = ()) -> Share:
        """Renew what we have for another `length` from now, take what should be ours and is free
        (from pollers past their time, and those `dead`, too), and say what we have then: nothing
        of before when our own time had passed and another poller was first to notice."""
        with translated(), self._engine.begin() as db:
            _one_at_a_time(db)
            now = _now(db)
            self._renew(db, now)
            self._bury(db, now, dead)
            weights = _weigh(db, now)
            live = set(db.execute(sa.select(pollers.c.name)).scalars())
            wanted = {host for host, who in shared_out(weights, live).items() if who == self.name}
            t = hosts.c
            free = set(db.execute(sa.select(t.host).where(t.owner.is_(None))).scalars())
            for some in _chunks(sorted(free & wanted)):
                db.execute(hosts.update().where(t.host.in_(some)).values(owner=self.name))
            mine = {
                host: max(0.0, (free_at - now).total_seconds()) if free_at else 0.0
                for host, free_at in db.execute(
                    sa.select(t.host, t.free_at).where(t.owner == self.name)
                )
            }
        return Share(mine, mine.keys() - wanted, wanted)

    def give_back(self, free_in: Mapping[str, float]) -> None:
        """Of hosts that are idle: host -> seconds for which it is not to be asked yet."""
        with translated(), self._engine.begin() as db:
            self._note(db, free_in, owner=None)

    def note(self, free_in: Mapping[str, float]) -> None:
        """Hosts that are not to be asked for so many seconds, for whoever comes after us."""
        with translated(), self._engine.begin() as db:
            self._note(db, free_in, owner=self.name)

    def leave(self, free_in: Mapping[str, float]) -> None:
        """Give everything back, and our name with it. `free_in` need only name those that are
        not to be asked yet."""
        with translated(), self._engine.begin() as db:
            self._note(db, free_in, owner=None)
            db.execute(hosts.update().where(hosts.c.owner == self.name).values(owner=None))
            db.execute(pollers.delete().where(pollers.c.name == self.name))

    # -- within a transaction ----------------------------------------------------------------------

    def _renew(self, db: sa.Connection, now: datetime) -> None:
        t, until = pollers.c, now + self._length
        renewed = db.execute(
            pollers.update().where(t.name == self.name).values(seen=now, until=until)
        )
        if not renewed.rowcount:
            row = {"name": self.name, "process": self._process, "started": now}
            db.execute(pollers.insert().values(**row, seen=now, until=until))

    def _bury(self, db: sa.Connection, now: datetime, dead: Collection[str]) -> None:
        """Their hosts are free, after a gap: they may have asked until a moment ago. Deleting the
        row first makes a poller that wakes up at this moment find it gone."""
        t = pollers.c
        past = sa.or_(t.until <= now, t.name.in_(dead)) & (t.name != self.name)
        gone = list(db.execute(pollers.delete().where(past).returning(t.name)).scalars())
        if not gone:
            return
        soon = now + self._gap
        db.execute(
            hosts.update()
            .where(hosts.c.owner.in_(gone))
            .values(
                owner=None,
                free_at=sa.case(
                    (hosts.c.free_at > soon, hosts.c.free_at), else_=sa.literal(soon, UtcDateTime())
                ),
            )
        )

    def _note(self, db: sa.Connection, free_in: Mapping[str, float], owner: str | None) -> None:
        now, t = _now(db), hosts.c
        rows = [
            {"h": host, "free": now + timedelta(seconds=seconds)}
            for host, seconds in sorted(free_in.items())
        ]
        if rows:
            db.execute(
                hosts.update()
                .where(t.host == sa.bindparam("h"), t.owner == self.name)
                .values(owner=owner, free_at=sa.bindparam("free")),
                rows,
            )


def lost(db: sa.Connection, polled: Iterable[Feed]) -> dict[int, str]:
    """Of feeds that were polled, those whose outcome is no longer ours to save: id -> "removed",
    or "passed-on" when the lease it was read under is another's now. Every save goes by it, so
    that a poller which was held up does not write over what its successor has found. The leases
    stay as they are until the transaction ends."""
    owners: dict[str | None, set[int]] = {}
    for feed in polled:
        owners.setdefault(feed.owner, set()).add(feed.id)
    f, h = feeds.c, hosts.c
    gone: dict[int, str] = {}
    for owner, ids in owners.items():
        query = sa.select(f.id).where(f.id.in_(ids))
        there = set(db.execute(query).scalars())
        ours = there
        if owner is not None:
            leased = query.join(hosts, h.host == f.host).where(h.owner == owner)
            ours = set(db.execute(leased.with_for_update(read=True, of=hosts)).scalars())
        gone |= {i: "passed-on" if i in there else "removed" for i in ids - ours}
    return gone


def listing(engine: sa.Engine) -> list[dict[str, Any]]:
    """The pollers by name, with started, seen and until, whether they are live, and how many
    hosts and active feeds they look after."""
    t, h = pollers.c, hosts.c
    leased = sa.select(sa.func.count()).where(h.owner == t.name).scalar_subquery()
    polled = sa.select(sa.func.count()).join_from(feeds, hosts, h.host == feeds.c.host)
    polled = polled.where(h.owner == t.name, feeds.c.state == "active")
    query = sa.select(pollers, leased.label("hosts"), polled.scalar_subquery().label("feeds"))
    with translated(), reading(engine) as db:
        now, found = _now(db), []
        for row in db.execute(query.order_by(t.name)).mappings():
            live = row["until"] > now and not process.dead(row["process"])
            found.append({**{k: v for k, v in row.items() if k != "process"}, "live": live})
        return found


def _now(db: sa.Connection) -> datetime:
    """By the clock that all pollers share: the server's, or this machine's where the database is
    a file of it."""
    if db.dialect.name != "postgresql":
        return datetime.now(UTC)
    # Not now(): that is when the transaction began, which may have waited for others since.
    at = db.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    if not isinstance(at, datetime):
        raise Unavailable(f"the database does not know the time; it says {at!r}")
    return at.astimezone(UTC)


def _one_at_a_time(db: sa.Connection) -> None:
    """Two that share out together would lock each other's rows crosswise. SQLite's transactions
    come one after the other anyway."""
    if db.dialect.name == "postgresql":
        db.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))


def _weigh(db: sa.Connection, now: datetime) -> dict[str, int]:
    """Active feeds of each host; brings `hosts` up to date with them (feeds are added with their
    host unnamed)."""
    f, h = feeds.c, hosts.c
    unnamed = db.execute(sa.select(f.id, f.url).where(f.host == "")).all()
    if unnamed:
        db.execute(
            feeds.update().where(f.id == sa.bindparam("i")).values(host=sa.bindparam("h")),
            [{"i": number, "h": host_of(url)} for number, url in unnamed],
        )
    query = sa.select(f.host, sa.func.count().label("n")).where(f.state == "active")
    weights = {row.host: int(row.n) for row in db.execute(query.group_by(f.host))}
    known = set(db.execute(sa.select(h.host)).scalars())
    if new := sorted(weights.keys() - known):
        db.execute(hosts.insert(), [{"host": host} for host in new])
    over = h.owner.is_(None) & (h.free_at.is_(None) | (h.free_at < now))
    for some in _chunks(sorted(known - weights.keys())):
        db.execute(hosts.delete().where(h.host.in_(some), over))
    return weights


def _chunks(keys: list[str]) -> Iterable[list[str]]:
    return (keys[start : start + _KEYS] for start in range(0, len(keys), _KEYS))
