"""The open stories, and which of them come into question for a new article."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable

import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from processors.cluster import bag, kernels
from processors.cluster.asleep import Asleep
from processors.cluster.nearest import Cells
from processors.cluster.piece import Piece, Vector
from processors.cluster.story import INDEXED_TERMS, Story

# Candidates by vector and by terms that are judged in full: judging one costs about 20 µs, all of
# them a quarter of placing. On five development streams 6 and 3 gave the same B³ within .003, 4 and
# 3 up to .008 less (headlines, a third of them); 8 and 8, 16 and 16 no more.
NEAREST, SHARING = 5, 3
# The stories that members of one are seen against, by direction and by terms, and of each so many
# of the newest. From these to 60, 8 and 12 the splits were the same but for a few articles.
AROUND, AROUND_SHARING, AROUND_NEWEST = 16, 4, 3
# A term that more open stories hold than this tells nothing apart, and reading on would cost.
MAX_HOLDERS = 150
# Where the background of an article is read off: its similarity to stories it is surely not in.
BACKGROUND = slice(4, 24)
# ... and what it is taken for while there are fewer stories than that.
BACKGROUND_PRIOR, BACKGROUND_WEIGHT = 0.25, 8
# How alike the stories of a stream are taken to be before there are so many: as if all news were of
# one subject, which is careful.
ALIKE_PRIOR, ALIKE_WEIGHT = 0.3, 10


class Shelf:
    """Open stories on numbered rows (used again), found by direction and by rare terms."""

    def __init__(self, read: Callable[[Raw], Story]) -> None:
        """`read` makes a story of what a snapshot holds of it."""
        self.stories = Asleep(read)  # in the order in which they last grew
        self.free: list[int] = []
        self.by_row: list[str | None] = []
        self.cells = Cells()
        # By the key of a term the row, or the rows in order: most terms are held once. Numbers side
        # by side: at 100,000 open articles following a pointer for each took most of a search.
        self.holders: dict[int, int | array[int]] = {}
        self._sums = np.zeros(0)  # by row; all 0 between two searches

    def next_row(self) -> int:
        """The row for a new story: one given back, else one more."""
        return self.free[-1] if self.free else len(self.by_row)

    def put(self, story: Story) -> None:
        """Hold a new story, or one that grew; it becomes the last in the order of `stories`."""
        self._room(story.row + 1)
        if self.stories.pop(story.id) is None and self.free and self.free[-1] == story.row:
            self.free.pop()
        self.stories[story.id] = story
        self.refresh(story)
        self._index(story)

    def _index(self, story: Story) -> None:
        row = story.row
        new, story.indexed = story.found_by[story.indexed :], len(story.found_by)
        for term in new:
            holders = self.holders.get(term)
            if holders is None:
                self.holders[term] = row
            elif isinstance(holders, int):
                self.holders[term] = array("i", sorted((holders, row)))
            else:
                holders.insert(bisect_left(holders, row), row)

    def refresh(self, story: Story) -> None:
        """Its centre moved."""
        self.by_row[story.row] = story.id
        self.cells.put(story.row, story.total)

    def drop(self, story: Story) -> None:
        del self.stories[story.id]
        self.by_row[story.row] = None
        self.cells.remove(story.row)
        self.free.append(story.row)
        for term in story.found_by[: story.indexed]:
            holders = self.holders[term]
            if isinstance(holders, int) or len(holders) == 1:
                del self.holders[term]
            else:
                del holders[bisect_left(holders, story.row)]
        story.indexed = 0

    def restore(self, by_row: list[str | None], free: list[int]) -> None:
        """Stories are on these rows; they, their terms and cells are laid by themselves."""
        self.by_row, self.free = by_row, free
        self._room(len(by_row))

    def candidates(
        self, piece: Piece, vector: Vector
    ) -> tuple[list[Story], NDArray[np.float64], float]:
        """Stories worth judging, their cosines, and the background: how near the article is to
        stories that it has nothing to do with (streams about one subject have a high one)."""
        rows, near = self.cells.near(vector, BACKGROUND.stop)
        others = near[BACKGROUND]
        background = (sum(others) + BACKGROUND_PRIOR * BACKGROUND_WEIGHT) / (
            len(others) + BACKGROUND_WEIGHT
        )
        chosen = dict.fromkeys(rows[:NEAREST])
        chosen.update(dict.fromkeys(self._sharing(piece)))
        return self._on(chosen), self.cells.cosines(list(chosen)), background

    def alike(self) -> float:
        """The mean cosine of two open stories: high where all news is of one subject."""
        return self.cells.alike(ALIKE_PRIOR, ALIKE_WEIGHT)

    def around(self, story: Story, piece: Piece) -> list[Piece]:
        """The newest members of the stories around this one, which the piece is about to join."""
        rows, _ = self.cells.near(story.centre, AROUND)
        rows += self._sharing(piece, AROUND_SHARING)
        others = self._on([row for row in dict.fromkeys(rows) if row != story.row])
        return [one for other in others for one in other.newest[-AROUND_NEWEST:]]

    def _on(self, rows: Iterable[int]) -> list[Story]:
        return [self.stories[name] for row in rows if (name := self.by_row[row]) is not None]

    def _sharing(self, piece: Piece, limit: int = SHARING) -> list[int]:
        keys, heavy = bag.terms_of(piece.said)
        held: list[bytes | array[int]] = []
        counts: list[int] = []
        for term in keys[:INDEXED_TERMS].tolist():
            holders = self.holders.get(term)
            if holders is None:
                counts.append(0)
            elif isinstance(holders, int):
                held.append(holders.to_bytes(4, "little"))
                counts.append(1)
            elif len(holders) <= MAX_HOLDERS:
                held.append(holders)
                counts.append(len(holders))
            else:
                counts.append(0)
        if not held:
            return []
        rows = np.frombuffer(b"".join(held), dtype="<i4")
        best: list[int] = kernels.most(rows, np.array(counts), heavy, self._sums, limit).tolist()
        return best

    def _room(self, rows: int) -> None:
        while len(self.by_row) < rows:
            self.by_row.append(None)
        if len(self._sums) < rows:
            self._sums = np.zeros(max(256, 2 * rows))
