"""What is measured between an article and a story that it might belong to.

Every signal is a plain number around [-1, 3]; `NAMES` fixes their order. Which of them count,
and how much, is the business of the decision file. The time between article and story is not among
them: what it means differs so much from stream to stream that leaving it out raised B³ on streams
that were not trained on by up to .07. The quiet window says what time has to say.
"""

from __future__ import annotations

import math
from collections.abc import KeysView, Sequence, Set
from itertools import islice
from typing import NamedTuple

import numpy as np

from processors.cluster.piece import Piece, Vector
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
    "size",  # log of the number of members
    "foreign",  # the article's language is not among the story's
    "mixed",  # a headline against full texts, or the reverse
    "both",  # nearest times terms_nearest: each alone can be an accident
    "title_nearest",  # what the headline shares with the most alike headline of the newest members
    "rare_shared",  # log of the summed weight of terms shared with the sum of the members
    "ahead",  # how far the centre is ahead of the best other candidate's
    "terms_ahead",  # the same for terms_nearest
    "nearest_ahead",  # the same for nearest
    "sum_ahead",  # the same for terms
    "title_ahead",  # the same for title_nearest
    "share",  # of the rivalry by nearest, see SHARES
    "terms_share",  # by terms_nearest
    "mixed_share",  # by direction, terms and headline together
    "scattered",  # log-odds that an article of this stream opens a story, see `scattered`
    "varied",  # large stories on many subjects, see `varied`
)

# What an article shares with a story means little by itself: in a stream about one subject it is
# near to everything. So each candidate is also set against its rivals, in the same way everywhere:
# the gap to the best other one, ...
AHEAD = {
    "ahead": "centre",
    "terms_ahead": "terms_nearest",
    "nearest_ahead": "nearest",
    "sum_ahead": "terms",
    "title_ahead": "title_nearest",
}
# ... and the share of exp(slope * (sum of signals - level)) among all candidates and a new story,
# which counts 1: the level is where joining and opening are alike. Slopes and levels are round
# numbers: slopes of 10 to 20 and levels of .25 to .45 kept nine tenths of what "share" brings.
SHARES = {
    "share": (15.0, 0.35, ("nearest",)),
    "terms_share": (15.0, 0.1, ("terms_nearest",)),
    "mixed_share": (5.0, 0.9, ("nearest", "average", "terms_nearest", "title_nearest")),
}
# Where most articles have a story to themselves, the nearest one is mostly a look-alike, and the
# same likeness is worth less. The number of stories to that of articles says so in any stream; at
# first as if ten articles were known and two fifths of them had opened a story.
SCATTERED_PRIOR, SCATTERED_SHARE = 10, 0.4
# Under two fifths it says nothing: bounded at -1 or not at all it cost headlines that were left out
# .003 to .01 of B³. Nothing much more scattered than three quarters was learned from.
SCATTERED_LOW, SCATTERED_HIGH = -0.5, 1.0

_AHEAD_COLUMNS = [NAMES.index(name) for name in AHEAD.values()]
_SHARE_COLUMNS = [
    (slope, level, [NAMES.index(name) for name in names]) for slope, level, names in SHARES.values()
]


class _Said(NamedTuple):
    """Of the article, as sets."""

    terms: KeysView[str]
    names: frozenset[str]
    numbers: frozenset[str]


def scattered(stories: int, articles: int) -> float:
    """Of so many open stories that hold so many articles."""
    stories = min(stories, articles)  # a part that was split off outlives its articles
    opened = stories + SCATTERED_PRIOR * SCATTERED_SHARE
    joined = articles - stories + SCATTERED_PRIOR * (1 - SCATTERED_SHARE)
    return min(SCATTERED_HIGH, max(SCATTERED_LOW, math.log(opened / joined)))


def varied(alike: float, known: tuple[float, float], scattered: float) -> float:
    """1 where stories are large and on many subjects, 0 where most articles stand alone or all are
    about one subject. There what an article shares with a story means more. `alike` is the mean
    cosine of two stories, `known` what it is for one subject and for all kinds."""
    one, many = known
    subjects = (one - alike) / (one - many)
    large = scattered / SCATTERED_LOW
    return min(1.0, max(0.0, subjects)) * min(1.0, max(0.0, large))


