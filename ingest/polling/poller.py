"""The poller: asks each feed when it is due, and never lets one hold up another.

It works from memory: what its leases cover stands on an agenda, and the database is only looked at
for what others have changed. So it goes on through an outage for as long as its leases are good,
and what it fetches meanwhile is kept until it can be saved.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from ingest.books import retention
from ingest.books.intake import Intake
from ingest.books.ledger import Ledger, Outcome, PollReport
from ingest.clock import Clock, WallClock
from ingest.documents import language
from ingest.documents.workers import Workers
from ingest.feeds import Feed
from ingest.fetch.fetcher import Fetcher
from ingest.pages.fill import Pages
from ingest.polling.agenda import Agenda
from ingest.polling.floor import Floor
from ingest.polling.hosts import Hosts
from ingest.polling.inhand import InHand, Settle, Task
from ingest.polling.keeper import Keeper
from ingest.polling.outage import BACKOFF_S, Outage
from ingest.polling.poll import Polling
from ingest.settings import IngestSettings
from stream.errors import Unavailable
from stream.log.contract import Log

# Polls in hand get this long (real seconds) to finish at a stop: most need under one, and
# supervisors kill after ten. What is then given up had saved nothing, or finishes on its thread.
_GRACE_S = 5.0

# With a clock that jumps and no feeds: how soon (real seconds) to look for some.
_IDLE_S = 2.0
_FAR = timedelta(days=365)


class Poller:
    """Use `run`, or `poll_due` inside `async with`. One event loop, one poller; any number of
    pollers, in one process or many, share the feeds of a database."""

    def __init__(
        self,
        engine: sa.Engine,
        log: Log,
        settings: IngestSettings,
        clock: Clock | None = None,
        floor: Floor | None = None,
    ) -> None:
        self._engine, self._settings, self._log = engine, settings, log
        self._clock: Clock = clock or WallClock()
        self._ledger = Ledger(engine, Intake(engine, log), settings)
        # Deciding, appending and saving happen on one thread: the producer belongs to it, and
        # two feeds that bring one article are decided one after the other.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="intake")
        self._open = AsyncExitStack()
        self._say = structlog.get_logger("dateline.ingest")
        self._hosts = Hosts(settings, self._clock)
        self._agenda = Agenda(self._hosts.free_at)
        self._wake = asyncio.Event()  # there may be something to do
        self._keeper = Keeper(
            engine, settings, self._clock, self._hosts, self._agenda,
            lost=lambda: self._hand.stop_asking(), changed=self._wake.set,
        )  # fmt: skip
        self._floor = floor or Floor([], 0)
        self._hand = InHand(settings, self._agenda, self._keeper, self._floor, self._wake.set)
        self._outage = Outage()
        self.name = self._keeper.name

    async def __aenter__(self) -> Poller:
        s = self._settings
        fetcher = await self._open.enter_async_context(Fetcher(s))
        pages = Pages(s, fetcher, self._hosts, self._clock)
        self._polling = Polling(
            fetcher=fetcher,
            pages=await self._open.enter_async_context(pages),
            workers=await self._open.enter_async_context(
                Workers(s.parse_workers, s.parse_deadline, s.max_items)
            ),
            hosts=self._hosts,
            ledger=self._ledger,
            thread=self._thread,
            clock=self._clock,
            under_way=lambda: len(self._hand.polls),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._ledger.close)
        finally:
            self._thread.shutdown()
            with contextlib.suppress(Unavailable):  # then they pass on when their time is over
                await self._keeper.leave()

    def problem(self) -> str | None:
        """For readiness: one sentence when nothing is polled because of others, else None."""
        return self._keeper.problem() or self._floor.problem()

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until `stop` is set or the clock ends; requests in hand get a moment to finish.
        Waits out Unavailable; other deliberate errors, such as a missing log, end it."""
        relay = asyncio.create_task(_relay(stop, self._wake))
        async with self:
            asyncio.get_running_loop().run_in_executor(None, language.load)
            try:
                if self._clock.jumps:
                    await self._jump(stop)
                else:
                    await self._go(stop)
            finally:
                self._hosts.stop()
                relay.cancel()
                await self._hand.finish(_GRACE_S)

    async def poll_due(self) -> list[PollReport]:
        """Poll every feed of ours that is due now; reports in the order in which they were begun.
        With a clock that jumps they go one after the other, so that everything has one order.
        Raises Unavailable, when some may have been polled."""
        await self._keeper.look(everything=True)
        now = self._clock.now()
        if self._clock.jumps:
            return [report async for report in self._one_by_one(now)]
        tasks: list[Task] = []
        while True:
            self._wake.clear()
            tasks += self._start_due(now, self._polling.settle)
            if not self._hand.polls:
                return [task.result() for task in tasks]
            await self._wake.wait()

    async def poll(self, feed: Feed) -> PollReport:
        """One poll of one feed; see `ingest.polling.poll`."""
        return await self._polling.poll(feed)

    # -- rounds ------------------------------------------------------------------------------------

    def _ended(self) -> bool:
        return self._clock.ends is not None and self._clock.now() >= self._clock.ends

    async def _go(self, stop: asyncio.Event) -> None:
        keeper = asyncio.create_task(self._keeper.run())
        keeper.add_done_callback(lambda _: self._wake.set())
        watching = asyncio.create_task(self._floor.watch(self._wake.set))
        pruning = asyncio.create_task(
            retention.daily(self._engine, self._settings, self._clock, self._log)
        )
        try:
            while not stop.is_set() and not self._ended():
                self._wake.clear()
                if keeper.done():
                    keeper.result()  # raises: it does not end otherwise
                if self._hand.broken is not None:
                    raise self._hand.broken
                now = self._clock.now()
                self._start_due(now, self._patiently)
                next_at = self._agenda.next_at() if self._hand.room else None
                await self._clock.sleep_until(next_at or now + _FAR, self._wake)
        finally:
            keeper.cancel()
            pruning.cancel()
            watching.cancel()
            await asyncio.gather(keeper, pruning, watching, return_exceptions=True)

    async def _jump(self, stop: asyncio.Event) -> None:
        """Time stands still until everything that is due has been polled."""
        wait = BACKOFF_S[0]
        while not stop.is_set() and not self._ended():
            self._wake.clear()
            try:
                await self.poll_due()
            except Unavailable as error:
                self._say.warning("ingest.waiting", error=str(error), retry_in_s=wait)
                await _pause(stop, wait)
                wait = min(wait * 2, BACKOFF_S[1])
                continue
            wait = BACKOFF_S[0]
            next_at = self._agenda.next_at() or self._clock.ends
            if next_at is not None:
                await self._clock.sleep_until(next_at, self._wake)
            else:
                await _pause(stop, _IDLE_S)

    async def _one_by_one(self, now: datetime) -> AsyncIterator[PollReport]:
        gap = timedelta(seconds=self._settings.host_gap)
        for feed in self._agenda.all_due(now):
            free_at = self._hosts.free_at(feed.host)
            if free_at is not None and free_at > self._clock.now() + gap:
                self._agenda.put(feed)  # one before it was told to leave the host alone
            else:
                yield await self._hand.begin(feed, self._polling, self._polling.settle)

    def _start_due(self, now: datetime, settle: Settle) -> list[Task]:
        tasks = []
        while self._hand.room and (feed := self._agenda.begin(now)) is not None:
            tasks.append(self._hand.begin(feed, self._polling, settle))
        return tasks

    async def _patiently(self, outcome: Outcome) -> PollReport:
        return await self._outage.through(lambda: self._polling.settle(outcome))


async def _relay(stop: asyncio.Event, wake: asyncio.Event) -> None:
    await stop.wait()
    wake.set()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
