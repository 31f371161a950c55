"""One poll of one feed: ask, read, decide, append, save."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from msgspec import Struct
from prometheus_client import Counter, Histogram

from ingest.books.batches import Batches
from ingest.books.ledger import (
    Brought,
    Failed,
    Ledger,
    Outcome,
    PollReport,
    Unchanged,
    body_hash,
    broke,
)
from ingest.clock import Clock
from ingest.documents.items import Refusal
from ingest.documents.workers import Workers
from ingest.feeds import Feed
from ingest.fetch.fetcher import Fetched, Fetcher, FetchError, NotModified
from ingest.pages.fill import Pages
from ingest.policy import schedule
from ingest.polling.hosts import Hosts, host_of
from stream.errors import DatelineError, Unavailable

# Polls that are settled in one go: at two milliseconds for one that brings twenty new articles,
# the parsers do not run dry meanwhile.
_BATCH = 50
_polls = Counter("dateline_ingest_polls_total", "Polls by outcome", ["outcome"])
_items = Counter("dateline_ingest_items_total", "Items seen by fate", ["fate"])
_lateness = Histogram(
    "dateline_ingest_lateness_seconds",
    "From when a feed was due to when it was asked",
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600),
)
_say = structlog.get_logger("dateline.ingest")


class Asked(Struct):
    """A feed and what came of asking for it, at a time by the clock."""

    feed: Feed
    at: datetime
    answer: Fetched | NotModified | FetchError

    @property
    def size(self) -> int:
        """Bytes that wait in memory to be read."""
        return len(self.answer.body) if isinstance(self.answer, Fetched) else 0


class Polling:
    """What a poll needs. The ledger belongs to the one thread of `thread`."""

    def __init__(
        self,
        *,
        fetcher: Fetcher,
        workers: Workers,
        hosts: Hosts,
        pages: Pages,
        ledger: Ledger,
        thread: Executor,
        clock: Clock,
        under_way: Callable[[], int],
    ) -> None:
        self._fetcher, self._workers, self._hosts = fetcher, workers, hosts
        self._clock = clock
        self._pages, self._ledger, self._thread = pages, ledger, thread
        self._settled = Batches(thread, ledger.settle, _BATCH, under_way)

    async def poll(self, feed: Feed) -> PollReport:
        """The three steps in one. Raises only what concerns all feeds (Unavailable and other
        deliberate errors); anything else is this feed's outcome."""
        return await self.settle(await self.read(await self.ask(feed)))

    async def ask(self, feed: Feed) -> Asked:
        """Waits for the host's turn, then holds it until the answer is here."""
        try:
            async with self._hosts.turn(feed.url):
                late = (self._clock.now() - feed.next_at).total_seconds()
                _lateness.observe(max(0.0, late))
                answer = await self._fetcher.fetch(
                    feed.url, etag=feed.etag, last_modified=feed.last_modified
                )
                self._courtesy(feed, answer)
        except DatelineError:
            raise
        except Exception as error:
            _say.exception("ingest.poll_broke", feed=feed.url)
            failed = broke(feed, self._clock.now(), error)
            answer = FetchError(kind=failed.kind, sentence=failed.sentence)
        return Asked(feed, self._clock.now(), answer)

    def _courtesy(self, feed: Feed, answer: Fetched | NotModified | FetchError) -> None:
        """What an answer means for the other feeds of its host."""
        if isinstance(answer, FetchError) and answer.kind in ("timeout", "connection"):
            return self._hosts.silent(feed.url)
        self._hosts.answered(feed.url)
        if isinstance(answer, FetchError) and (
            wait := schedule.host_hold(answer.status, answer.retry_after)
        ):
            self._hosts.hold(feed.url, self._clock.now() + timedelta(seconds=wait))
        if isinstance(answer, Fetched) and host_of(answer.final_url) != host_of(feed.url):
            self._hosts.also_asked(answer.final_url)
        return None

    async def read(self, asked: Asked) -> Outcome:
        """The document taken apart; its body is let go."""
        feed, now, answer = asked.feed, asked.at, asked.answer
        if isinstance(answer, FetchError):
            return Failed(
                feed=feed, at=now, kind=answer.kind, sentence=answer.sentence,
                status=answer.status, retry_after=answer.retry_after,
            )  # fmt: skip
        if isinstance(answer, NotModified):
            return Unchanged(feed=feed, at=now, answer=answer)
        try:
            digest = body_hash(answer)
            if digest == feed.body_hash:
                return Unchanged(feed=feed, at=now, answer=answer)
            # Of a feed's first document everything is new, later little is: only then is it cheaper
            # to have the languages told beside the parsing, on all cores, than where news is known.
            found = await self._workers.parse(
                answer.body, answer.content_type, answer.final_url, identify=feed.body_hash is None
            )
        except DatelineError:
            raise
        except Exception as error:
            _say.exception("ingest.poll_broke", feed=feed.url)
            return broke(feed, now, error)
        answer.body = b""  # read: it need not wait in memory until all is saved
        if isinstance(found, Refusal):
            return Failed(
                feed=feed, at=now, kind=found.kind, sentence=found.sentence, status=answer.status
            )
        brought = Brought(feed=feed, at=now, answer=answer, document=found, digest=digest)
        if self._pages.asked_by(feed):
            await self._fill(brought)
        return brought

    async def _fill(self, brought: Brought) -> None:
        """The pages of what is new, where the feed is brief."""
        loop = asyncio.get_running_loop()
        # In an outage the feed's text has to do: what is new cannot be known.
        with suppress(Unavailable):
            fresh = await loop.run_in_executor(self._thread, self._ledger.fresh, brought)
            brought.pages = await self._pages.read(fresh)

    async def settle(self, outcome: Outcome) -> PollReport:
        """Decided, appended and saved. Raises Unavailable when that cannot be now; nothing was
        saved then, and it can be tried again."""
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
