"""The open stories, and which of them come into question for a new article."""

from __future__ import annotations

import numpy as np

from processors.cluster.piece import Piece, Vector
from processors.cluster.story import INDEXED_TERMS, Matrix, Story

# Candidates by vector and by terms that are judged in full: judging one costs about 50 µs, so
# these bound the cost of an article. Chosen for cost; what more would bring is not measured yet.
NEAREST, SHARING = 8, 8
# A term that more open stories hold than this tells nothing apart, and reading on would cost.
MAX_HOLDERS = 150
# Where the background of an article is read off: its similarity to stories it is surely not in.
BACKGROUND = slice(4, 24)
# ... and what it is taken for while there are fewer stories than that.
BACKGROUND_PRIOR, BACKGROUND_WEIGHT = 0.25, 8


class Shelf:
    """Open stories: a matrix of unit centres (rows are used again) and an index of rare terms."""

    def __init__(self) -> None:
        self.stories: dict[str, Story] = {}
        self.free: list[int] = []
        self._by_row: list[Story | None] = []
        # 256, doubled when full.
        self._centres: Matrix = np.zeros((0, 0), dtype=np.float32)
        self._holders: dict[str, dict[int, None]] = {}

    def next_row(self) -> int:
        """The row for a new story: one given back, else one more."""
        return self.free[-1] if self.free else len(self._by_row)

    def put(self, story: Story) -> None:
        """Hold a new story, or one that grew; it becomes the last in the order of `stories`."""
        self._room(story.row + 1, len(story.total))
        if self.stories.pop(story.id, None) is None and self.free and self.free[-1] == story.row:
            self.free.pop()
        self.stories[story.id] = story
        self.refresh(story)
        for term in story.found_by:
            self._holders.setdefault(term, {})[story.row] = None

    def refresh(self, story: Story) -> None:
        """Its centre moved."""
        self._by_row[story.row] = story
        self._centres[story.row] = story.centre

    def drop(self, story: Story) -> None:
        del self.stories[story.id]
        self._by_row[story.row] = None
        self._centres[story.row] = 0
        self.free.append(story.row)
        for term in story.found_by:
            holders = self._holders[term]
            del holders[story.row]
            if not holders:
                del self._holders[term]

    def restore(self, stories: list[Story], free: list[int]) -> None:
        """Hold these, in this order, on the rows that they had."""
        for story in stories:
            self.put(story)
        if free:
            self._room(max(free) + 1, 0)
        self.free = free

    def candidates(self, piece: Piece, vector: Vector) -> tuple[list[Story], float]:
        """Stories worth judging, and the background: how near the article is to stories that it
        has nothing to do with (streams about one subject have a high one)."""
        if not self.stories:
            return [], BACKGROUND_PRIOR
        near = self._centres[: len(self._by_row)] @ vector
        count = min(len(near), BACKGROUND.stop)
        rows = np.argpartition(near, len(near) - count)[-count:]
        # Rounded, so that a tie stays a tie whatever the order of the additions; ties by row.
        rows = rows[np.lexsort((rows, -np.round(near[rows], 5)))]
        live = [int(row) for row in rows if self._by_row[row] is not None]
        others = near[live[BACKGROUND]]
        background = (float(others.sum()) + BACKGROUND_PRIOR * BACKGROUND_WEIGHT) / (
            len(others) + BACKGROUND_WEIGHT
        )
        chosen = dict.fromkeys(live[:NEAREST])
        chosen.update(dict.fromkeys(self._sharing(piece)))
        found = [story for row in chosen if (story := self._by_row[row]) is not None]
        return found, background

    def _sharing(self, piece: Piece) -> list[int]:
        scores: dict[int, float] = {}
        for term, weight in list(piece.terms.items())[:INDEXED_TERMS]:
            holders = self._holders.get(term, {})
            if len(holders) <= MAX_HOLDERS:
                for row in holders:
                    scores[row] = scores.get(row, 0.0) + weight
        ranked = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
        return [row for row, _ in ranked[:SHARING]]

    def _room(self, rows: int, dims: int) -> None:
        while len(self._by_row) < rows:
            self._by_row.append(None)
        if not len(self._centres) and dims:
            self._centres = np.zeros((256, dims), dtype=np.float32)
        while dims and len(self._centres) < rows:
            self._centres = np.vstack([self._centres, np.zeros_like(self._centres)])
