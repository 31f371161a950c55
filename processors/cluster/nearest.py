"""The open stories by direction: a few hundred of them are compared instead of all.

Stories lie in *cells* of neighbours. A search compares the article with the middles of the cells,
then with the stories in the nearest of them. A full cell is parted in two, a nearly empty one is
given up, so the cells follow the news. Up to `PROBED` cells the search is exact. Nothing is drawn
at random: the same calls in the same order give the same cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from processors.cluster.piece import Vector
from processors.cluster.story import Matrix

Rows = NDArray[np.int64]

# Rows of a full cell: middles and stories compared cost the same, and with these two numbers they
# weigh about the same at 50,000 stories.
CAPACITY = 64
# Cells searched. On 6,300 real headlines and reports (148 cells) 99.6 % of the nearest neighbours
# were found, and 98.7 % of the first eight; 24 cells find 100 % and 99.6 %, 8 cells 98.8 % and
# 96.3 %. On 40,000 made stories whose vectors have no grain below their topics (the worst case)
# 95 % of the nearest; terms in common find the rest.
PROBED = 16
# A cell that shrinks below this is given up: its middle costs as much as a full one's.
FEWEST = CAPACITY // 8
# Cosines this near may be the same once they are rounded.
ROUNDED = np.float32(2e-5)
# Sums of so many parts of one are whole numbers, the same in whatever order they are made.
WHOLE = 1 << 20
# Rounds of two-means when a cell is parted; it hardly moves after the third.
ROUNDS = 4


class Cell(Struct, gc=False, array_like=True):
    """`vectors[i]` is the centre of the story on row `rows[i]`, for i below `size`."""

    middle: Vector
    size: int
    rows: Rows
    vectors: Matrix

    def at(self, row: int) -> int:
        return int((self.rows[: self.size] == row).argmax())


class Cells:
    """Rows (numbers of stories) with a unit vector each."""

    def __init__(self) -> None:
        self.cells: list[Cell] = []
        self._middles: Matrix = np.zeros((0, 0), dtype=np.float32)
        self._cell_of: dict[int, Cell] = {}
        self._last: tuple[Vector, Vector] | None = None  # a vector, its products with the middles
        self._sum = np.zeros(0)  # of the vectors, each to the nearest whole number of WHOLE

    def __contains__(self, row: int) -> bool:
        return row in self._cell_of

    def put(self, row: int, vector: Vector, towards: Vector | None = None) -> None:
        """Hold a row, or move one that is held. `towards` has the direction of the vector and any
        length: its cell is free to find when it is what was searched for last."""
        held = self._cell_of.get(row)
        if not self.cells:
            self._append(_cell(vector.copy()))
        towards = vector if towards is None else towards
        cell = self.cells[int(self._products(towards).argmax())]
        if held is cell:
            at = cell.at(row)
            self._add(vector)
            self._add(-cell.vectors[at])
            cell.vectors[at] = vector
            return
        if held is not None:
            self.remove(row)
            # Giving up a cell may have moved the others.
            cell = self.cells[int(self._products(towards).argmax())]
        cell.vectors[cell.size], cell.rows[cell.size] = vector, row
        cell.size += 1
        self._cell_of[row] = cell
        self._add(vector)
        if cell.size == CAPACITY:
            self._part(cell)

    def remove(self, row: int) -> None:
        cell = self._cell_of.pop(row)
        at, last = cell.at(row), cell.size - 1
        self._add(-cell.vectors[at])
        cell.rows[at] = cell.rows[last]
        cell.vectors[at] = cell.vectors[last]
        cell.size = last
        if last < FEWEST and len(self.cells) > 1:
            self._give_up(cell)

    def near(self, vector: Vector, count: int) -> tuple[list[int], list[float]]:
        """At most `count` rows with their cosines, the highest first. Cosines are rounded, so that
        a tie stays a tie whatever the order of the additions; ties by row."""
        if not self.cells:
            return [], []
        cells = self.cells
        if len(cells) > PROBED:
            middles = self._products(vector)
            cells = [cells[i] for i in middles.argpartition(-PROBED)[-PROBED:].tolist()]
        rows = np.concatenate([cell.rows[: cell.size] for cell in cells])
        near = np.concatenate([cell.vectors[: cell.size] @ vector for cell in cells])
        if len(rows) > count:
            # All that may tie with the last of them stay, for the order by row to choose among.
            least = np.partition(near, len(near) - count)[len(near) - count] - ROUNDED
            kept = np.flatnonzero(near >= least)
            rows, near = rows[kept], near[kept]
        near = near.round(5)
        order = np.lexsort((rows, -near))[:count]
        return rows[order].tolist(), near[order].tolist()

    def alike(self, prior: float, weight: int) -> float:
        """The mean cosine of two rows, taken to be `prior` before there are `weight` rows."""
        count = len(self._cell_of)
        squared = float(self._sum @ self._sum) / WHOLE**2
        pairs, before = count * (count - 1), weight * (weight - 1)
        return round((squared - count + prior * before) / (pairs + before), 4)

    def _add(self, vectors: Vector | Matrix) -> None:
        whole = np.rint(vectors * np.float64(WHOLE))
        whole = whole.sum(axis=0) if whole.ndim > 1 else whole
        self._sum = self._sum + whole if len(self._sum) else whole

    def _products(self, vector: Vector) -> Vector:
        """With the middles of all cells."""
        if self._last is None or not np.array_equal(self._last[0], vector):
            self._last = vector.copy(), self._middles[: len(self.cells)] @ vector
        return self._last[1]

    def restore(self, cells: Sequence[Cell]) -> None:
        """The cells as they were, without room for more."""
        for held in cells:
            cell = _cell(held.middle)
            cell.size = size = held.size
            cell.rows[:size], cell.vectors[:size] = held.rows, held.vectors
            self._append(cell)
            self._cell_of.update(dict.fromkeys(held.rows.tolist(), cell))
            self._add(held.vectors)

    def held(self) -> list[Cell]:
        """The cells without room for more, for writing."""
        return [
            Cell(cell.middle, cell.size, cell.rows[: cell.size], cell.vectors[: cell.size])
            for cell in self.cells
        ]

    def _append(self, cell: Cell) -> None:
        number = len(self.cells)
        if number == len(self._middles):
            more = np.zeros((max(32, 2 * number), len(cell.middle)), dtype=np.float32)
            if number:
                more[:number] = self._middles
            self._middles = more
        self.cells.append(cell)
        self._middles[number] = cell.middle
        self._last = None

    def _part(self, cell: Cell) -> None:
        """In two by two-means, from the story farthest out and the one farthest from it."""
        rows, vectors = cell.rows, cell.vectors
        one = vectors[int((vectors @ cell.middle).argmin())]
        other = vectors[int((vectors @ one).argmin())]
        for _ in range(ROUNDS):
            leaning = vectors @ (one - other)
            # Near-equal halves even where all stories say the same or one lies far off.
            at = int(np.clip((leaning > 0).sum(), CAPACITY // 4, CAPACITY * 3 // 4))
            order = np.argsort(-leaning, kind="stable")
            one, other = _middle(vectors[order[:at]]), _middle(vectors[order[at:]])
        more = _cell(other)
        more.size = CAPACITY - at
        more.rows[: more.size], more.vectors[: more.size] = rows[order[at:]], vectors[order[at:]]
        cell.rows[:at], cell.vectors[:at] = rows[order[:at]], vectors[order[:at]]
        cell.size, cell.middle = at, one
        self._middles[self._number(cell)] = one
        self._last = None
        self._cell_of |= dict.fromkeys(more.rows[: more.size].tolist(), more)
        self._append(more)

    def _number(self, cell: Cell) -> int:
        return next(i for i, other in enumerate(self.cells) if other is cell)

    def _give_up(self, cell: Cell) -> None:
        number = self._number(cell)
        last = self.cells.pop()
        self._last = None
        if last is not cell:
            self.cells[number] = last
            self._middles[number] = last.middle
        for at, row in enumerate(cell.rows[: cell.size].tolist()):
            del self._cell_of[row]
            self._add(-cell.vectors[at])
            self.put(row, cell.vectors[at])


def _cell(middle: Vector) -> Cell:
    room = np.zeros((CAPACITY, len(middle)), dtype=np.float32)
    return Cell(middle, 0, np.zeros(CAPACITY, dtype=np.int64), room)


def _middle(vectors: Matrix) -> Vector:
    total = vectors.sum(axis=0)
    length = float(np.sqrt(np.dot(total, total)))
    middle: Vector = total / np.float32(length) if length > 1e-6 else total
    return middle
