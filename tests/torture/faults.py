"""Faults of what stands around the pipeline, one after the other between the kills."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence


class Faults:
    """Each is caused in a thread of its own, for it takes its time and the killing goes on."""

    def __init__(self, faults: Sequence[tuple[str, Callable[[], None]]], kills: int) -> None:
        """Spread evenly over so many `kills`."""
        self._left, self._total, self._kills = deque(faults), len(faults), kills
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def over(self) -> bool:
        """Have all been caused? Raises what causing one raised."""
        if self._error is not None:
            raise self._error
        return not self._left and self._thread is None

    def next(self, killed: int) -> str | None:
        """After so many kills: the name of the one that begins now, if one does."""
        if self._thread is not None:
            if self._thread.is_alive():
                return None
            self._thread = None
        if not self._left or self._error is not None:
            return None
        gone = self._total - len(self._left)
        if killed < self._kills * (gone + 0.5) / (self._total + 1):
            return None
        name, cause = self._left.popleft()

        def work() -> None:
            try:
                cause()
            except BaseException as error:
                self._error = error

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()
        return name
