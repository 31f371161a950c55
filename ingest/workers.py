"""Parsing off the event loop, in processes that can be killed."""

from __future__ import annotations

from types import TracebackType

import msgspec

from ingest.items import Document, Refusal
from ingest.pool import START_S, Pool
from ingest.worker import Answer, Request


class Workers:
    """Processes that parse, one document at a time each; see `ingest.pool`."""

    def __init__(self, count: int, deadline: float, max_items: int) -> None:
        self._deadline, self._max_items = deadline, max_items
        hello = Request(
            deadline=START_S, body=b"", content_type="", base="http://localhost/", max_items=1
        )
        self._pool = Pool("ingest.worker", count, Answer, hello)

    async def __aenter__(self) -> Workers:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._pool.__aexit__(kind, error, trace)

    async def parse(self, body: bytes, content_type: str, base: str) -> Document | Refusal:
        """The document's items; waits for a free worker. Never raises for a bad document."""
        request = Request(
            deadline=self._deadline, body=body, content_type=content_type, base=base,
            max_items=self._max_items,
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
