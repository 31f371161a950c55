"""The poller: asks each feed when it is due, and never lets one hold up another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import ParamSpec, TypeVar

import sqlalchemy as sa
import structlog

from ingest import feeds, language
from ingest.clock import Clock, WallClock
from ingest.feeds import Feed
from ingest.fetch import Fetcher
from ingest.hosts import Hosts
from ingest.intake import Intake
from ingest.ledger import Ledger, PollReport
from ingest.poll import Polling
from ingest.settings import IngestSettings
from ingest.workers import Workers
from stream.errors import Unavailable
from stream.log.contract import Log

P = ParamSpec("P")
T = TypeVar("T")

# How soon (real seconds) feeds that another process added are noticed.
_RESCAN_S = 2.0
# Waiting (real seconds) while the log or the database is away doubles from the first to the last.
_BACKOFF_S = (0.5, 15.0)
# Polls in hand get this long (real seconds) to finish at a stop: most need under one, and
# supervisors kill after ten. What is then given up had saved nothing, or finishes on its thread.
_GRACE_S = 5.0


class Poller:
    """Use `run`, or `poll_due` inside `async with`. One event loop, one poller."""

    def __init__(
        self, engine: sa.Engine, log: Log, settings: IngestSettings, clock: Clock | None = None
    ) -> None:
        self._engine, self._settings = engine, settings
        self._clock: Clock = clock or WallClock()
        self._ledger = Ledger(engine, Intake(engine, log), settings)
        # Deciding, appending and saving happen on one thread: the producer belongs to it, and
        # two feeds that bring one article are decided one after the other.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="intake")
        self._open = AsyncExitStack()
        self._say = structlog.get_logger("dateline.ingest")
        self._hosts = Hosts(settings, self._clock)
        self.last_round: datetime | None = None  # for readiness: when feeds were last looked at

    async def __aenter__(self) -> Poller:
        s = self._settings
        self._polling = Polling(
            fetcher=await self._open.enter_async_context(Fetcher(s)),
            workers=await self._open.enter_async_context(
                Workers(s.parse_workers, s.parse_deadline, s.max_items)
            ),
            hosts=self._hosts,
            ledger=self._ledger,
            thread=self._thread,
            clock=self._clock,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open.aclose()
        try:
            await self._on_thread(self._ledger.close)
        finally:
            self._thread.shutdown()

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until `stop` is set or the clock ends; requests in hand get a moment to finish.
        Waits out Unavailable; other deliberate errors, such as a missing log, end it."""
        wake = asyncio.Event()
        relay = asyncio.create_task(_relay(stop, wake))
        wait = _BACKOFF_S[0]
        running: dict[int, asyncio.Task[PollReport]] = {}
        async with self:
            asyncio.get_running_loop().run_in_executor(None, language.load)
            try:
                while not stop.is_set() and not self._ended():
                    wake.clear()
                    try:
                        _collect(running)
                        if self._clock.jumps:
                            await self.poll_due()  # time stands still until all are done
                        else:
                            await self._start_due(running, wake)
                        if not stop.is_set():
                            await self._rest(wake, running)
                        wait = _BACKOFF_S[0]
                    except Unavailable as error:
                        self._say.warning("ingest.waiting", error=str(error), retry_in_s=wait)
                        await _pause(stop, wait)
                        wait = min(wait * 2, _BACKOFF_S[1])
            finally:
                self._hosts.stop()
                relay.cancel()
                if running:
                    _, late = await asyncio.wait(running.values(), timeout=_GRACE_S)
                    for task in late:
                        task.cancel()
                    await asyncio.gather(*running.values(), return_exceptions=True)

    async def poll_due(self) -> list[PollReport]:
        """Poll every feed that is due now; reports in the order in which they were due. With a
        clock that jumps they go one after the other, so that everything has one order."""
        due = await self._on_thread(feeds.due, self._engine, self._clock.now())
        self.last_round = self._clock.now()
        if self._clock.jumps:
            return [await self.poll(feed) for feed in due]
        return list(await asyncio.gather(*(self.poll(feed) for feed in due)))

    async def poll(self, feed: Feed) -> PollReport:
        """One poll of one feed; see `ingest.poll`."""
        return await self._polling.poll(feed)

    # -- rounds ------------------------------------------------------------------------------------

    def _ended(self) -> bool:
        return self._clock.ends is not None and self._clock.now() >= self._clock.ends

    async def _start_due(
        self, running: dict[int, asyncio.Task[PollReport]], wake: asyncio.Event
    ) -> None:
        now = self._clock.now()
        for feed in await self._on_thread(feeds.due, self._engine, now, busy=[*running]):
            task = running[feed.id] = asyncio.create_task(self.poll(feed))
            task.add_done_callback(lambda _: wake.set())
        self.last_round = now

    async def _rest(
        self, wake: asyncio.Event, running: dict[int, asyncio.Task[PollReport]]
    ) -> None:
        """Until the next feed is due, a poll is done, or it is time to look for new feeds."""
        due = await self._on_thread(feeds.next_due, self._engine, busy=[*running])
        if due is None and self._clock.jumps:
            due = self._clock.ends  # no feed will ever be due; without an end, look again later
        rescan = asyncio.get_running_loop().call_later(_RESCAN_S, wake.set)
        try:
            far = self._clock.now() + timedelta(days=365)
            if due is None and self._clock.jumps:
                await wake.wait()
            else:
                await self._clock.sleep_until(due or far, wake)
        finally:
            rescan.cancel()

    async def _on_thread(self, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(do, *args, **kwargs))


def _collect(running: dict[int, asyncio.Task[PollReport]]) -> None:
    """Forget finished polls; raises what one of them raised."""
    done = [running.pop(i) for i, task in list(running.items()) if task.done()]
    errors = [error for task in done if (error := task.exception()) is not None]
    if errors:
        raise errors[0]


async def _relay(stop: asyncio.Event, wake: asyncio.Event) -> None:
    await stop.wait()
    wake.set()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
