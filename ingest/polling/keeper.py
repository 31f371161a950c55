"""A poller's hold on its part of the feeds: renews its leases, notices what others change, and
keeps the agenda as leases and feeds table have it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import ParamSpec, TypeVar

import sqlalchemy as sa
import structlog
from prometheus_client import Gauge

from ingest import feeds
from ingest.clock import Clock
from ingest.feeds import Feed
from ingest.policy import schedule
from ingest.polling import process
from ingest.polling.agenda import Agenda
from ingest.polling.hosts import Hosts
from ingest.polling.leases import Leases, Signs
from ingest.settings import IngestSettings
from stream.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

# How soon (real seconds) feeds that another process added or paused, and hosts that another poller
# gave back, are noticed. A look costs a few milliseconds at 10,000 feeds.
_LOOK_S = 2.0
# Leases are renewed after this part of their length: two renewals may fail before they end.
_RENEW_AFTER = 1 / 3
# Feeds due by the database but not by the agenda are those that somebody wants polled now: the
# last ones to become due. More at once than this are noticed when the leases are renewed.
_HURRIED = 200

_hosts_held = Gauge("dateline_ingest_leased_hosts", "Hosts that this poller looks after")
_feeds_held = Gauge("dateline_ingest_leased_feeds", "Active feeds of these hosts")
_good = Gauge("dateline_ingest_leases_good", "1 = leases are good, 0 = none, or ended in an outage")
_say = structlog.get_logger("dateline.ingest")


class Keeper:
    """One event loop, one of these. `lost` is called when the leases end in an outage, `changed`
    when there may be something new to do."""

    def __init__(
        self,
        engine: sa.Engine,
        settings: IngestSettings,
        clock: Clock,
        hosts: Hosts,
        agenda: Agenda,
        *,
        lost: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self.name = process.name()
        self._engine, self._length, self._clock = engine, settings.lease, clock
        self._hosts, self._agenda = hosts, agenda
        self._lost, self._changed = lost, changed
        self._leases = Leases(engine, self.name, settings.lease, settings.host_gap)
        # Not the intake's: leases are renewed however much there is to decide.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="leases")
        self._until = self._renewed = float("-inf")  # by `_uptime`
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False  # the leases have, and we are waiting for the database
        self._signs: Signs | None = None
        self._mine: set[str] = set()
        self._wanted: set[str] = set()
        self._leaving: set[str] = set()  # to be given back when nothing of them is in hand
        self._in_hand: dict[int, str] = {}  # feeds from `began` to `ended` -> their host
        self._busy: Counter[str] = Counter()  # … counted
        self._begun: set[int] = set()  # in hand at some time since the last reading of feeds began
        self._again: set[int] = set()  # to be read again, because they were in hand at a reading

    # -- for the poller ----------------------------------------------------------------------------

    @property
    def good(self) -> bool:
        """Whether our leases cover this moment."""
        return _uptime() < self._until

    def problem(self) -> str | None:
        """One sentence when nothing is polled because our leases have ended; else None."""
        if not self._ended:
            return None
        return (
            f"leases last {self._length:g} s and have not been renewed for "
            f"{_uptime() - self._renewed:.0f} s (does the database answer?), so no feed is polled "
            "until they are"
        )

    def began(self, feed: Feed) -> None:
        self._in_hand[feed.id] = feed.host
        self._begun.add(feed.id)
        self._busy[feed.host] += 1

    def ended(self, feed: Feed, now: Feed | None) -> None:
        """`now`: as it is after the poll, which puts it back on the agenda; None = not ours."""
        host = self._in_hand.pop(feed.id)
        self._busy[host] -= 1
        if not self._busy[host]:
            del self._busy[host]
        if now is None:
            return
        if now.host not in self._mine:
            self._signs = None  # it has moved: see whose it is now
        elif now.host not in self._leaving:
            self._agenda.put(now)

    async def run(self) -> None:
        """Look again and again, until cancelled; an outage of the database is waited out."""
        away = False
        while True:
            try:
                await self.look()
                if away:
                    _say.info("ingest.database_back", poller=self.name)
                away = False
            except Unavailable as error:
                if not away:
                    left = round(max(0.0, self._until - _uptime()))
                    _say.warning("ingest.database_away", error=str(error), polls_on_for_s=left)
                away = True
            self._changed()
            await asyncio.sleep(_LOOK_S)

    async def look(self, *, everything: bool = False) -> None:
        """One look at the database; `everything`: read all feeds, changed or not. Raises
        Unavailable."""
        await self._note_holds()
        signs, before = await self._on_thread(self._leases.signs), self._signs
        same = before is not None and (signs.live, signs.feeds) == (before.live, before.feeds)
        if (
            not same
            or signs.dead
            or signs.free & self._wanted
            or self._leaving
            or _uptime() - self._renewed >= self._length * _RENEW_AFTER
        ):
            await self._share(signs)
            everything = True
        if everything:
            await self._read(None)
            self._signs = signs
            return
        await self._hurry()
        if again := {i for i in self._again if i not in self._in_hand}:
            self._again -= again
            await self._read(again)

    async def leave(self) -> None:
        """Give everything back; nothing may be in hand any more. Raises Unavailable."""
        try:
            if self._timer:
                self._timer.cancel()
            if self._renewed > 0:
                resting = {host: s for host, s in self._free_in(self._mine).items() if s > 0}
                await self._on_thread(self._leases.leave, resting)
        finally:
            self._until = float("-inf")
            self._thread.shutdown()
            self._show()

    # -- leases ------------------------------------------------------------------------------------

    async def _share(self, signs: Signs) -> None:
        asked = _uptime()  # from before: the lease of the database is then the longer one
        share = await self._on_thread(self._leases.share, signs.dead)
        now = self._clock.now()
        for host in share.mine.keys() - self._mine:
            if share.mine[host]:
                self._hosts.not_before(host, now + timedelta(seconds=share.mine[host]))
        for host in self._mine - share.mine.keys():
            self._forget(host)
        self._mine, self._wanted, self._leaving = set(share.mine), share.wanted, share.surplus
        self._renew(asked)
        for host in self._leaving:
            self._agenda.drop_host(host)
        if idle := {host for host in self._leaving if host not in self._busy}:
            await self._on_thread(self._leases.give_back, self._free_in(idle))
            self._mine -= idle
            self._leaving -= idle
            for host in idle:
                self._forget(host)
        if len(share.mine) != len(self._mine) or signs.live != (self._signs or signs).live:
            _say.info(
                "ingest.leases", poller=self.name, hosts=len(self._mine), pollers=len(signs.live)
            )

    def _forget(self, host: str) -> None:
        self._agenda.drop_host(host)
        self._hosts.forget(host)

    def _renew(self, asked: float) -> None:
        self._renewed, self._until = asked, asked + self._length
        if self._ended:
            self._ended = False
            _say.info("ingest.lease_regained", poller=self.name, hosts=len(self._mine))
        if self._timer:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(0.0, self._until - _uptime()), self._end)
        self._show()

    def _end(self) -> None:
        self._ended = True
        _say.error("ingest.lease_lost", poller=self.name, error=self.problem())
        self._show()
        self._lost()

    def _free_in(self, hosts: Collection[str]) -> dict[str, float]:
        now = self._clock.now()
        free_at = {host: self._hosts.free_at(host) for host in hosts}
        return {host: max(0.0, (at - now).total_seconds()) if at else 0.0
                for host, at in free_at.items()}  # fmt: skip

    async def _note_holds(self) -> None:
        if held := self._hosts.newly_held():
            now = self._clock.now()
            left = {host: (at - now).total_seconds() for host, at in held.items()}
            await self._on_thread(self._leases.note, left)
            self._hosts.noted(held)

    # -- feeds -------------------------------------------------------------------------------------

    async def _read(self, ids: Collection[int] | None) -> None:
        """Bring the agenda in line with the feeds table, all of it or these."""
        self._begun = set(self._in_hand)
        found = await self._on_thread(feeds.held, self._engine, self.name, ids)
        there = {feed.id for feed in found}
        for feed in found:
            if feed.id in self._begun:  # what was read may be older than what its poll found
                self._again.add(feed.id)
            elif feed.host in self._mine and feed.host not in self._leaving:
                feed.next_at = schedule.believed(feed.next_at, feed.last_at, self._clock.now())
                self._agenda.put(feed)
        for feed_id in (self._agenda.ids() if ids is None else set(ids)) - there:
            self._agenda.drop(feed_id)
        asked_for = self._in_hand.keys() if ids is None else self._in_hand.keys() & set(ids)
        self._again |= asked_for - there  # paused or removed, perhaps
        self._show()

    async def _hurry(self) -> None:
        now = self._clock.now()
        self._begun = set(self._in_hand)
        found = await self._on_thread(feeds.due, self._engine, now, owner=self.name, limit=_HURRIED)
        for feed in found:
            known = self._agenda.get(feed.id)
            if feed.id not in self._begun and known is not None and known.next_at > now:
                self._agenda.put(feed)

    def _show(self) -> None:
        _hosts_held.set(len(self._mine))
        _feeds_held.set(len(self._agenda) + len(self._in_hand))
        _good.set(self.good)

    async def _on_thread(self, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(do, *args, **kwargs))


def _uptime() -> float:
    """Seconds, on a clock that nobody sets and that goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
