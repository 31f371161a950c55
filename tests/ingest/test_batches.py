"""What waits while a batch is worked on goes together."""

from __future__ import annotations

import asyncio
from typing import Any

from ingest.books.batches import Batches


def test_what_waits_while_a_batch_is_worked_on_goes_together() -> None:
    async def scenario() -> None:
        from concurrent.futures import ThreadPoolExecutor
        from threading import Event

        batches: list[list[int]] = []
        free, loop, begun = Event(), asyncio.get_running_loop(), asyncio.Event()

        def work(some: Any) -> list[Any]:
            batches.append(list(some))
            loop.call_soon_threadsafe(begun.set)
            free.wait(30)
            return [ValueError("five") if n == 5 else n * 2 for n in some]

        with ThreadPoolExecutor(1) as thread:
            doing: Batches[int, int] = Batches(thread, work, 3, lambda: 0)
            tasks = [asyncio.create_task(doing.done(0))]
            await begun.wait()
            tasks += [asyncio.create_task(doing.done(n)) for n in range(1, 6)]
            await asyncio.sleep(0)
            free.set()
            found = await asyncio.gather(*tasks, return_exceptions=True)
        assert found[:5] == [0, 2, 4, 6, 8]
        assert isinstance(found[5], ValueError)
        assert batches == [[0], [1, 2, 3], [4, 5]]

    asyncio.run(scenario())


def test_the_first_of_several_waits_a_moment_for_the_others() -> None:
    async def scenario() -> None:
        from concurrent.futures import ThreadPoolExecutor

        batches: list[list[int]] = []

        def work(some: Any) -> list[Any]:
            batches.append(list(some))
            return list(some)

        with ThreadPoolExecutor(1) as thread:
            doing: Batches[int, int] = Batches(thread, work, 9, lambda: 3)
            first = asyncio.create_task(doing.done(1))
            await asyncio.sleep(0)  # it is waiting now
            await asyncio.gather(doing.done(2), doing.done(3), first)
        assert batches == [[1, 2, 3]]

    asyncio.run(scenario())
