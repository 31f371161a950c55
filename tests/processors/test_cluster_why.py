"""Why an article is in its story and not in the next best one."""

from __future__ import annotations

import math

import pytest

from processors.cluster import why
from processors.cluster.signals import NAMES
from stream.records import Article, Considered, Placed
from tests.processors.cluster_world import (
    ASHORE,
    BUDGET,
    FERRY,
    HULL,
    article,
    place,
    records,
    stage,
    three_stories,
)


def told_in_turn() -> list[Article]:
    """Reports on a ferry in different words, with other news between them."""
    return [
        article(101, "Ferry Solveig aground off Tarnholm", FERRY),
        article(102, "Parliament in Varsk passes budget of 48 billion crowns", BUDGET, hours=1),
        article(103, "Ferry Solveig aground: 312 people brought to Lund", ASHORE, hours=2),
        article(104, "Ferry Solveig aground: divers inspect the hull", HULL, hours=3),
    ]


LABELS = {"s1": "Ferry aground", "s2": "Budget passed"}


def test_every_signal_belongs_to_a_kind_that_a_person_would_name() -> None:
    assert set(why.KINDS) == set(NAMES)


def test_what_was_considered_is_what_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(why, "SMALL", 0.0)  # nothing is too small to be told
    found = place(told_in_turn() + three_stories())
    tried = [(one, candidate) for one in found for candidate in one.considered]
    assert len(tried) > 10
    for one, candidate in tried:
        total = candidate.base + math.fsum(candidate.parts.values())
        assert candidate.score == pytest.approx(total, abs=0.05)
        if one.copy_of is None and candidate is one.considered[0]:
            assert (candidate.score > 0) == (candidate.story == one.story)
    for one in found:
        scores = [candidate.score for candidate in one.considered]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) <= why.KEPT


def test_the_first_article_of_all_had_nothing_to_join() -> None:
    [first] = place([article(1, "Ferry Solveig aground off Tarnholm", FERRY)])
    assert first.considered == []
    assert told(first) == ["it opened its story: no open story came into question"]


def test_an_article_that_joins_says_what_set_its_story_apart_from_the_next_best() -> None:
    joined = place(told_in_turn())[-1]
    assert joined.copy_of is None
    assert joined.story == joined.considered[0].story
    own, other = joined.considered
    first, second = told(joined)
    assert first.startswith(f"it belongs there: it scored {signed(own.score)}, and joining takes")
    assert f"(it starts from {signed(own.base)}: " in first
    assert f"with {signed(other.score)}; what sets them apart: " in second
    kinds = {kind: own.parts.get(kind, 0) - other.parts.get(kind, 0) for kind in own.parts}
    widest = max(kinds, key=lambda kind: abs(kinds[kind]))
    assert f"apart: {widest} {signed(kinds[widest])}" in second


def test_an_article_that_opens_a_story_says_how_far_the_nearest_was() -> None:
    on = stage()
    given = records([
        article(1, "Ferry Solveig aground off Tarnholm", FERRY),
        article(2, "Parliament in Varsk passes budget", BUDGET, hours=1),
    ])  # fmt: skip
    second = [output.record for one in given for output in on.process([one])][1]
    assert isinstance(second, Placed)
    [nearest] = second.considered
    assert nearest.score < 0
    [line] = told(second)
    assert f"scored {signed(nearest.score)}, and joining takes more than 0" in line


def test_a_copy_and_a_mended_story_are_told_as_such() -> None:
    tried = [Considered(story="s2", score=1.0, base=-3.0, parts={"words": 4.0})]
    assert why.lines("s1", "a1", tried, LABELS) == [
        "it repeats the text of an article that is there"
    ]
    [line] = why.lines("s1", None, tried, LABELS)
    assert "nearest to “Budget passed”" in line


def signed(number: float) -> str:
    """As typography has it."""
    return f"{number:+.1f}".replace("-", "\N{MINUS SIGN}")


def told(one: Placed) -> list[str]:
    return why.lines(one.story, one.copy_of, one.considered, {})


def test_of_an_article_that_was_moved_both_places_are_told() -> None:
    tried = [Considered(story="s1", score=1.5, base=-2.0, parts={"words": 3.5})]
    stayed = why.lines("s1", None, tried, LABELS, "s1")
    moved = why.lines("s1", None, tried, LABELS, "s2")
    assert moved[0] == "it was placed in “Ferry aground” at first"
    assert moved[1 : 1 + len(stayed)] == stayed
    assert "it came here" in moved[-1]
