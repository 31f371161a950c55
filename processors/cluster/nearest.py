"""The open stories by direction: a few hundred of them are compared instead of all.

Stories lie in *cells* of neighbours. A search compares the article with the middles of the cells,
then the signs of the stories in the nearest of them, then in full those that have the most signs in
common with it. A full cell is parted in two, a nearly empty one is given up, so the cells follow
the news. Nothing is drawn at random: the same calls in the same order give the same cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from processors.cluster import directions
from processors.cluster.directions import CAPACITY, NOWHERE, ONE, Direction, Middles, Rows
from processors.cluster.piece import Vector

# A cell that shrinks below this is given up: its middle costs as much as a full one's.
FEWEST = CAPACITY // 8


class Cell(Struct, gc=False, array_like=True):
    """`vectors[i]` is the direction of the story on row `rows[i]`."""

    middle: Middles
    rows: Rows
    vectors: NDArray[np.int16]


class Cells:
    """Rows (numbers of stories) with a direction each."""

    def __init__(self) -> None:
        self.count = 0  # of cells
        self._held = directions.empty(0, 0)
        self._rows = 0
        self._squared = 0  # the length of the sum of all directions
        self._nearest = NOWHERE  # the cell of what was searched for last: often that is put next

    def __contains__(self, row: int) -> bool:
        return row < len(self._held.at) and bool(self._held.at[row] != NOWHERE)

    def put(self, row: int, vector: Vector) -> None:
        """Hold a row, or move one that is held. The length of the vector says nothing."""
        if not self.count:
            self._append(len(vector))
        self._lengthen(row + 1)
        cell, size, left, grown = directions.put(self._held, self.count, row, vector, self._nearest)
        self._squared += grown
        self._rows += left == NOWHERE
        if size == CAPACITY:
            self._part(cell)
        if left not in (NOWHERE, cell):
            self._give_up_small(left)

    def remove(self, row: int) -> None:
        self._give_up_small(self._take_out(row))

    def near(self, vector: Vector, count: int) -> tuple[list[int], list[float]]:
        """At most `count` rows with their cosines, the highest first; ties by row."""
        if not self.count:
            return [], []
        rows, cosines, self._nearest = directions.near(self._held, self.count, vector, count)
        return rows.tolist(), cosines.tolist()

    def cosines(self, rows: Sequence[int]) -> NDArray[np.float64]:
        """Of these rows, to what was searched for last."""
        return directions.cosines(self._held, np.array(rows, dtype=np.int32))

    def alike(self, prior: float, weight: int) -> float:
        """The mean cosine of two rows, taken to be `prior` before there are `weight` rows."""
        count, squared = self._rows, self._squared / ONE**2
        pairs, before = count * (count - 1), weight * (weight - 1)
        return round((squared - count + prior * before) / (pairs + before), 4)

    # -- for a snapshot --------------------------------------------------------------------------

    @property
    def level(self) -> Direction:
        return self._held.level

    def held(self) -> list[Cell]:
        """The cells without room for more."""
        middles, sizes, rows, vectors, *_ = self._held
        return [
            Cell(middles[cell], rows[cell, :size], vectors[cell, :size])
            for cell, size in enumerate(sizes[: self.count].tolist())
        ]

    def restore(self, level: Direction, cells: Sequence[Cell]) -> None:
        """Cells as they were held, behind those that are here, and the level of all."""
        for one in cells:
            self._lengthen(int(one.rows.max(initial=0)) + 1)
            self._append(len(level))
            self._held.middles[self.count - 1] = one.middle
            self._held.level[:] = level
            # In one call: half of the time of one for each row.
            self._squared += directions.enter_all(self._held, self.count - 1, one.rows, one.vectors)
            self._rows += len(one.rows)

    def _enter(self, row: int, cell: int, direction: Direction) -> None:
        self._squared += directions.enter(self._held, row, cell, direction)
        self._rows += 1

    def _take_out(self, row: int) -> int:
        """Returns the cell that it was in."""
        cell, grown = directions.take_out(self._held, row)
        self._squared += grown
        self._rows -= 1
        return cell

    def _part(self, cell: int) -> None:
        """A full cell in two."""
        if self.count == 1:
            # All that there is: what the vectors of an encoder have in common is known by now.
            directions.set_level(self._held, self._held.total // self._rows)
        self._append(len(self._held.level))
        directions.part(self._held, cell, self.count - 1)

    def _give_up_small(self, cell: int) -> None:
        """Give a cell up if it has become too small; the last one gets its number."""
        held = self._held
        if self.count == 1 or (size := int(held.sizes[cell])) >= FEWEST:
            return
        rows, vectors = held.rows[cell, :size].tolist(), held.vectors[cell, :size].copy()
        for row in rows:
            self._take_out(row)
        self.count -= 1
        directions.renumber(held, self.count, cell)
        self._nearest = NOWHERE
        for row, direction in zip(rows, vectors, strict=True):
            into = directions.nearest(self._held, self.count, direction)
            self._enter(row, into, direction)
            if self._held.sizes[into] == CAPACITY:
                self._part(into)

    def _append(self, dims: int) -> None:
        """One more cell, empty and without a middle."""
        if self.count == len(self._held.sizes):
            self._held = directions.empty(max(32, 2 * self.count), dims, self._held)
        self._held.sizes[self.count] = 0
        self.count += 1
        self._nearest = NOWHERE

    def _lengthen(self, rows: int) -> None:
        """Make room for rows below that."""
        if (before := len(self._held.at)) < rows:
            at = np.full(max(256, 2 * rows), NOWHERE, dtype=np.int32)
            at[:before] = self._held.at
            self._held = self._held._replace(at=at)
