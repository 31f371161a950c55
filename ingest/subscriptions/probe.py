"""Asking single documents outside the poller: guarded, polite, read in a worker process."""

from __future__ import annotations

from contextlib import AsyncExitStack

from msgspec import Struct

from ingest.clock import WallClock
from ingest.documents.items import Document, Refusal
from ingest.documents.workers import Workers
from ingest.fetch.fetcher import Fetched, Fetcher, FetchError
from ingest.polling.hosts import Hosts
from ingest.settings import IngestSettings


class Probed(Struct):
    """What came of one address: an answer and the document in it, or why not."""

    answer: Fetched | None = None
    document: Document | None = None
    refusal: Refusal | None = None


class Probe:
    """Use as an async context manager, from one event loop. The workers stay warm between
    documents; the network is not touched before the first `ask`."""

    def __init__(self, settings: IngestSettings, jobs: int = 1) -> None:
        self._settings, self._jobs = settings, jobs
        self._hosts = Hosts(settings, WallClock())
        self._open = AsyncExitStack()
        self._fetcher: Fetcher | None = None

    async def __aenter__(self) -> Probe:
        s = self._settings
        self._workers = await self._open.enter_async_context(
            Workers(self._jobs, s.parse_deadline, s.max_items)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def ask(self, url: str) -> Probed:
        """GET `url` in its host's turn and read what comes as a feed."""
        answer = await self.fetch(url)
        if isinstance(answer, FetchError):
            return Probed(refusal=Refusal(kind=answer.kind, sentence=answer.sentence))
        return await self.read(answer)

    async def fetch(self, url: str) -> Fetched | FetchError:
        if self._fetcher is None:
            # Entered before it is kept: of two that begin at once each has an open one.
            self._fetcher = await self._open.enter_async_context(Fetcher(self._settings))
        async with self._hosts.turn(url):
            answer = await self._fetcher.fetch(url)
        if isinstance(answer, Fetched | FetchError):
            return answer
        return FetchError(kind="status", sentence="the server answered 304 to a first request")

    async def read(self, answer: Fetched) -> Probed:
        """What a worker makes of an answer."""
        found = await self._workers.parse(answer.body, answer.content_type, answer.final_url)
        if isinstance(found, Refusal):
            return Probed(answer, refusal=found)
        return Probed(answer, document=found)
