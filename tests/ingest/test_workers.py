"""Processes that parse: killed, lying, out of memory, or busy with hostile documents."""

from __future__ import annotations

import asyncio
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ingest import pool
from ingest.documents.items import Document, Refusal
from ingest.documents.worker import Answer, Request
from ingest.documents.workers import Workers
from tests.ingest.world import item, rss

BASE = "https://feeds.example/feed.xml"
HEALTHY = rss(item(1))
# 7 MB of inline markup: a second or more of honest work.
SLOW = rss(*(item(n, text="é<br/>" * 500) for n in range(2000)))


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())  # type: ignore[arg-type]


def test_a_document_over_the_deadline_is_stopped_and_the_next_one_read() -> None:
    async def main() -> None:
        async with Workers(1, 0.3, 2000) as workers:
            found = await workers.parse(SLOW, "", BASE)
            assert isinstance(found, Refusal)
            assert found.kind == "timeout"
            assert isinstance(await workers.parse(HEALTHY, "", BASE), Document)

    run(main)


def test_a_worker_that_died_while_idle_costs_nothing() -> None:
    async def main() -> None:
        async with Workers(1, 30.0, 2000) as workers:
            assert isinstance(await workers.parse(HEALTHY, "", BASE), Document)
            for _ in range(3):
                (worker,) = workers._pool._alive
                worker.kill()
                assert isinstance(await workers.parse(HEALTHY, "", BASE), Document)

    run(main)


def test_a_worker_killed_in_the_middle_of_a_document_costs_at_most_that_document() -> None:
    async def main() -> None:
        async with Workers(1, 30.0, 2000) as workers:
            assert isinstance(await workers.parse(HEALTHY, "", BASE), Document)
            (worker,) = workers._pool._alive
            task = asyncio.ensure_future(workers.parse(SLOW, "", BASE))
            await asyncio.sleep(0)
            worker.kill()
            found = await task
            assert isinstance(found, Document) or found.kind == "crash"
            assert isinstance(await workers.parse(HEALTHY, "", BASE), Document)

    run(main)


LIAR = """
import sys, struct
out = sys.stdout.buffer
def read():
    head = sys.stdin.buffer.read(4)
    return sys.stdin.buffer.read(struct.unpack(">I", head)[0]) if len(head) == 4 else None
read(); out.write(struct.pack(">I", 3) + b"\\x92\\xc0\\xc0"); out.flush()
while read() is not None:
    out.write(ANSWER); out.flush()
"""


@pytest.mark.parametrize(
    "answer",
    [
        struct.pack(">I", 0xFFFFFFFF) + b"x" * 1000,
        struct.pack(">I", 5) + b"hello",
        struct.pack(">I", 2) + b"\x91\x05",
        b"\x00",
    ],
    ids=["too long", "no msgpack", "another type", "half a frame"],
)
def test_a_worker_that_writes_garbage_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    (tmp_path / "liar.py").write_text(LIAR.replace("ANSWER", repr(answer)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async def main() -> None:
        hello = Request(deadline=30, body=b"", content_type="", base=BASE, max_items=1)
        async with pool.Pool("liar", 1, Answer, hello) as liars:
            job = Request(deadline=1, body=b"x", content_type="", base=BASE, max_items=1)
            for _ in range(2):
                with pytest.raises((EOFError, OSError, ValueError)):
                    await liars.do(job)

    run(main)


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux only")
def test_a_document_that_needs_too_much_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "small.py").write_text(
        "import ingest.documents.parse, ingest.documents.worker as w\n"
        "w.MEMORY_BYTES = 256 * 1024 * 1024\n"
        "w.serve(w.Request, w._answer)\n"
    )
    root = str(Path(pool.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{root}")

    async def main() -> None:
        hello = Request(deadline=30, body=b"", content_type="", base=BASE, max_items=1)
        async with pool.Pool("small", 1, Answer, hello) as small:
            big = rss(item(1, text="x" * 60_000_000))
            request = Request(deadline=30, body=big, content_type="", base=BASE, max_items=9)
            answer = await small.do(request)
            assert answer.refusal is not None
            assert answer.refusal.kind == "crash"
            request = Request(deadline=30, body=HEALTHY, content_type="", base=BASE, max_items=9)
            assert (await small.do(request)).document is not None

    run(main)


def test_hostile_feeds_never_hold_every_worker() -> None:
    async def main() -> None:
        async with Workers(2, 0.3, 2000) as workers:
            hostile = [f"https://hostile.example/{n}" for n in range(4)]
            for base in hostile:
                assert isinstance(await workers.parse(SLOW, "", base), Refusal)
            tasks = [asyncio.ensure_future(workers.parse(SLOW, "", base)) for base in hostile]
            await asyncio.sleep(0)
            assert isinstance(await workers.parse(HEALTHY, "", BASE), Document)
            assert any(not task.done() for task in tasks)
            assert all(isinstance(found, Refusal) for found in await asyncio.gather(*tasks))
            assert isinstance(await workers.parse(HEALTHY, "", hostile[0]), Document)

    run(main)
