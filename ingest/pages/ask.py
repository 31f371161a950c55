"""One request to a publisher's host, in turn with all others to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from ingest.clock import Clock
from ingest.fetch.fetcher import Fetched, Fetcher, FetchError, NotModified
from ingest.polling.hosts import Hosts, host_of

# An hour is what the longest of usual Retry-After headers say; more would also stop its feeds.
_LONGEST_REST_S = 3600.0
_SILENT = {"timeout", "connection"}
# Refusals that concern the host rather than the one page.
_HOST_WIDE = {"timeout", "connection", "tls", "proxy", "address"}
_HOST_WIDE_STATUS = {401, 403, 429, 503}


class Asker:
    """Courtesy for article pages and robots.txt: the host's turn, its gap, its wishes."""

    def __init__(self, fetcher: Fetcher, hosts: Hosts, clock: Clock) -> None:
        self._fetcher, self._hosts, self._clock = fetcher, hosts, clock

    def held(self, url: str, patience: timedelta) -> bool:
        """Is its host not to be asked for longer than `patience`?"""
        free_at = self._hosts.free_at(host_of(url))
        return free_at is not None and free_at > self._clock.now() + patience

    async def ask(
        self,
        url: str,
        *,
        accept: str,
        max_bytes: int,
        delay: float = 0.0,
        unless: set[str] | None = None,
        follow: bool = False,
    ) -> Fetched | FetchError | None:
        """The answer, after which the host is left alone for `delay` seconds. A redirect that it
        does not `follow` is an error that says where it leads. `unless` holds the hosts that are
        not to be asked any more (None comes back) and learns of further ones."""
        host = host_of(url)
        async with self._hosts.turn(url):
            if unless is not None and host in unless:
                return None
            answer = await self._fetcher.fetch(
                url, accept=accept, max_bytes=max_bytes, max_redirects=None if follow else 0
            )
            assert not isinstance(answer, NotModified)  # nothing was conditional
            now = self._clock.now()
            if isinstance(answer, FetchError):
                if answer.retry_after:
                    rest = min(answer.retry_after, _LONGEST_REST_S)
                    self._hosts.hold(url, now + timedelta(seconds=rest))
                if unless is not None and _of_the_host(answer):
                    unless.add(host)
            if isinstance(answer, FetchError) and answer.kind in _SILENT:
                self._hosts.silent(url)
            else:
                self._hosts.answered(url)
            if isinstance(answer, Fetched) and host_of(answer.final_url) != host:
                self._hosts.also_asked(answer.final_url)
            self._hosts.not_before(host, now + timedelta(seconds=delay))
        return answer


@asynccontextmanager
async def one_at_a_time(locks: dict[str, asyncio.Lock], name: str) -> AsyncIterator[None]:
    """The others who want `name` wait; `locks` keeps no name that nobody holds."""
    lock = locks.setdefault(name, asyncio.Lock())
    try:
        async with lock:
            yield
    finally:
        if not lock.locked() and locks.get(name) is lock:
            del locks[name]


def _of_the_host(error: FetchError) -> bool:
    return error.kind in _HOST_WIDE or error.status in _HOST_WIDE_STATUS
