"""Courtesy to hosts: one request at a time, with a gap between two, whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from ingest import urls
from ingest.clock import Clock
from ingest.settings import IngestSettings


class Hosts:
    """Whose turn it is at each host. One event loop, one of these: feeds, article pages and
    robots.txt share it."""

    def __init__(self, settings: IngestSettings, clock: Clock) -> None:
        self._gap, self._clock = timedelta(seconds=settings.host_gap), clock
        self._hosts: dict[str, _Host] = {}
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._stopping = False

    def stop(self) -> None:
        """Whoever still waits for a turn is cancelled when it comes."""
        self._stopping = True

    @asynccontextmanager
    async def turn(self, url: str) -> AsyncIterator[None]:
        """Hold while asking for `url`; waiting for a busy host takes no slot from the others."""
        host = self._hosts.setdefault(urls.domain(url) or "", _Host())
        async with host.turn:
            if host.free_at is not None and host.free_at > self._clock.now():
                await self._clock.sleep_until(host.free_at, asyncio.Event())
            async with self._slots:
                if self._stopping:
                    raise asyncio.CancelledError  # had not begun
                try:
                    yield
                finally:
                    host.free_at = self._clock.now() + self._gap


class _Host:
    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.free_at: datetime | None = None  # by the clock
