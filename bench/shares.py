"""Where the time of an article goes: the steps of placing and matching, each without those inside.

Functions are replaced by ones that look at the clock, in the module or class where callers find
them, and put back afterwards.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from processors.cluster import mend, signals, stage
from processors.cluster.copies import Sketches
from processors.cluster.decision import Decision
from processors.cluster.lane import Lane
from processors.cluster.piece import Reading
from processors.cluster.place import Shelf
from processors.cluster.story import Story
from processors.cluster.vocabulary import Vocabulary
from processors.match import judge
from processors.match import signals as match_signals
from processors.match.judge import Judge


class Step(NamedTuple):
    name: str
    part: str  # placing or matching
    where: tuple[tuple[object, str], ...]


STEPS = (
    Step("reads terms, names, numbers", "placing", ((stage, "_read"), (Reading, "weigh"))),
    Step("looks for copies", "placing", ((Sketches, "like"), (Sketches, "add"))),
    Step("finds candidates", "placing", ((Shelf, "candidates"),)),
    Step("compares with candidates", "placing", ((signals, "measure"), (Decision, "scores"))),
    Step("mends stories", "placing", ((mend, "leaving"), (mend, "same"), (Shelf, "around"))),
    Step("grows the story", "placing", ((Story, "add"), (Vocabulary, "add"))),
    Step("keeps the story findable", "placing", ((Shelf, "put"),)),
    Step("everything else", "placing", ((Lane, "place"),)),
    Step("reads sentences, names, days", "matching", ((judge, "read"),)),
    Step("cosines to all events", "matching", ((match_signals, "near"),)),
    Step("compares with likely events", "matching", ((Judge, "_judged"),)),
    Step("gives reasons", "matching", ((Judge, "_decision"),)),
    Step("everything else", "matching", ((Judge, "kept_all"),)),
)


class Shares:
    """Seconds spent in each of `STEPS`."""

    def __init__(self) -> None:
        self.seconds: dict[Step, float] = defaultdict(float)
        self._inside: list[float] = []  # time spent further in, for each open call

    @contextmanager
    def measured(self) -> Iterator[None]:
        """While this is open, calls are counted."""
        with ExitStack() as stack:
            for step in STEPS:
                for owner, name in step.where:
                    timed = self._timed(step, getattr(owner, name))
                    stack.enter_context(patch.object(owner, name, timed))
            yield

    def _timed(self, step: Step, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **named: Any) -> Any:
            self._inside.append(0.0)
            started = time.perf_counter()
            try:
                return function(*args, **named)
            finally:
                spent = time.perf_counter() - started
                self.seconds[step] += spent - self._inside.pop()
                if self._inside:
                    self._inside[-1] += spent

        return timed
