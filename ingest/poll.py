"""One poll of one feed: ask, read, decide, append, save."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import ParamSpec, TypeVar

import structlog
from prometheus_client import Counter

from ingest import ledger
from ingest.clock import Clock
from ingest.feeds import Feed
from ingest.fetch import Fetcher, FetchError, NotModified
from ingest.hosts import Hosts
from ingest.items import Refusal
from ingest.ledger import Ledger, PollReport
from ingest.workers import Workers
from stream.errors import DatelineError

P = ParamSpec("P")
T = TypeVar("T")

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
        self._ledger, self._thread, self._clock = ledger, thread, clock

    async def poll(self, feed: Feed) -> PollReport:
        """Raises only what concerns all feeds (Unavailable and other deliberate errors);
        anything else is this feed's outcome."""
        try:
            report = await self._poll(feed)
        except DatelineError:
            raise
        except Exception as error:
            _say.exception("ingest.poll_broke", feed=feed.url)
            sentence = f"the poll broke ({type(error).__name__}: {error})"[:300]
            now = self._clock.now()
            report = await self._on_thread(self._ledger.failed, feed, now, "bug", sentence)
        _polls.labels(report.outcome).inc()
        for fate, count in report.counts.items():
            _items.labels(fate).inc(count)
        _say.info(
            "ingest.poll", feed=report.url, outcome=report.outcome, status=report.status,
            error=report.error, next_at=report.next_at.isoformat(), missed=report.missed,
            **report.counts,
        )  # fmt: skip
        return report

    async def _poll(self, feed: Feed) -> PollReport:
        async with self._hosts.turn(feed.url):
            answer = await self._fetcher.fetch(
                feed.url, etag=feed.etag, last_modified=feed.last_modified
            )
        now = self._clock.now()
        if isinstance(answer, FetchError):
            kind, sentence = answer.kind, answer.sentence
            return await self._on_thread(
                self._ledger.failed, feed, now, kind, sentence, answer.status, answer.retry_after
            )
        if isinstance(answer, NotModified) or ledger.body_hash(answer) == feed.body_hash:
            return await self._on_thread(self._ledger.unchanged, feed, now, answer)
        found = await self._workers.parse(answer.body, answer.content_type, answer.final_url)
        if isinstance(found, Refusal):
            return await self._on_thread(
                self._ledger.failed, feed, now, found.kind, found.sentence, answer.status
            )
        return await self._on_thread(self._ledger.document, feed, now, answer, found)

    async def _on_thread(self, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(do, *args, **kwargs))
