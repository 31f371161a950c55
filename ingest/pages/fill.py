"""Which pages are asked for, how politely, and within which bounds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

import msgspec
import structlog
from prometheus_client import Counter

from ingest.articles.fates import Candidate
from ingest.clock import Clock
from ingest.feeds import Feed
from ingest.fetch.fetcher import Fetched, Fetcher
from ingest.pages import notices
from ingest.pages.ask import Asker, one_at_a_time
from ingest.pages.page import Page, Unread
from ingest.pages.robots import Robots
from ingest.pages.worker import Answer, PageJob
from ingest.polling.hosts import Hosts
from ingest.pool import START_S, Pool
from ingest.settings import IngestSettings

# Letters. A feed's text of this length is the article, or enough of it: in 134 captured feeds, of
# the items of feeds that bring summaries 99.5 % are shorter, of those that bring whole articles
# 17 % (short news, whose pages say no more and are asked in vain).
FULL = 1_000
# Headline and summary as the page must repeat them; what follows in a long feed text tells no more.
_ABOUT = 1_500
# One process: twelve pages are read in a second, and a poll waits far longer for its hosts.
_PROCESSES = 1
_ACCEPT = "text/html, application/xhtml+xml;q=0.9, */*;q=0.1"
# Feeds of one outlet are polled together and share many of their articles: what one poll has read
# serves the others. Any longer and an edit would get the page from before it: feeds are asked
# every five minutes at most.
_SHARED = timedelta(seconds=120)
_SHARED_PAGES = 256  # at some 5 kB each
# How the clause "page …" ends when nothing was read.
_CLAUSES = {
    "status": "answered {status}",
    "too-large": "is too large",
    "timeout": "did not come in time",
    "address": "leads to an address that is not public",
    "redirect": "redirects without end or to no web address",
}

_pages = Counter("dateline_ingest_pages_total", "Article pages by outcome", ["outcome"])
_say = structlog.get_logger("dateline.ingest")


class Pages:
    """Reads articles' pages. Use as an async context manager, from one event loop; the process
    that reads starts with the first page."""

    def __init__(
        self, settings: IngestSettings, fetcher: Fetcher, hosts: Hosts, clock: Clock
    ) -> None:
        self._settings, self._clock = settings, clock
        self._asker = Asker(fetcher, hosts, clock)
        self._pool: Pool[Answer] = Pool("ingest.pages.worker", _PROCESSES, Answer, _HELLO)
        self._robots = Robots(self._asker, self._pool, clock, settings)
        self._reading: dict[str, asyncio.Lock] = {}
        self._read: dict[str, tuple[datetime, Page | Unread]] = {}  # by URL, the oldest first
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Pages:
        await self._open.enter_async_context(self._pool)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    def asked_by(self, feed: Feed) -> bool:
        """Does the operator want the pages of this feed?"""
        return self._settings.full_text if feed.full_text is None else feed.full_text

    async def read(self, fresh: Sequence[Candidate]) -> dict[int, Page | Unread]:
        """By position, what the pages of those items gave whose feed brought only a beginning.
        Ends within `pages_deadline`; never raises for what a page does."""
        short = [c for c in fresh if len(c.article.text) < FULL and c.article.url]
        short.sort(key=lambda c: (c.article.event_time, -c.position), reverse=True)
        found: dict[int, Page | Unread] = {}
        chosen = short[: self._settings.pages_per_poll]
        found |= dict.fromkeys((c.position for c in short[len(chosen) :]), _TOO_MANY)
        done: dict[int, Page | Unread] = {}
        given_up: set[str] = set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.pages_deadline):
                if self._clock.jumps:  # one after the other, so that everything has one order
                    for c in chosen:
                        await self._into(done, c, given_up)
                else:
                    await asyncio.gather(*(self._into(done, c, given_up) for c in chosen))
        found |= {c.position: done.get(c.position, _TOO_LATE) for c in chosen}
        for c in short:
            self._tell(c, found[c.position])
        return found

    async def _into(self, done: dict[int, Page | Unread], c: Candidate, given_up: set[str]) -> None:
        try:
            done[c.position] = await self._one(c, given_up)
        except Exception as error:
            _say.exception("ingest.page_broke", url=c.article.url)
            clause = f"could not be read for a fault of ours ({type(error).__name__})"
            done[c.position] = Unread(kind="bug", clause=clause)

    async def _one(self, c: Candidate, given_up: set[str]) -> Page | Unread:
        url = c.article.url or ""
        # Whoever wants the page that another poll is reading waits for it.
        async with one_at_a_time(self._reading, url):
            at, found = self._read.get(url, (None, None))
            if found is None or at is None or at + _SHARED < self._clock.now():
                found = await self._ask(url, c, given_up)
                self._share(url, found)
        if isinstance(found, Page) and len(found.text) <= len(c.article.text):
            return Unread(kind="brief", clause="says no more than its feed")
        return found

    def _share(self, url: str, found: Page | Unread) -> None:
        self._read.pop(url, None)
        self._read[url] = self._clock.now(), found
        while len(self._read) > _SHARED_PAGES:
            del self._read[next(iter(self._read))]

    async def _ask(self, url: str, c: Candidate, given_up: set[str]) -> Page | Unread:
        if self._asker.held(url, timedelta(seconds=self._settings.pages_deadline)):
            return _RESTING
        redirects = 0
        while True:
            verdict = await self._robots.verdict(url)  # of each hop: another site may say no
            if verdict.refused:
                return Unread(kind="robots", clause=verdict.refused)
            answer = await self._asker.ask(
                url, accept=_ACCEPT, max_bytes=self._settings.page_bytes, delay=verdict.delay,
                unless=given_up,
            )  # fmt: skip
            if answer is None:
                return _RESTING
            if isinstance(answer, Fetched):
                return await self._extract(answer, c)
            if answer.leads_to is None or redirects == self._settings.max_redirects:
                clause = _CLAUSES.get(answer.kind, "cannot be had").format(status=answer.status)
                return Unread(kind=answer.kind, clause=clause)
            url, redirects = answer.leads_to, redirects + 1
            if notice := notices.elsewhere(c.article.url or "", url):
                return notice

    async def _extract(self, answer: Fetched, c: Candidate) -> Page | Unread:
        job = PageJob(
            deadline=self._settings.page_deadline,
            body=answer.body,
            content_type=answer.content_type,
            url=answer.final_url,
            asked=c.article.url or "",
            about=f"{c.article.title}\n{c.article.text}"[:_ABOUT],
        )
        try:
            said = await self._pool.do(job)
        except TimeoutError:
            return Unread(kind="timeout", clause="took too long to be read")
        except (OSError, EOFError, msgspec.DecodeError):
            return Unread(kind="crash", clause="breaks the reader")
        found = said.page or said.unread
        assert found is not None
        return found

    def _tell(self, c: Candidate, found: Page | Unread) -> None:
        outcome = found.kind if isinstance(found, Unread) else "read"
        _pages.labels(outcome).inc()
        _say.info(
            "ingest.page", url=c.article.url, outcome=outcome, feed_letters=len(c.article.text),
            page_letters=len(found.text) if isinstance(found, Page) else None,
        )  # fmt: skip


_HELLO = PageJob(
    deadline=START_S, body=b"", content_type="", url="http://localhost/x",
    asked="http://localhost/x", about="",
)  # fmt: skip
_TOO_MANY = Unread(kind="many", clause="not asked: more new items than pages_per_poll")
_TOO_LATE = Unread(kind="late", clause="not asked: the poll's time for pages was over")
_RESTING = Unread(kind="resting", clause="not asked: its host wants to be left alone")
