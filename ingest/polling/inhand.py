"""The polls in hand: those that have begun and have not ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from prometheus_client import Gauge

from ingest.books.ledger import Outcome, PollReport
from ingest.feeds import Feed
from ingest.polling.agenda import Agenda
from ingest.polling.floor import Floor
from ingest.polling.keeper import Keeper
from ingest.polling.poll import Polling
from ingest.settings import IngestSettings

Settle = Callable[[Outcome], Awaitable[PollReport]]
Task = asyncio.Task[PollReport]

_waiting = Gauge("dateline_ingest_waiting_bytes", "Documents in memory, to be read or saved")


class InHand:
    """One event loop, one of these. `changed` is called whenever there may be room for more."""

    def __init__(
        self,
        settings: IngestSettings,
        agenda: Agenda,
        keeper: Keeper,
        floor: Floor,
        changed: Callable[[], None],
    ) -> None:
        self._settings, self._agenda, self._keeper, self._floor = settings, agenda, keeper, floor
        self._changed = changed
        self.polls: set[Task] = set()
        self.broken: BaseException | None = None  # what ended one of them and concerns all
        self._asking: set[Task] = set()  # those of them without an answer yet
        self._bytes = 0  # of answers that wait to be read or saved

    @property
    def room(self) -> bool:
        """Whether another may begin."""
        return (
            self._keeper.good
            and self._floor.problem() is None
            and len(self._asking) < self._settings.concurrency
            and self._bytes < self._settings.waiting_bytes
        )

    def begin(self, feed: Feed, polling: Polling, settle: Settle) -> Task:
        """Poll a feed that was taken off the agenda; it returns there by itself."""
        task = asyncio.create_task(self._poll(feed, polling, settle))
        self.polls.add(task)
        self._asking.add(task)
        self._keeper.began(feed)
        task.add_done_callback(partial(self._ended, feed))  # also of one that never ran
        return task

    def stop_asking(self) -> None:
        """Our leases are over: another may ask these hosts now. What has answered is kept."""
        for task in tuple(self._asking):
            task.cancel()

    async def finish(self, grace: float) -> None:
        """Let them end, for so many real seconds; what is then left is given up."""
        if self.polls:
            _, late = await asyncio.wait(self.polls, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _poll(self, feed: Feed, polling: Polling, settle: Settle) -> PollReport:
        task = asyncio.current_task()
        assert task is not None
        try:
            asked = await polling.ask(feed)
        finally:
            self._answered(task, feed)
        size = asked.size
        self._weigh(size)
        try:
            return await settle(await polling.read(asked))
        finally:
            self._weigh(-size)

    def _answered(self, task: Task, feed: Feed) -> None:
        if task in self._asking:
            self._asking.remove(task)
            self._agenda.asked(feed.host)
            self._changed()

    def _ended(self, feed: Feed, task: Task) -> None:
        self._answered(task, feed)
        self.polls.remove(task)
        error = None if task.cancelled() else task.exception()
        self.broken = self.broken or error
        given_up = task.cancelled() or error is not None
        self._keeper.ended(feed, feed if given_up else task.result().feed)
        self._changed()

    def _weigh(self, size: int) -> None:
        self._bytes += size
        _waiting.set(self._bytes)
