"""What is measured between an article and a story that it might belong to.

Every signal is a plain number around [-1, 3]; `NAMES` fixes their order. Which of them count,
and how much, is the business of the decision file.
"""

from __future__ import annotations

import math

from processors.cluster.piece import DAY, Piece, Vector
from processors.cluster.story import Story

NAMES = (
    "centre",  # cosine to the centre
    "nearest",  # cosine to the nearest of the newest members
    "average",  # mean cosine to the newest members
    "apart",  # how far the centre stands out of the background
    "terms",  # tf-idf cosine to the sum of the members
    "terms_nearest",  # tf-idf cosine to the nearest of the newest members
    "title_known",  # share of the headline's weight that stands in the story
    "core_kept",  # share of what most members say that the article says too
    "names_shared",  # rare names in common
    "names_differ",  # names here and there, none in common
    "numbers_shared",
    "numbers_differ",
    "gap",  # log of the days since the story's newest member; 0 when either has no date
    "size",  # log of the number of members
    "foreign",  # the article's language is not among the story's
    "mixed",  # a headline against full texts, or the reverse
)


def measure(piece: Piece, vector: Vector, story: Story, background: float) -> list[float]:
    """The signals in the order of `NAMES`."""
    cosines = story.vectors @ vector
    centre = float(story.centre @ vector)
    gap = 0.0
    if piece.dated and story.dated:
        days = max(piece.time - story.last, story.first - piece.time, 0.0) / DAY
        gap = math.log1p(days)
    shared_names, differ_names = _overlap(piece.names, story.names)
    shared_numbers, differ_numbers = _overlap(piece.numbers, story.numbers)
    headlines = story.headlines / story.originals if story.originals else 0.0
    return [
        centre,
        float(cosines.max(initial=0.0)),
        float(cosines.mean()) if len(cosines) else 0.0,
        centre - background,
        _cosine(piece.terms, story.terms, story.term_length),
        max((_cosine(piece.terms, one.terms, 1.0) for one in story.newest), default=0.0),
        sum(weight for term, weight in piece.title.items() if term in story.holding),
        _core_kept(piece, story),
        shared_names,
        differ_names,
        shared_numbers,
        differ_numbers,
        gap,
        math.log1p(story.size),
        float(piece.lang not in story.langs),
        abs(float(piece.headline_only) - headlines),
    ]


def _cosine(terms: dict[str, float], other: dict[str, float], length: float) -> float:
    if length <= 0:
        return 0.0
    return sum(weight * other[term] for term, weight in terms.items() if term in other) / length


def _core_kept(piece: Piece, story: Story) -> float:
    """Over the terms of at least half of the members, by weight."""
    half = max(1.0, story.originals / 2)
    total = kept = 0.0
    for term, count in story.holding.items():
        if count >= half:
            weight = story.terms[term]
            total += weight
            if term in piece.terms:
                kept += weight
    return kept / total if total > 0 else 0.0


def _overlap(found: list[str], counts: dict[str, int]) -> tuple[float, float]:
    """(log of how many are shared, 1 when both have some and share none)."""
    if not found or not counts:
        return 0.0, 0.0
    shared = sum(one in counts for one in found)
    return math.log1p(shared), float(shared == 0)
