"""Work for one thread, done in batches: it takes everything that waits, again and again.

A transaction costs as much as saving fifteen polls does, so while others are under way the first
waits a moment for them. With one poll at a time every batch is of one and nobody waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

# Nobody is in a hurry: a feed is asked again in minutes. At 200 polls a second ten come meanwhile.
_GATHER_S = 0.05

T = TypeVar("T")
R = TypeVar("R")


class Batches(Generic[T, R]):
    """`do` turns a batch into one result each, in its order; a result that is an exception is
    raised to whoever waits for it. At most `most` go in one batch; `under_way` counts those that
    wait and those that will. One event loop, one of these."""

    def __init__(
        self,
        thread: Executor,
        do: Callable[[Sequence[T]], Sequence[R | Exception]],
        most: int,
        under_way: Callable[[], int],
    ) -> None:
        self._thread, self._do = thread, do
        self._most, self._under_way = most, under_way
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._working: asyncio.Task[None] | None = None

    async def done(self, one: T) -> R:
        """The result for `one`. Giving up the wait does not undo the work."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, future))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                if len(self._waiting) < min(self._most, self._under_way()):
                    await asyncio.sleep(_GATHER_S)
                some = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                try:
                    results = await loop.run_in_executor(
                        self._thread, self._do, [one for one, _ in some]
                    )
                except BaseException as error:
                    for _, future in some:
                        if not future.done():
                            future.set_exception(error)
                    if not isinstance(error, Exception):
                        raise
                else:
                    for (_, future), result in zip(some, results, strict=True):
                        _give(future, result)
        finally:
            self._working = None


def _give(future: asyncio.Future[R], result: R | Exception) -> None:
    if future.done():
        return  # whoever waited has given up
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
