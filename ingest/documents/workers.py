"""Parsing off the event loop, in processes that can be killed."""

from __future__ import annotations

import asyncio

import msgspec

from ingest.documents.items import Document, Refusal
from ingest.documents.worker import Answer, Request
from ingest.pool import START_S, Pool

# Feeds remembered for having stopped or broken a worker; the oldest are forgiven first.
_MAX_SUSPECTS = 1000


class Workers:
    """Processes that parse, one document at a time each; see `ingest.pool`.

    Feeds whose last document had to be stopped wait for each other: together they hold one
    process at most, and healthy feeds have the others.
    """

    def __init__(self, count: int, deadline: float, max_items: int) -> None:
        self._deadline, self._max_items = deadline, max_items
        hello = Request(
            deadline=START_S, body=b"", content_type="", base="http://localhost/", max_items=1
        )
        self._suspects: dict[str, None] = {}
        self._quarantine = asyncio.Lock()
        self._pool = Pool("ingest.documents.worker", count, Answer, hello)

    async def __aenter__(self) -> Workers:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.__aexit__(*_)

    async def parse(
        self, body: bytes, content_type: str, base: str, *, identify: bool = False
    ) -> Document | Refusal:
        """The document's items, with their languages if `identify`; waits for a free worker. Never
        raises for a bad document."""
        if base in self._suspects:
            async with self._quarantine:
                found = await self._parsed(body, content_type, base, identify)
        else:
            found = await self._parsed(body, content_type, base, identify)
        if isinstance(found, Refusal) and found.kind in ("timeout", "crash"):
            self._suspects[base] = None
            if len(self._suspects) > _MAX_SUSPECTS:
                del self._suspects[next(iter(self._suspects))]
        else:
            self._suspects.pop(base, None)
        return found

    async def _parsed(
        self, body: bytes, content_type: str, base: str, identify: bool
    ) -> Document | Refusal:
        request = Request(
            deadline=self._deadline, body=body, content_type=content_type, base=base,
            max_items=self._max_items, identify=identify,
        )  # fmt: skip
        try:
            answer = await self._pool.do(request)
        except TimeoutError:
            return Refusal(
                kind="timeout",
                sentence=f"reading the document took over {self._deadline:g} s and was stopped",
            )
        except (OSError, EOFError, msgspec.DecodeError) as error:
            return Refusal(
                kind="crash",
                sentence=f"the document broke the parser's process ({error or 'it died'})",
            )
        found = answer.document or answer.refusal
        assert found is not None
        return found
