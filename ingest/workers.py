"""Parsing off the event loop, in processes that can be killed."""

from __future__ import annotations

import asyncio
import struct
import sys
from asyncio.subprocess import PIPE, Process
from types import TracebackType

import msgspec

from ingest.items import Document, Refusal
from ingest.worker import Answer, Request, frame

# Starting a worker (imports included) takes 0.15 s here; a loaded machine may need far longer.
_START_S = 30.0


class Workers:
    """A few worker processes, each with one document at a time; started when first needed.

    A worker that is over its deadline, or dies, costs only its own document: it is killed and
    the next document gets a new one. Use as an async context manager, from one event loop.
    """

    def __init__(self, count: int, deadline: float, max_items: int) -> None:
        self._deadline, self._max_items = deadline, max_items
        self._idle: asyncio.LifoQueue[Process | None] = asyncio.LifoQueue()
        for _ in range(count):
            self._idle.put_nowait(None)
        self._alive: set[Process] = set()
        self._decoder = msgspec.msgpack.Decoder(Answer)

    async def __aenter__(self) -> Workers:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in list(self._alive):
            await self._kill(worker)

    async def parse(self, body: bytes, content_type: str, base: str) -> Document | Refusal:
        """The document's items; waits for a free worker. Never raises for a bad document."""
        worker = await self._idle.get()
        healthy = False
        try:
            if worker is None or worker.returncode is not None:
                worker = await self._start()
            request = Request(body, content_type, base, self._max_items, self._deadline)
            async with asyncio.timeout(self._deadline):
                answer = await self._ask(worker, msgspec.msgpack.encode(request))
            healthy = True
            found = answer.document or answer.refusal
            assert found is not None
            return found
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
        finally:
            if not healthy and worker is not None:
                await self._kill(worker)
                worker = None
            self._idle.put_nowait(worker)

    async def _start(self) -> Process:
        # -P: a folder named "ingest" where the operator happens to stand must not be imported.
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "ingest.worker", stdin=PIPE, stdout=PIPE
        )
        self._alive.add(worker)
        # The first answer includes the imports, which must not count against a document.
        async with asyncio.timeout(_START_S):
            hello = Request(b"", "", "http://localhost/", 1, _START_S)
            await self._ask(worker, msgspec.msgpack.encode(hello))
        return worker

    async def _ask(self, worker: Process, data: bytes) -> Answer:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(frame(data))
        await worker.stdin.drain()
        head = await worker.stdout.readexactly(4)
        return self._decoder.decode(await worker.stdout.readexactly(struct.unpack(">I", head)[0]))

    async def _kill(self, worker: Process) -> None:
        self._alive.discard(worker)
        if worker.returncode is None:
            worker.kill()
        await worker.wait()
