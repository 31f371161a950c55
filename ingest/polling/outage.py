"""While the log or the database is away: one goes on asking, the others wait for its success."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from stream.errors import Unavailable

T = TypeVar("T")

# Waiting (real seconds) doubles from the first to the last.
BACKOFF_S = (0.5, 15.0)
_say = structlog.get_logger("dateline.ingest")


class Outage:
    """One event loop, one of these: whoever needs the log or the database goes `through`."""

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self._over.set()

    async def through(self, call: Callable[[], Awaitable[T]]) -> T:
        """What `call` returns, as soon as it can be had: Unavailable is waited out."""
        while True:
            await self._over.wait()
            try:
                return await call()
            except Unavailable as error:
                if self._over.is_set():
                    return await self._until_over(call, error)

    async def _until_over(self, call: Callable[[], Awaitable[T]], error: Unavailable) -> T:
        self._over.clear()
        wait = BACKOFF_S[0]
        try:
            while True:
                _say.warning("ingest.waiting", error=str(error), retry_in_s=wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, BACKOFF_S[1])
                try:
                    return await call()
                except Unavailable as again:
                    error = again
        finally:
            self._over.set()  # also when this one is given up: another goes on
