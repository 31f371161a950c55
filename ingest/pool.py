"""Work off the event loop, in processes that can be killed."""

from __future__ import annotations

import asyncio
import struct
import sys
from asyncio.subprocess import PIPE, Process
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from ingest.documents.worker import Job, frame

A = TypeVar("A", bound=Struct)

# Starting a worker (imports included) takes 0.15 s here; a loaded machine may need far longer.
START_S = 30.0
# No answer about a document of 8 MB is longer; a process that announces more writes nonsense.
_MAX_ANSWER = 64 * 1024 * 1024


class Pool(Generic[A]):
    """A few processes running `module`, each with one job at a time; started when first needed.

    A process that is over the deadline, or dies, costs only its own job: it is killed and the
    next job gets a new one. `hello` is a small job (deadline START_S), answered before the first
    real one. Use as an async context manager, from one event loop.
    """

    def __init__(self, module: str, count: int, answer: type[A], hello: Job) -> None:
        self._module, self._hello = module, hello
        self._idle: asyncio.LifoQueue[Process | None] = asyncio.LifoQueue()
        for _ in range(count):
            self._idle.put_nowait(None)
        self._alive: set[Process] = set()
        self._decoder = msgspec.msgpack.Decoder(answer)

    async def __aenter__(self) -> Pool[A]:
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in list(self._alive):
            await self._kill(worker)

    async def do(self, job: Job) -> A:
        """The answer to `job`; waits for a free process. Raises TimeoutError when it takes longer
        than the job's deadline, EOFError, OSError or msgspec.DecodeError when the process dies."""
        worker = await self._idle.get()
        healthy = False
        try:
            answer = None
            if worker is not None and worker.returncode is None:
                try:
                    async with asyncio.timeout(job.deadline):
                        answer = await self._ask(worker, job)
                except (EOFError, OSError) as error:
                    if isinstance(error, TimeoutError):
                        raise
                    # It may have died while idle, of nothing in this job: once more.
                    await self._kill(worker)
            if answer is None:
                worker = await self._start()
                async with asyncio.timeout(job.deadline):
                    answer = await self._ask(worker, job)
            healthy = True
            return answer
        finally:
            if not healthy and worker is not None:
                await self._kill(worker)
                worker = None
            self._idle.put_nowait(worker)

    async def _start(self) -> Process:
        # -P: a folder named "ingest" where the operator happens to stand must not be imported.
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", self._module, stdin=PIPE, stdout=PIPE
        )
        self._alive.add(worker)
        # The first answer includes the imports, which must not count against a document.
        try:
            async with asyncio.timeout(START_S):
                await self._ask(worker, self._hello)
        except BaseException:
            await self._kill(worker)
            raise
        return worker

    async def _ask(self, worker: Process, job: Job) -> A:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(frame(msgspec.msgpack.encode(job)))
        await worker.stdin.drain()
        (size,) = struct.unpack(">I", await worker.stdout.readexactly(4))
        if size > _MAX_ANSWER:
            raise EOFError("it answered nonsense")
        return self._decoder.decode(await worker.stdout.readexactly(size))

    async def _kill(self, worker: Process) -> None:
        self._alive.discard(worker)
        if worker.returncode is None:
            worker.kill()
        await worker.wait()
