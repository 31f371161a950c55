"""Directions: unit vectors as whole numbers, in cells side by side, and the loops over them.

A unit vector times `ONE`, rounded. Products of such have no rounding, so they are the same in any
order and on every machine, and a vector takes half of the bytes: a search waits for memory more
than it computes. Before their products, directions are compared by *signs*, a bit for each number
that says whether it is over a level: 48 bytes instead of 768, and the share of signs that two have
in common grows with their cosine.

All compiled functions are in this one file, with the numbers that they read: numba makes what it
has compiled anew when the file changes, not when another one does.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.compiled import compiled

Direction = NDArray[np.int16]
Middles = NDArray[np.int8]
Rows = NDArray[np.int32]

# The length of a direction: a cosine is off by .00003, and no sum of products passes 2³¹.
ONE = 1 << 14
# A middle is kept in steps of so much: every article is compared with all of them, and which cells
# come 24th and 25th is all that it changes. A number over a half of ONE counts as a half.
COARSE = 64
WORD = 64  # signs side by side
# Rows of a full cell. A middle costs as much to read as the signs of eight stories: with these two
# numbers both weigh about the same at 50,000 stories.
CAPACITY = 128
# Cells searched, and stories compared in full for each that is asked for. Of the nearest neighbours
# of 10,400 real headlines and reports (122 cells) 98.1 % are found, of the first six 96.8 % and of
# the first 24 92.9 %. 32 cells find 98.5, 98 and 94.5 %, but read a third more.
PROBED, KEPT = 24, 4
# Rounds of two-means when a cell is parted; it hardly moves after the third.
ROUNDS = 4
NOWHERE = -1


class Held(NamedTuple):
    """All cells side by side, with room for more. Numbers of cells go from 0."""

    middles: Middles  # by cell
    sizes: NDArray[np.int32]
    rows: Rows  # by cell and place in it
    vectors: NDArray[np.int16]
    signs: NDArray[np.uint64]
    at: NDArray[np.int32]  # by row: its cell times CAPACITY, and its place in that; or NOWHERE
    total: NDArray[np.int64]  # of all vectors
    level: Direction  # of the signs
    asked: Direction  # what was searched for last


def empty(room: int, dims: int, before: Held | None = None) -> Held:
    """Room for so many cells, of which the first are as before."""
    held = Held(
        middles=np.zeros((room, dims), dtype=np.int8),
        sizes=np.zeros(room, dtype=np.int32),
        rows=np.zeros((room, CAPACITY), dtype=np.int32),
        vectors=np.zeros((room, CAPACITY, dims), dtype=np.int16),
        signs=np.zeros((room, CAPACITY, -(-dims // WORD)), dtype=np.uint64),
        at=np.zeros(0, dtype=np.int32) if before is None else before.at,
        total=np.zeros(dims, dtype=np.int64),
        level=np.zeros(dims, dtype=np.int16),
        asked=np.zeros(dims, dtype=np.int16),
    )
    if before is not None and (count := len(before.sizes)):
        held.middles[:count], held.sizes[:count] = before.middles, before.sizes
        held.rows[:count], held.vectors[:count] = before.rows, before.vectors
        held.signs[:count] = before.signs
        held.total[:], held.level[:] = before.total, before.level
    return held


@compiled
def _set(direction: Direction, vector: NDArray[Any]) -> None:
    """To that of the vector, of length ONE; to nothing for nothing."""
    squared = 0.0
    for number in vector:
        squared += float(number) * float(number)
    scale = ONE / np.sqrt(squared) if squared > 1e-12 else 0.0
    for i in range(len(vector)):
        direction[i] = np.int16(np.rint(vector[i] * scale))


@compiled
def _product(one: NDArray[Any], other: Direction) -> int:
    total = np.int32(0)
    for i in range(len(other)):
        # Without the conversions numba goes on in 64 bits, which takes three times as long.
        total = np.int32(total + np.int32(np.int32(one[i]) * np.int32(other[i])))
    return total  # type: ignore[return-value]  # an int to numba


@compiled
def _same(one: Direction, other: Direction) -> bool:
    apart = 0
    for i in range(len(one)):
        apart |= one[i] ^ other[i]
    return apart == 0


@compiled
def nearest(held: Held, count: int, asked: Direction) -> int:
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
def near(
    held: Held, count: int, vector: NDArray[np.float32], wanted: int
) -> tuple[Rows, NDArray[np.float64], int]:
    """At most so many rows, the highest first, with their cosines; and the nearest cell."""
    asked = held.asked
    _set(asked, vector)
    cells = np.empty(PROBED, dtype=np.int32)
    highest = np.empty(PROBED, dtype=np.int32)
    probed = 0
    for cell in range(count):
        probed = _rank(probed, highest, cells, _product(held.middles[cell], asked), cell)
    rows = np.empty(wanted, dtype=np.int32)
    products = np.empty(wanted, dtype=np.int32)
    found = 0
    for place in _likely(held, cells[:probed], asked, KEPT * wanted):
        cell, at = divmod(place, CAPACITY)
        product = _product(held.vectors[cell, at], asked)
        found = _rank(found, products, rows, product, held.rows[cell, at])
    return rows[:found], products[:found] / ONE**2, cells[0]


@compiled
def cosines(held: Held, rows: Rows) -> NDArray[np.float64]:
    """Of these rows, to what was searched for last."""
    found = np.empty(len(rows))
    for i in range(len(rows)):
        cell, at = divmod(held.at[rows[i]], CAPACITY)
        found[i] = _product(held.vectors[cell, at], held.asked) / ONE**2
    return found


@compiled
def _likely(held: Held, cells: Rows, asked: Direction, wanted: int) -> Rows:
    """The places (as in `at`) of those that have the most signs in common with what is asked for:
    as many as wanted, or a few more, since all that have as many in common stay."""
    signs = np.empty(held.signs.shape[2], dtype=np.uint64)
    _sign(asked, held.level, signs)
    times = np.zeros(len(asked) + 1, dtype=np.int32)
    places = np.empty(len(cells) * CAPACITY, dtype=np.int32)
    unlike = np.empty(len(places), dtype=np.int16)
    count = 0
    for cell in cells:
        for at in range(held.sizes[cell]):
            apart = 0
            for word in range(len(signs)):
                apart += _ones(signs[word] ^ held.signs[cell, at, word])
            unlike[count], places[count] = apart, cell * CAPACITY + at
            times[apart] += 1
            count += 1
    most, within = 0, times[0]
    while within < wanted and most < len(asked):
        most += 1
        within += times[most]
    kept = 0
    for i in range(count):
        if unlike[i] <= most:
            places[kept] = places[i]
            kept += 1
    return places[:kept]


@compiled
def _ones(word: Any) -> int:
    """How many bits are 1; the compiler knows this for the one instruction that it is."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + (
        (word >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))  # type: ignore[return-value]


