"""Similarities to all events at once are those that a loop over the events finds."""

from __future__ import annotations

import math

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
    """As they come: float16 numbers."""
    drawn = np.random.default_rng(5).standard_normal((14, 384))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype("<f2").astype(float)


def test_each_event_has_the_highest_of_its_own_rows() -> None:
    matrix = rows()
    vector = matrix[3].astype(np.float32)
    (found,) = similarities(vector[None, :], matrix, lay_out(EVENTS), BACKGROUND)
    above = [round(math.fsum(one * vector), 4) - BACKGROUND for one in matrix]
    for n, event in enumerate(EVENTS):
        detail = max(above[row] for row in event.sentences or [event.title])
        examples = max((above[row] for row in event.positive), default=0.0)
        counter = max((above[row] for row in event.negative), default=-math.inf)
        assert found.whole(n) == above[event.title]
        assert found.detail(n) == detail
        assert found.examples(n) == examples
        assert found.counter(n) == counter
        assert np.isclose(found.best[n], max(above[event.title], detail, examples), atol=1e-12)
        if event.positive:
            nearest = event.positive[found.nearest_example(n)]
            assert above[nearest] == examples


def test_cosines_are_the_same_to_the_last_digit_in_a_batch_of_any_size() -> None:
    matrix, layout = np.tile(rows(), (40, 1)), lay_out([Parts(0, [], [], [])])
    vectors = rows()[:13].astype(np.float32)
    together = similarities(vectors, matrix, layout, BACKGROUND)
    for n, vector in enumerate(vectors):
        (alone,) = similarities(vector[None, :], matrix, layout, BACKGROUND)
        assert alone.cosines.tobytes() == together[n].cosines.tobytes()
    backwards = similarities(vectors[::-1, ::-1], matrix[:, ::-1], layout, BACKGROUND)
    assert backwards[-1].cosines.tobytes() == together[0].cosines.tobytes()


def test_events_without_any_examples_are_compared_by_their_description() -> None:
    (found,) = similarities(rows()[:1].astype(np.float32), rows(), lay_out(EVENTS), BACKGROUND)
    assert found.examples(0) == 0.0
    assert found.counter(0) == -math.inf


def test_of_events_that_are_equally_near_the_first_are_taken() -> None:
    best = np.array([0.1, 0.5, 0.3, 0.5, 0.3, 0.3])
    found = Similarities(best, lay_out(EVENTS), 0.0, best)
    assert sorted(found.nearest(4)) == [1, 2, 3, 4]
    assert sorted(found.nearest(2)) == [1, 3]
    assert sorted(found.nearest(9)) == [0, 1, 2, 3, 4, 5]
