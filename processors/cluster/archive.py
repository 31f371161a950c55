"""Stories that closed lately: what a new one may continue. A long saga is a chain of stories, each
with a rest of a quiet window between, and not one blob."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from processors.cluster.piece import Vector
from processors.cluster.story import Story

# Held at most, the newest: each takes up to 20 kB, and each new story is compared with all, which
# takes 50 µs.
MOST = 500
# One article that nobody followed up was no story that could go on.
MIN_ORIGINALS = 2
# Members that still stand for what it was about when it ended.
NEWEST = 4
# Compared in full: a chain goes on from what is most like it.
CANDIDATES = 3


class Archive:
    """Closed stories by id, in the order in which they closed."""

    def __init__(self) -> None:
        self.stories: dict[str, Story] = {}
        self._centres: NDArray[np.float32] | None = None

    def add(self, story: Story) -> None:
        """Hold a story that closes, unless it is too small to go on."""
        if story.originals < MIN_ORIGINALS:
            return
        self.stories[story.id] = msgspec.structs.replace(story, newest=story.newest[-NEWEST:])
        if len(self.stories) > MOST:
            del self.stories[next(iter(self.stories))]
        self._centres = None

    def forget(self, before: float) -> None:
        """Drop stories that last grew before that time by the lane's clock."""
        while self.stories and (oldest := next(iter(self.stories.values()))).seen < before:
            del self.stories[oldest.id]
            self._centres = None

    def near(self, vector: Vector) -> list[Story]:
        """The stories nearest to the vector, best first."""
        if not self.stories:
            return []
        held = list(self.stories.values())
        if self._centres is None:
            self._centres = np.stack([story.centre for story in held])
        # Rounded: the last digits depend on the machine.
        cosines = np.around(self._centres @ vector, 4)
        return [held[i] for i in np.argsort(-cosines, kind="stable")[:CANDIDATES]]
