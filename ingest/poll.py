"""One poll of one feed: ask, read, decide, append, save."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from contextlib import AsyncExitStack

import structlog
from prometheus_client import Counter

from ingest.batches import Batches
from ingest.clock import Clock
from ingest.feeds import Feed
from ingest.fetch import Fetcher, FetchError, NotModified
from ingest.hosts import Hosts
from ingest.items import Refusal
from ingest.ledger import (
    Brought,
    Failed,
    Ledger,
    Outcome,
    PollReport,
    Unchanged,
    body_hash,
    broke,
)
from ingest.workers import Workers
from stream.errors import DatelineError

# Polls that are settled in one transaction: at a millisecond each, other writers of the database
# wait a tenth of a second.
_BATCH = 100
# Bodies in memory at once, being fetched or waiting to be parsed: at 8 MB each a quarter of a GB,
# and always enough to keep the parsers busy.
_BODIES = 32

_polls = Counter("dateline_ingest_polls_total", "Polls by outcome", ["outcome"])
_items = Counter("dateline_ingest_items_total", "Items seen by fate", ["fate"])
_say = structlog.get_logger("dateline.ingest")


class Polling:
    """What a poll needs. The ledger belongs to the one thread of `thread`."""

    def __init__(
        self,
        *,
        fetcher: Fetcher,
        workers: Workers,
        hosts: Hosts,
        ledger: Ledger,
        thread: Executor,
        clock: Clock,
    ) -> None:
        self._fetcher, self._workers, self._hosts = fetcher, workers, hosts
        self._clock = clock
        self._settled = Batches(thread, ledger.settle, _BATCH)
        self._bodies = asyncio.Semaphore(_BODIES)

    async def poll(self, feed: Feed) -> PollReport:
        """Raises only what concerns all feeds (Unavailable and other deliberate errors);
        anything else is this feed's outcome."""
        try:
            outcome = await self._ask(feed)
        except DatelineError:
            raise
        except Exception as error:
            _say.exception("ingest.poll_broke", feed=feed.url)
            outcome = broke(feed, self._clock.now(), error)
        report = await self._settled.done(outcome)
        _polls.labels(report.outcome).inc()
        for fate, count in report.counts.items():
            _items.labels(fate).inc(count)
        _say.info(
            "ingest.poll", feed=report.url, outcome=report.outcome, status=report.status,
            error=report.error, next_at=report.next_at.isoformat(), missed=report.missed,
            **report.counts,
        )  # fmt: skip
        return report

    async def _ask(self, feed: Feed) -> Outcome:
        async with AsyncExitStack() as until_read:
            async with self._hosts.turn(feed.url):
                # Nobody who has a body waits for a turn, so those who wait here hold up nothing.
                await until_read.enter_async_context(self._bodies)
                answer = await self._fetcher.fetch(
                    feed.url, etag=feed.etag, last_modified=feed.last_modified
                )
            now = self._clock.now()
            if isinstance(answer, FetchError):
                return Failed(
                    feed=feed, at=now, kind=answer.kind, sentence=answer.sentence,
                    status=answer.status, retry_after=answer.retry_after,
                )  # fmt: skip
            if isinstance(answer, NotModified):
                return Unchanged(feed=feed, at=now, answer=answer)
            digest = body_hash(answer)
            if digest == feed.body_hash:
                return Unchanged(feed=feed, at=now, answer=answer)
            found = await self._workers.parse(answer.body, answer.content_type, answer.final_url)
            answer.body = b""  # read: it need not wait in memory until all is saved
        if isinstance(found, Refusal):
            return Failed(
                feed=feed, at=now, kind=found.kind, sentence=found.sentence, status=answer.status
            )
        return Brought(feed=feed, at=now, answer=answer, document=found, digest=digest)
