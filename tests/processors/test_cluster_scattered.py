"""Where most articles stand alone, the same likeness is worth less."""

from __future__ import annotations

import numpy as np
import pytest

from processors.cluster import decision
from processors.cluster.nearest import Cells
from processors.cluster.signals import (
    NAMES,
    SCATTERED_HIGH,
    SCATTERED_LOW,
    scattered,
    varied,
)


def test_the_more_stories_to_the_articles_the_more_scattered() -> None:
    shares = [scattered(stories, 200) for stories in (80, 100, 120, 140)]
    assert shares == sorted(set(shares))


def test_it_stays_within_what_was_learned_from() -> None:
    assert scattered(3, 1000) == SCATTERED_LOW
    assert scattered(1000, 1000) == SCATTERED_HIGH
    # A part that was split off can outlive all articles that are known.
    assert SCATTERED_LOW <= scattered(5, 0) <= SCATTERED_HIGH


def test_a_single_story_says_little_at_first() -> None:
    assert abs(scattered(1, 1)) < abs(scattered(100, 100))


@pytest.mark.parametrize("kind", ["text", "headline"])
def test_the_shipped_decision_joins_less_where_most_stand_alone(kind: str) -> None:
    _, weights = decision.load("all-MiniLM-L6-v2").rows[kind]
    assert weights[NAMES.index("scattered")] < 0


def test_news_is_varied_where_stories_are_large_and_on_many_subjects() -> None:
    known, large = (0.3, 0.15), scattered(40, 400)
    assert varied(0.05, known, large) == 1
    assert varied(0.3, known, large) == 0  # all about one subject
    assert varied(0.05, known, scattered(300, 400)) == 0  # most stand alone
    shares = [varied(alike, known, large) for alike in (0.15, 0.2, 0.25, 0.3)]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize("kind", ["text", "headline"])
def test_the_shipped_decision_joins_more_where_news_is_varied(kind: str) -> None:
    _, weights = decision.load("all-MiniLM-L6-v2").rows[kind]
    assert weights[NAMES.index("varied")] > 0


def test_how_alike_the_stories_are_is_known_whatever_came_and_went() -> None:
    chance = np.random.default_rng(3)
    vectors = chance.standard_normal((300, 32)).astype(np.float32) + np.float32(0.5)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cells = Cells()
    assert cells.alike(0.3, 10) == 0.3
    for row, vector in enumerate(vectors):
        cells.put(row, vectors[0])
        cells.put(row, vector)
    for row in range(0, 300, 3):
        cells.remove(row)
    kept = np.delete(vectors, np.s_[::3], axis=0)
    products = kept @ kept.T
    mean = (products.sum() - len(kept)) / (len(kept) * (len(kept) - 1))
    assert cells.alike(0.3, 1) == pytest.approx(mean, abs=1e-3)
    again = Cells()
    again.restore(cells.level, cells.held())
    assert again.alike(0.3, 10) == cells.alike(0.3, 10)
