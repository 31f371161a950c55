"""Where most articles stand alone, the same likeness is worth less."""

from __future__ import annotations

import pytest

from processors.cluster import decision
from processors.cluster.signals import (
    NAMES,
    SCATTERED_HIGH,
    SCATTERED_LOW,
    scattered,
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
