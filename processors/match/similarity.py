"""How near an article is to every event at once.

Vectors come as float16 and are multiplied as float64: every product and every sum of them is
exact, so a cosine is the same to the last digit on any machine and in a batch of any size. A
batch reads the matrix once, which is most of what a product costs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.compiled import compiled

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]


class Groups(NamedTuple):
    """Rows of the matrix by event: those of event i stand in `rows` from `starts[i]` on."""

    rows: Numbers
    starts: Numbers
    as_they_stand: bool  # all rows in order

    def of(self, cosines: Floats) -> Floats:
        """The cosines of the rows."""
        return cosines if self.as_they_stand else cosines[self.rows]


class Parts(NamedTuple):
    """The rows of one event."""

    title: int
    sentences: list[int]
    positive: list[int]
    negative: list[int]


class Layout(NamedTuple):
    """Where in the matrix of vectors the parts of each event stand."""

    parts: Sequence[Parts]
    near: Groups  # rows that an article about the event is near: all but the counter-examples
    least: Floats  # an event without examples is judged as if one were at the background


class Similarities(NamedTuple):
    """Cosines above the model's background. `best` is the highest of each event."""

    cosines: Floats  # one for each row of the matrix, with the background
    layout: Layout
    background: float
    best: Floats

    def whole(self, index: int) -> float:
        """To the title and description."""
        return self._above(self.layout.parts[index].title)

    def detail(self, index: int) -> float:
        """To the nearest sentence, or the title when there is none."""
        rows = self.layout.parts[index].sentences
        return self._highest(rows) if rows else self.whole(index)

    def examples(self, index: int) -> float:
        """To the nearest example, 0 without any."""
        rows = self.layout.parts[index].positive
        return self._highest(rows) if rows else 0.0

    def counter(self, index: int) -> float:
        """To the nearest counter-example, -inf without any."""
        rows = self.layout.parts[index].negative
        return self._highest(rows) if rows else -math.inf

    def nearest_example(self, index: int) -> int:
        """The number of it among the examples; there is one."""
        found = [self._above(row) for row in self.layout.parts[index].positive]
        return found.index(max(found))

    def _highest(self, rows: Sequence[int]) -> float:
        # The highest of all rounded is the highest rounded.
        return round(max(map(self.cosines.item, rows)), 4) - self.background

    def _above(self, row: int) -> float:
        # Four digits are what a cosine of such vectors is worth.
        return round(self.cosines.item(row), 4) - self.background

    def nearest(self, count: int) -> list[int]:
        """The events with the highest `best`, the highest first; of those that tie, the first."""
        nearest: list[int] = _nearest(self.best, min(count, len(self.best))).tolist()
        return nearest


def lay_out(parts: Sequence[Parts]) -> Layout:
    """For events in the order of the table."""
    near = groups(
        [[one.title, *one.sentences, *one.positive] for one in parts],
        sum(len(one.sentences) + len(one.positive) + len(one.negative) + 1 for one in parts),
    )
    least = np.array([-np.inf if one.positive else 0.0 for one in parts])
    return Layout(parts, near, least)


def groups(rows: Sequence[Sequence[int]], size: int) -> Groups:
    """Of events that have a row each at least, in a matrix of so many rows."""
    ends = np.cumsum([len(own) for own in rows], dtype=np.int64)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]])
    found = [row for own in rows for row in own]
    return Groups(np.array(found, dtype=np.int64), starts, found == list(range(size)))


def similarities(
    vectors: NDArray[np.float32], matrix: Floats, layout: Layout, background: float
) -> list[Similarities]:
    """Of unit vectors, a row each, to at least one event."""
    found = np.asarray(vectors, dtype=np.float64) @ matrix.T
    best = _best(found, layout.near.rows, layout.near.starts, layout.least, background)
    return [
        Similarities(row, layout, background, highest)
        for row, highest in zip(found, best, strict=True)
    ]


@compiled
def _best(
    cosines: Floats, rows: Numbers, starts: Numbers, least: Floats, background: float
) -> Floats:
    """For each article (a row) the highest above the background of each event, to four digits."""
    found = np.empty((len(cosines), len(starts)))
    for article in range(len(cosines)):
        for event in range(len(starts)):
            end = starts[event + 1] if event + 1 < len(starts) else len(rows)
            highest = -np.inf
            for row in rows[starts[event] : end]:
                highest = max(highest, cosines[article, row])
            above = np.rint(highest * 10_000) / 10_000 - background
            found[article, event] = max(above, least[event])
    return found


@compiled
def _nearest(best: Floats, count: int) -> Numbers:
    """The events with the highest, in descending order; of those that tie the first."""
    found = np.empty(count, dtype=np.int64)
    held = 0
    for event in range(len(best)):
        if held == count and best[event] <= best[found[count - 1]]:
            continue
        at = held if held < count else count - 1
        held = min(count, held + 1)
        while at and best[found[at - 1]] < best[event]:
            found[at] = found[at - 1]
            at -= 1
        found[at] = event
    return found
