"""Similarities to all events at once are those that a loop over the events finds."""

from __future__ import annotations

import numpy as np

from processors.match.similarity import Parts, Similarities, lay_out, similarities

# A title alone; sentences and an example; examples of both kinds; counter-examples alone.
EVENTS = [
    Parts(title=0, sentences=[], positive=[], negative=[]),
    Parts(title=1, sentences=[2, 3], positive=[4], negative=[]),
    Parts(title=5, sentences=[6], positive=[7, 9], negative=[8]),
    Parts(title=10, sentences=[11], positive=[], negative=[12, 13]),
]
BACKGROUND = 0.1


def rows() -> np.ndarray:
    drawn = np.random.default_rng(5).standard_normal((14, 6)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_each_event_has_the_highest_of_its_own_rows() -> None:
    matrix = rows()
    vector = matrix[3]
    found = similarities(vector, matrix, lay_out(EVENTS), BACKGROUND)
    above = [float(np.float32(round(float(one @ vector), 4))) - BACKGROUND for one in matrix]
    for n, event in enumerate(EVENTS):
        detail = max(above[row] for row in event.sentences or [event.title])
        examples = max((above[row] for row in event.positive), default=0.0)
        counter = max((above[row] for row in event.negative), default=-np.inf)
        expected = [above[event.title], detail, examples, counter]
        measured = [found.whole[n], found.detail[n], found.examples[n], found.counter[n]]
        assert np.allclose(measured, expected, atol=1e-6)
        assert np.isclose(found.best[n], max(expected[:3]), atol=1e-6)


def test_events_without_any_examples_are_compared_by_their_description() -> None:
    found = similarities(rows()[0], rows(), lay_out(EVENTS[:1]), BACKGROUND)
    assert found.examples.tolist() == [0.0]
    assert found.counter.tolist() == [-np.inf]


def test_of_events_that_are_equally_near_the_first_are_taken() -> None:
    best = np.array([0.1, 0.5, 0.3, 0.5, 0.3, 0.3])
    assert Similarities(best, best, best, best, best).nearest(4) == [1, 3, 2, 4]
