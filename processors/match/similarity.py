"""How near an article is to every event at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]

# Behind the cosines stand two that no vector has, for an event without examples (it is judged as
# if at the background) and for one without counter-examples (nothing is farther away).
_NO_EXAMPLE, _NO_COUNTER = -2, -1


class Groups(NamedTuple):
    """Rows of the matrix by event: those of event i begin at `starts[i]` in `rows`."""

    rows: Numbers
    starts: Numbers

    def highest(self, cosines: Floats) -> Floats:
        """The highest of each event."""
        return np.asarray(np.maximum.reduceat(cosines[self.rows], self.starts))


class Layout(NamedTuple):
    """Where in the matrix of vectors the parts of each event stand."""

    title: Numbers
    detail: Groups
    examples: Groups | None  # None = no event has any
    counter: Groups | None


class Parts(NamedTuple):
    """The rows of one event."""

    title: int
    sentences: list[int]
    positive: list[int]
    negative: list[int]


class Similarities(NamedTuple):
    """Cosines above the model's background, by event. `best` is the highest of the first three."""

    whole: Floats
    detail: Floats
    examples: Floats  # 0 without examples
    counter: Floats  # -inf without counter-examples
    best: Floats

    def nearest(self, count: int) -> list[int]:
        """The events with the highest `best`; of those that tie, the first."""
        best = self.best
        found = np.arange(len(best))
        if len(best) > count:
            found = np.flatnonzero(best >= np.partition(best, -count)[-count])
        order = np.argsort(-best[found], kind="stable")
        nearest: list[int] = found[order[:count]].tolist()
        return nearest


def lay_out(parts: Sequence[Parts]) -> Layout:
    """For events in the order of the table."""
    return Layout(
        np.array([one.title for one in parts], dtype=np.int64),
        _groups([one.sentences or [one.title] for one in parts]),
        _groups([one.positive or [_NO_EXAMPLE] for one in parts])
        if any(one.positive for one in parts)
        else None,
        _groups([one.negative or [_NO_COUNTER] for one in parts])
        if any(one.negative for one in parts)
        else None,
    )


def _groups(rows: Sequence[Sequence[int]]) -> Groups:
    ends = np.cumsum([len(own) for own in rows], dtype=np.int64)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]])
    return Groups(np.array([row for own in rows for row in own], dtype=np.int64), starts)


def similarities(
    vector: NDArray[np.float32], matrix: NDArray[np.float32], layout: Layout, background: float
) -> Similarities:
    """Of a unit vector to at least one event."""
    cosines = np.empty(len(matrix) + 2)
    # Rounded: the last digits depend on the machine's way of adding, decisions must not.
    cosines[:-2] = np.round(matrix @ vector, 4) - background
    cosines[_NO_EXAMPLE], cosines[_NO_COUNTER] = 0.0, -np.inf
    whole, detail = cosines[layout.title], layout.detail.highest(cosines)
    best = np.maximum(whole, detail)
    examples, counter = np.zeros(len(whole)), np.full(len(whole), -np.inf)
    if layout.examples is not None:
        examples = layout.examples.highest(cosines)
    if layout.counter is not None:
        counter = layout.counter.highest(cosines)
    return Similarities(whole, detail, examples, counter, np.maximum(best, examples))
