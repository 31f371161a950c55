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

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]


class Groups(NamedTuple):
    """Rows of the matrix by event: those of event i begin at `starts[i]` in `rows`."""

    rows: Numbers | None  # None = all rows, as they stand
    starts: Numbers

    def of(self, cosines: Floats) -> Floats:
        """The cosines of the rows."""
        return cosines if self.rows is None else cosines[self.rows]


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
        return max([self._above(row) for row in rows]) if rows else self.whole(index)

    def examples(self, index: int) -> float:
        """To the nearest example, 0 without any."""
        rows = self.layout.parts[index].positive
        return max([self._above(row) for row in rows]) if rows else 0.0

    def counter(self, index: int) -> float:
        """To the nearest counter-example, -inf without any."""
        rows = self.layout.parts[index].negative
        return max([self._above(row) for row in rows]) if rows else -math.inf

    def nearest_example(self, index: int) -> int:
        """The number of it among the examples; there is one."""
        found = [self._above(row) for row in self.layout.parts[index].positive]
        return found.index(max(found))

    def _above(self, row: int) -> float:
        # Four digits are what a cosine of such vectors is worth.
        return round(self.cosines.item(row), 4) - self.background

    def nearest(self, count: int) -> list[int]:
        """The events with the highest `best`, in any order; of those that tie, the first."""
        best = self.best
        if len(best) <= count:
            return list(range(len(best)))
        found = np.flatnonzero(best >= np.partition(best, -count)[-count])
        if len(found) > count:
            found = found[np.argsort(-best[found], kind="stable")[:count]]
        nearest: list[int] = found.tolist()
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
    as_they_stand = found == list(range(size))
    return Groups(None if as_they_stand else np.array(found, dtype=np.int64), starts)


def similarities(
    vectors: NDArray[np.float32], matrix: Floats, layout: Layout, background: float
) -> list[Similarities]:
    """Of unit vectors, a row each, to at least one event."""
    found = np.asarray(vectors, dtype=np.float64) @ matrix.T
    return [Similarities(row, layout, background, _best(row, layout, background)) for row in found]


def _best(cosines: Floats, layout: Layout, background: float) -> Floats:
    highest = np.maximum.reduceat(layout.near.of(cosines), layout.near.starts)
    found = np.round(highest, 4) - background
    return np.asarray(np.maximum(found, layout.least))
