"""robots.txt (RFC 9309): may the page at a URL be asked by us, and how often its host."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from ingest.clock import Clock
from ingest.fetch.fetcher import Fetched, FetchError
from ingest.pages.ask import Asker, one_at_a_time
from ingest.pages.page import Unread
from ingest.pages.worker import Answer, RobotsJob
from ingest.pool import Pool
from ingest.settings import IngestSettings

# What publishers name us by; the User-Agent header begins with it.
AGENT = "Dateline"
_ACCEPT = "text/plain, */*;q=0.5"
# The RFC's own numbers: rules are used for a day at most, and read up to here.
_KEPT = timedelta(hours=24)
_MAX_BYTES = 500 * 1024
# A server in trouble is asked for its rules again after an hour; until they come it counts as
# refusing. The RFC would let us go on as if there were none after a month: we do not.
_ASK_AGAIN = timedelta(hours=1)
# All the rules that are kept together; a usual robots.txt has 2 kB.
_CACHE_BYTES = 16 * 1024 * 1024
_ENTRY_BYTES = 1024  # of an entry without rules, roughly
# Longer delays than this are kept as this: at a host with many feeds an hour's delay would be a
# refusal, which a publisher who means it writes as one.
_MAX_DELAY_S = 60.0
# How the clause "page …" ends.
_REFUSED = "refused by robots.txt"
_UNKNOWN = "not asked: its robots.txt cannot be had"
_PRIVATE = "not asked: it leads to an address that is not public"
_UNREADABLE = "not asked: its robots.txt cannot be read"


class Verdict(Struct, frozen=True):
    refused: str | None = None  # the clause: "page …"
    delay: float = 0.0  # seconds that are to lie between two requests


class _Rules(Struct):
    until: datetime
    body: bytes = b""
    refused: str | None = None  # everything, for this reason


class Robots:
    """One event loop, one of these. Rules are asked for once an origin and kept in memory."""

    def __init__(
        self, asker: Asker, pool: Pool[Answer], clock: Clock, settings: IngestSettings
    ) -> None:
        self._asker, self._pool, self._clock, self._settings = asker, pool, clock, settings
        self._known: OrderedDict[str, _Rules] = OrderedDict()  # the longest unused first
        self._bytes = 0
        self._asking: dict[str, asyncio.Lock] = {}

    async def verdict(self, url: str) -> Verdict:
        """Never raises for what a server does or a document says."""
        origin = _origin(url)
        async with one_at_a_time(self._asking, origin):
            rules = self._fresh(origin)
            if rules is None:
                rules = await self._ask(f"{origin}/robots.txt")
                self._keep(origin, rules)
        if rules.refused or not rules.body:
            return Verdict(rules.refused)
        job = RobotsJob(
            deadline=self._settings.page_deadline, body=rules.body, agent=AGENT, url=url
        )
        try:
            answer = await self._pool.do(job)
        except (TimeoutError, OSError, EOFError, msgspec.DecodeError):
            answer = Answer(unread=Unread(kind="robots", clause=_UNREADABLE))
        if answer.unread is not None:  # and so it would be the next time
            self._keep(origin, _Rules(rules.until, refused=_UNREADABLE))
            return Verdict(_UNREADABLE)
        delay = min(answer.crawl_delay or 0.0, _MAX_DELAY_S)
        return Verdict(None if answer.allowed else _REFUSED, delay)

    def _fresh(self, origin: str) -> _Rules | None:
        rules = self._known.get(origin)
        if rules is None or rules.until <= self._clock.now():
            return None
        self._known.move_to_end(origin)
        return rules

    async def _ask(self, url: str) -> _Rules:
        answer = await self._asker.ask(
            url, accept=_ACCEPT, max_bytes=self._settings.page_bytes, follow=True
        )
        now = self._clock.now()
        if isinstance(answer, Fetched):
            body = answer.body
            if len(body) > _MAX_BYTES:
                body = body[: body.rfind(b"\n", 0, _MAX_BYTES) + 1]  # whole lines
            return _Rules(now + _KEPT, body)
        if isinstance(answer, FetchError) and _there_is_none(answer):
            return _Rules(now + _KEPT)
        private = isinstance(answer, FetchError) and answer.kind == "address"
        return _Rules(now + _ASK_AGAIN, refused=_PRIVATE if private else _UNKNOWN)

    def _keep(self, origin: str, rules: _Rules) -> None:
        self._bytes -= _size(self._known.pop(origin, None))
        self._bytes += _size(rules)
        self._known[origin] = rules
        while self._bytes > _CACHE_BYTES and len(self._known) > 1:
            _, oldest = self._known.popitem(last=False)
            self._bytes -= _size(oldest)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _there_is_none(error: FetchError) -> bool:
    """By the RFC: any 4xx, and more redirects than it asks us to follow. "Too many requests" is
    no word about rules, though."""
    if error.kind == "redirect":
        return True
    return error.status is not None and 400 <= error.status < 500 and error.status != 429


def _size(rules: _Rules | None) -> int:
    return len(rules.body) + _ENTRY_BYTES if rules else 0