@compiled
def _sign(direction: Direction, level: Direction, signs: NDArray[np.uint64]) -> None:
    for word in range(len(signs)):
        bits = np.uint64(0)
        for i in range(word * WORD, min(len(level), (word + 1) * WORD)):
            bits |= np.uint64(direction[i] > level[i]) << np.uint64(i % WORD)
        signs[word] = bits


@compiled
def set_level(held: Held, level: NDArray[Any]) -> None:
    """Of the signs, while there is one cell."""
    held.level[:] = level
    for i in range(held.sizes[0]):
        _sign(held.vectors[0, i], level, held.signs[0, i])


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
def enter(held: Held, row: int, cell: int, direction: Direction) -> int:
    """Into a cell that has room; returns what `_add` does."""
    at = held.sizes[cell]
    held.vectors[cell, at], held.rows[cell, at] = direction, row
    _sign(direction, held.level, held.signs[cell, at])
    held.at[row] = cell * CAPACITY + at
    held.sizes[cell] = at + 1
    return _add(held.total, direction, 1)


@compiled
def enter_all(held: Held, cell: int, rows: Rows, vectors: NDArray[np.int16]) -> int:
    """What `enter` does, for many."""
    grown = 0
    for i in range(len(rows)):
        grown += enter(held, rows[i], cell, vectors[i])
    return grown


@compiled
def take_out(held: Held, row: int) -> tuple[int, int]:
    """The last of its cell gets its place; returns the cell, and what `_add` does."""
    cell, at = divmod(held.at[row], CAPACITY)
    grown = _add(held.total, held.vectors[cell, at], -1)
    last = held.sizes[cell] - 1
    held.rows[cell, at] = held.rows[cell, last]
    held.vectors[cell, at], held.signs[cell, at] = held.vectors[cell, last], held.signs[cell, last]
    held.at[held.rows[cell, at]] = cell * CAPACITY + at
    held.at[row] = NOWHERE
    held.sizes[cell] = last
    return cell, grown


@compiled
def put(
    held: Held, count: int, row: int, vector: NDArray[np.float32], known: int
) -> tuple[int, int, int, int]:
    """Into the cell whose middle is nearest, `known` for what was searched for last. Returns that
    cell, its size, the cell that the row was in or NOWHERE, and what `_add` does."""
    direction = np.empty(len(held.asked), dtype=np.int16)
    _set(direction, vector)
    cell = known
    if known == NOWHERE or not _same(direction, held.asked):
        cell = nearest(held, count, direction)
    left, grown = NOWHERE, 0
    if held.at[row] != NOWHERE:
        left, grown = take_out(held, row)
    grown += enter(held, row, cell, direction)
    return cell, held.sizes[cell], left, grown


@compiled
def renumber(held: Held, cell: int, number: int) -> None:
    """What is in a cell goes into another one, which is empty."""
    size = held.sizes[cell]
    held.sizes[number] = size
    held.middles[number] = held.middles[cell]
    held.vectors[number, :size] = held.vectors[cell, :size]
    held.rows[number, :size] = held.rows[cell, :size]
    held.signs[number, :size] = held.signs[cell, :size]
    for at in range(size):
        held.at[held.rows[number, at]] = number * CAPACITY + at


@compiled
def part(held: Held, cell: int, other: int) -> None:
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
    _set_middle(held, cell, one)
    _set_middle(held, other, two)
    held.sizes[cell], held.sizes[other] = first, CAPACITY - first
    for i in range(CAPACITY):
        into, at = (cell, i) if i < first else (other, i - first)
        held.rows[into, at], held.vectors[into, at] = rows[order[i]], vectors[order[i]]
        _sign(vectors[order[i]], held.level, held.signs[into, at])
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
    middle = np.empty(len(total), dtype=np.int16)
    _set(middle, total)
    return middle


@compiled
def _set_middle(held: Held, cell: int, middle: Direction) -> None:
    for i in range(len(middle)):
        held.middles[cell, i] = min(max((middle[i] + COARSE // 2) // COARSE, -127), 127)
