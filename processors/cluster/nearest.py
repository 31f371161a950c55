"""The open stories by direction: a few hundred of them are compared instead of all.

Stories lie in *cells* of neighbours. A search compares the article with the middles of the cells,
then with the stories in the nearest of them. A full cell is parted in two, a nearly empty one is
given up, so the cells follow the news. Up to `PROBED` cells the search is exact. Nothing is drawn
at random: the same calls in the same order give the same cells.

Directions are whole numbers: unit vectors times `ONE`, rounded. Their products have no rounding, so
they are the same in any order and on every machine, and a vector takes 768 bytes instead of 1,536:
what a search reads stays in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from processors.cluster.piece import Vector
from processors.compiled import compiled

Direction = NDArray[np.int16]
Rows = NDArray[np.int32]

# The length of a direction: a cosine is off by .00003, and no sum of products passes 2³¹.
ONE = 1 << 14
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
# Rounds of two-means when a cell is parted; it hardly moves after the third.
ROUNDS = 4
NOWHERE = -1


class Cell(Struct, gc=False, array_like=True):
    """`vectors[i]` is the direction of the story on row `rows[i]`."""

    middle: Direction
    rows: Rows
    vectors: NDArray[np.int16]


class Held(NamedTuple):
    """All cells side by side, with room for more. Numbers of cells go from 0."""

    middles: NDArray[np.int16]  # by cell
    sizes: NDArray[np.int32]
    rows: Rows  # by cell and place in it
    vectors: NDArray[np.int16]
    at: NDArray[np.int32]  # by row: its cell times CAPACITY, and its place in that; or NOWHERE
    total: NDArray[np.int64]  # of all vectors


class Cells:
    """Rows (numbers of stories) with a direction each."""

    def __init__(self) -> None:
        self.count = 0  # of cells
        self._held = _empty(0, 0)
        self._rows = 0
        self._squared = 0  # the length of the sum of all directions
        # What was asked for last and its cell: mostly that is what is put next.
        self._asked: Direction = np.zeros(0, dtype=np.int16)
        self._nearest = NOWHERE

    def __contains__(self, row: int) -> bool:
        return row < len(self._held.at) and bool(self._held.at[row] != NOWHERE)

    def put(self, row: int, vector: Vector) -> None:
        """Hold a row, or move one that is held. The length of the vector says nothing."""
        direction = _direction(vector)
        if not self.count:
            self._append(direction)
        self._lengthen(row + 1)
        self._put(row, direction)

    def remove(self, row: int) -> None:
        self._give_up_small(self._take_out(row))

    def near(self, vector: Vector, count: int) -> tuple[list[int], list[float]]:
        """At most `count` rows with their cosines, the highest first; ties by row."""
        if not self.count:
            return [], []
        rows = np.empty(count, dtype=np.int32)
        products = np.empty(count, dtype=np.int32)
        self._asked = _direction(vector)
        found, self._nearest = _near(self._held, self.count, self._asked, rows, products)
        return rows[:found].tolist(), (products[:found] / ONE**2).tolist()

    def cosines(self, rows: Sequence[int]) -> NDArray[np.float64]:
        """Of these rows, to what was searched for last."""
        return _cosines(self._held, np.array(rows, dtype=np.int32), self._asked)

    def alike(self, prior: float, weight: int) -> float:
        """The mean cosine of two rows, taken to be `prior` before there are `weight` rows."""
        count, squared = self._rows, self._squared / ONE**2
        pairs, before = count * (count - 1), weight * (weight - 1)
        return round((squared - count + prior * before) / (pairs + before), 4)

    def held(self) -> list[Cell]:
        """The cells without room for more, for writing."""
        middles, sizes, rows, vectors, *_ = self._held
        return [
            Cell(middles[cell], rows[cell, :size], vectors[cell, :size])
            for cell, size in enumerate(sizes[: self.count].tolist())
        ]

    def restore(self, cells: Sequence[Cell]) -> None:
        """Cells as they were held, behind those that are here."""
        for one in cells:
            self._lengthen(int(one.rows.max(initial=0)) + 1)
            self._append(one.middle)
            for row, direction in zip(one.rows.tolist(), one.vectors, strict=True):
                self._enter(row, self.count - 1, direction)

    def _put(self, row: int, direction: Direction) -> None:
        if self._nearest == NOWHERE or not _same(direction, self._asked):
            self._asked, self._nearest = direction, _nearest(self._held, self.count, direction)
        cell = self._nearest
        left = self._take_out(row) if self._held.at[row] != NOWHERE else cell
        self._enter(row, cell, direction)
        if self._held.sizes[cell] == CAPACITY:
            self._append(self._held.middles[cell])
            _part(self._held, cell, self.count - 1)
        if left != cell:
            self._give_up_small(left)

    def _enter(self, row: int, cell: int, direction: Direction) -> None:
        self._squared += _enter(self._held, row, cell, direction)
        self._rows += 1

    def _take_out(self, row: int) -> int:
        """Returns the cell that it was in."""
        cell, change = _take_out(self._held, row)
        self._squared += change
        self._rows -= 1
        return cell

    def _give_up_small(self, cell: int) -> None:
        """Give a cell up if it has become too small; the last one gets its number."""
        held = self._held
        if self.count == 1 or (size := int(held.sizes[cell])) >= FEWEST:
            return
        rows, vectors = held.rows[cell, :size].tolist(), held.vectors[cell, :size].copy()
        for row in rows:
            self._take_out(row)
        self.count -= 1
        _renumber(held, self.count, cell)
        self._nearest = NOWHERE
        for row, direction in zip(rows, vectors, strict=True):
            self._put(row, direction)

    def _append(self, middle: Direction) -> None:
        """One more cell, empty."""
        if self.count == len(self._held.sizes):
            self._held = _empty(max(32, 2 * self.count), len(middle), self._held)
        self._held.middles[self.count] = middle
        self._held.sizes[self.count] = 0
        self.count += 1
        self._nearest = NOWHERE

    def _lengthen(self, rows: int) -> None:
        """Make room for rows below that."""
        if (before := len(self._held.at)) < rows:
            at = np.full(max(256, 2 * rows), NOWHERE, dtype=np.int32)
            at[:before] = self._held.at
            self._held = self._held._replace(at=at)


def _empty(room: int, dims: int, before: Held | None = None) -> Held:
    """Room for so many cells, of which the first are as before."""
    held = Held(
        middles=np.zeros((room, dims), dtype=np.int16),
        sizes=np.zeros(room, dtype=np.int32),
        rows=np.zeros((room, CAPACITY), dtype=np.int32),
        vectors=np.zeros((room, CAPACITY, dims), dtype=np.int16),
        at=np.zeros(0, dtype=np.int32) if before is None else before.at,
        total=np.zeros(dims, dtype=np.int64),
    )
    if before is not None and (count := len(before.sizes)):
        held.middles[:count], held.sizes[:count] = before.middles, before.sizes
        held.rows[:count], held.vectors[:count] = before.rows, before.vectors
        held.total[:] = before.total
    return held


@compiled
def _direction(vector: NDArray[Any]) -> Direction:
    """Of length ONE; of nothing nothing."""
    squared = 0.0
    for number in vector:
        squared += float(number) * float(number)
    scale = ONE / np.sqrt(squared) if squared > 1e-12 else 0.0
    found = np.empty(len(vector), dtype=np.int16)
    for i in range(len(vector)):
        found[i] = np.int16(np.rint(vector[i] * scale))
    return found


@compiled
def _product(one: Direction, other: Direction) -> int:
    total = np.int32(0)
    for i in range(len(other)):
        # Without the conversions numba goes on in 64 bits, which takes three times as long.
        total = np.int32(total + np.int32(np.int32(one[i]) * np.int32(other[i])))
    return total  # type: ignore[return-value]  # an int to numba


@compiled
def _cosines(held: Held, rows: Rows, asked: Direction) -> NDArray[np.float64]:
    found = np.empty(len(rows))
    for i in range(len(rows)):
        cell, at = divmod(held.at[rows[i]], CAPACITY)
        found[i] = _product(held.vectors[cell, at], asked) / ONE**2
    return found


@compiled
def _same(one: Direction, other: Direction) -> bool:
    if len(one) != len(other):
        return False
    apart = 0
    for i in range(len(one)):
        apart |= one[i] ^ other[i]
    return apart == 0


@compiled
def _nearest(held: Held, count: int, asked: Direction) -> int:
    """The cell whose middle is nearest, the first of several."""
    cell, highest = 0, _product(held.middles[0], asked)
    for i in range(1, count):
        product = _product(held.middles[i], asked)
        if product > highest:
            cell, highest = i, product
    return cell


@compiled
def _rank(found: int, products: Rows, rows: Rows, product: int, row: int) -> int:
    """Enter a row among the `found` highest, the lower row first in a tie; returns how many there
    are then, as many as there is room for."""
    at = found
    if found == len(rows):
        at -= 1
        if product < products[at] or (product == products[at] and row > rows[at]):
            return found
    while at and (
        product > products[at - 1] or (product == products[at - 1] and row < rows[at - 1])
    ):
        products[at], rows[at] = products[at - 1], rows[at - 1]
        at -= 1
    products[at], rows[at] = product, row
    return min(found + 1, len(rows))


@compiled
def _near(held: Held, count: int, asked: Direction, rows: Rows, products: Rows) -> tuple[int, int]:
    """Fills `rows` and `products`; returns how many there are, and the nearest cell."""
    cells = np.empty(PROBED, dtype=np.int32)
    highest = np.empty(PROBED, dtype=np.int32)
    probed = found = 0
    for cell in range(count):
        probed = _rank(probed, highest, cells, _product(held.middles[cell], asked), cell)
    for cell in cells[:probed]:
        for i in range(held.sizes[cell]):
            product = _product(held.vectors[cell, i], asked)
            found = _rank(found, products, rows, product, held.rows[cell, i])
    return found, cells[0]


@compiled
def _add(total: NDArray[np.int64], direction: Direction, sign: int) -> int:
    """To the sum, or from it; returns by how much the square of its length grows."""
    grown = 0
    for i in range(len(total)):
        more = sign * direction[i]
        grown += (2 * total[i] + more) * more
        total[i] += more
    return grown


@compiled
def _enter(held: Held, row: int, cell: int, direction: Direction) -> int:
    """Into a cell that has room; returns what `_add` does."""
    at = held.sizes[cell]
    held.vectors[cell, at], held.rows[cell, at] = direction, row
    held.at[row] = cell * CAPACITY + at
    held.sizes[cell] = at + 1
    return _add(held.total, direction, 1)


@compiled
def _take_out(held: Held, row: int) -> tuple[int, int]:
    """The last of its cell gets its place; returns the cell, and what `_add` does."""
    cell, at = divmod(held.at[row], CAPACITY)
    grown = _add(held.total, held.vectors[cell, at], -1)
    last = held.sizes[cell] - 1
    held.rows[cell, at] = held.rows[cell, last]
    held.vectors[cell, at] = held.vectors[cell, last]
    held.at[held.rows[cell, at]] = cell * CAPACITY + at
    held.at[row] = NOWHERE
    held.sizes[cell] = last
    return cell, grown


@compiled
def _renumber(held: Held, cell: int, number: int) -> None:
    """What is in a cell goes into another one, which is empty."""
    size = held.sizes[cell]
    held.sizes[number] = size
    held.middles[number] = held.middles[cell]
    held.vectors[number, :size] = held.vectors[cell, :size]
    held.rows[number, :size] = held.rows[cell, :size]
    for at in range(size):
        held.at[held.rows[number, at]] = number * CAPACITY + at


@compiled
def _part(held: Held, cell: int, other: int) -> None:
    """A full cell into two by two-means, from the story farthest out and the one farthest from
    it. The second goes into the other cell, which is empty."""
    rows, vectors = held.rows[cell].copy(), held.vectors[cell].copy()
    one = vectors[_farthest(vectors, held.middles[cell])]
    two = vectors[_farthest(vectors, one)]
    order = np.arange(CAPACITY)
    first = CAPACITY // 2
    for _ in range(ROUNDS):
        leaning = np.empty(CAPACITY, dtype=np.int64)
        for i in range(CAPACITY):
            leaning[i] = _product(vectors[i], two) - _product(vectors[i], one)
        # Near-equal halves even where all stories say the same or one lies far off.
        first = min(max((leaning < 0).sum(), CAPACITY // 4), CAPACITY * 3 // 4)
        order = np.argsort(leaning, kind="mergesort")  # what leans as much stays in its order
        one, two = _middle(vectors, order[:first]), _middle(vectors, order[first:])
    held.middles[cell], held.middles[other] = one, two
    held.sizes[cell], held.sizes[other] = first, CAPACITY - first
    for i in range(CAPACITY):
        into, at = (cell, i) if i < first else (other, i - first)
        held.rows[into, at], held.vectors[into, at] = rows[order[i]], vectors[order[i]]
        held.at[held.rows[into, at]] = into * CAPACITY + at


@compiled
def _farthest(vectors: NDArray[np.int16], asked: Direction) -> int:
    found, lowest = 0, _product(vectors[0], asked)
    for i in range(1, len(vectors)):
        product = _product(vectors[i], asked)
        if product < lowest:
            found, lowest = i, product
    return found


@compiled
def _middle(vectors: NDArray[np.int16], members: NDArray[np.int64]) -> Direction:
    total = np.zeros(vectors.shape[1], dtype=np.int64)
    for i in members:
        total += vectors[i]
    return _direction(total)