def measure(
    piece: Piece,
    vector: Vector,
    stories: Sequence[Story],
    background: float,
    stream: tuple[float, float],
) -> list[list[float]]:
    """For each candidate its signals in the order of `NAMES`. `stream`: scattered, varied."""
    if not stories:
        return []
    near = _cosines(vector, stories)
    said = _Said(piece.terms.keys(), frozenset(piece.names), frozenset(piece.numbers))
    rows = [
        _alone(piece, said, vector, story, cosines, background)
        for story, cosines in zip(stories, near, strict=True)
    ]
    columns = list(zip(*rows, strict=True))
    against = [_ahead(columns[at]) for at in _AHEAD_COLUMNS]
    for slope, level, found in _SHARE_COLUMNS:
        sums = map(sum, zip(*[columns[at] for at in found], strict=True))
        against.append(_share([slope * (one - level) for one in sums]))
    for row, more in zip(rows, zip(*against, strict=True), strict=True):
        row += more
        row += stream
    return rows


def _ahead(values: Sequence[float]) -> list[float]:
    """Each less the best of the others; 0 without others."""
    if len(values) < 2:
        return [0.0] * len(values)
    best, second = sorted(values, reverse=True)[:2]
    return [value - (second if value == best else best) for value in values]


def _share(exponents: Sequence[float]) -> list[float]:
    """Shares of a softmax in which a new story has the exponent 0."""
    odds = [math.exp(one) for one in exponents]
    total = 1.0 + math.fsum(odds)
    return [one / total for one in odds]


def _cosines(vector: Vector, stories: Sequence[Story]) -> list[list[float]]:
    """To the newest members of each; all in one product, which costs what one of them did."""
    packed = b"".join([piece.vector for story in stories for piece in story.newest])
    members = np.frombuffer(packed, dtype="<f2").astype(np.float32).reshape(-1, len(vector))
    found = iter((members @ vector).tolist())
    return [list(islice(found, len(story.newest))) for story in stories]


def _alone(
    piece: Piece,
    said: _Said,
    vector: Vector,
    story: Story,
    cosines: list[float],
    background: float,
) -> list[float]:
    """The signals that need no look at other candidates."""
    centre = story.cosine(vector)
    nearest = max(0.0, *cosines) if cosines else 0.0
    ours, terms, title = piece.terms, story.terms, piece.title
    # In no certain order: what is summed over it is summed exactly.
    common = said.terms & terms.keys()
    product = terms_nearest = core_kept = rare_shared = 0.0
    if common:
        shared = [(term, ours[term]) for term in common]
        product = _product(shared, terms)
        for one in story.newest:
            # A story of one article shares the terms of it.
            near = product if one.terms is terms else _product(shared, one.terms)
            terms_nearest = max(terms_nearest, near)
        core_kept = _core_kept(common, story)
        rare_shared = math.log1p(math.fsum([weight for _, weight in shared]))
    title_nearest = 0.0
    for one in story.newest:
        if not one.title.keys().isdisjoint(title):
            title_nearest = max(title_nearest, _title_shared(title, one.title))
    shared_names, differ_names = _overlap(said.names, story.names)
    shared_numbers, differ_numbers = _overlap(said.numbers, story.numbers)
    headlines = story.headlines / story.originals if story.originals else 0.0
    return [
        centre,
        nearest,
        sum(cosines) / len(cosines) if cosines else 0.0,
        centre - background,
        product / story.term_length if story.term_length > 0 else 0.0,
        terms_nearest,
        sum([weight for term, weight in title.items() if term in terms]),
        core_kept,
        shared_names,
        differ_names,
        shared_numbers,
        differ_numbers,
        math.log1p(story.size),
        float(piece.lang not in story.langs),
        abs(float(piece.headline_only) - headlines),
        nearest * terms_nearest,
        title_nearest,
        rare_shared,
    ]


def _product(shared: list[tuple[str, float]], other: dict[str, float]) -> float:
    """Of the article's terms that the story has with those of the story or of a member."""
    return math.fsum([weight * other[term] for term, weight in shared if term in other])


def _title_shared(title: dict[str, float], other: dict[str, float]) -> float:
    return sum([min(weight, other[term]) for term, weight in title.items() if term in other])


def _core_kept(common: Set[str], story: Story) -> float:
    """Over the terms of at least half of the members, by weight."""
    if story.core_weight <= 0:
        return 0.0
    core = story.core if story.originals > 2 else story.terms
    return math.fsum([core[term] for term in common if term in core]) / story.core_weight


def _overlap(found: Set[str], counts: dict[str, int]) -> tuple[float, float]:
    """(log of how many are shared, 1 when both have some and share none)."""
    if not found or not counts:
        return 0.0, 0.0
    shared = len(counts.keys() & found)
    return (math.log1p(shared), 0.0) if shared else (0.0, 1.0)
