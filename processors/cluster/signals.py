"""What is measured between an article and a story that it might belong to.

Every signal is a plain number around [-1, 3]; `NAMES` fixes their order. Which of them count,
and how much, is the business of the decision file. The time between article and story is not among
them: what it means differs so much from stream to stream that leaving it out raised B³ on streams
that were not trained on by up to .07. The quiet window says what time has to say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.cluster import bag, kernels
from processors.cluster.bag import Keys, Weights
from processors.cluster.piece import Piece, Vector
from processors.cluster.story import Story

Floats = NDArray[np.float64]
Signals = NDArray[np.float64]

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

# How many of them need no look at other candidates.
MEASURED = NAMES.index("ahead")
_AHEAD_COLUMNS = np.array([NAMES.index(name) for name in AHEAD.values()])
_SLOPES = np.array([slope for slope, _, _ in SHARES.values()])
_LEVELS = np.array([level for _, level, _ in SHARES.values()])
_MIXES = np.array(
    [[float(name in mixed) for name in NAMES[:MEASURED]] for _, _, mixed in SHARES.values()]
)
_NO_SUMS = (b"", b"", b"")


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
    centres: Floats,
    background: float,
    stream: tuple[float, float],
) -> Signals:
    """For each candidate its signals in the order of `NAMES`. `centres`: the cosines to theirs;
    `stream`: scattered, varied."""
    if not stories:
        return np.empty((0, len(NAMES)))
    held = _gathered(piece, stories)
    held.about[:, -1] = centres
    rows = np.empty((len(stories), len(NAMES)))
    kernels.compare(
        _block(piece),
        held.vectors.reshape(-1, len(vector)) @ vector,
        held.about,
        held.blocks,
        (held.sums, held.sums.view("<f4")),
        held.lengths,
        (background, float(piece.headline_only)),
        rows,
    )
    kernels.set_against(rows, MEASURED, _AHEAD_COLUMNS, _MIXES, _SLOPES, _LEVELS)
    rows[:, -2:] = stream
    return rows


class _Gathered(NamedTuple):
    """What is compared of the candidates, side by side.

    `about`, of each: originals, headlines, size, whether the article's language is foreign to it,
    how many members follow, room for the cosine to its centre. `blocks`: of all members. `vectors`:
    of the members of stories of more than one (one article is its centre). `sums`: terms, names and
    numbers of such stories; `lengths`, of each of all stories and each of these three: how many
    keys, how many numbers in all.
    """

    about: Floats
    blocks: tuple[Keys, Weights]
    vectors: Weights
    sums: Keys
    lengths: NDArray[np.int64]


def _gathered(piece: Piece, stories: Sequence[Story]) -> _Gathered:
    about, lengths = list[tuple[float, ...]](), list[int]()
    blocks, vectors, sums = list[bytes](), list[bytes](), list[bytes]()
    for story in stories:
        newest, originals = story.newest, story.originals
        foreign = piece.lang not in story.langs
        about.append((originals, story.headlines, story.size, foreign, len(newest), 0.0))
        blocks += [one.said for one in newest]
        if originals != 1 or len(newest) != 1:
            vectors += [one.vector for one in newest]
        for one in (story.terms, story.names, story.numbers) if story.terms else _NO_SUMS:
            sums.append(one)
            lengths += len(one) // 12, len(one) // 4
    return _Gathered(
        np.array(about, dtype=np.float64),
        bag.blocks(b"".join(blocks)),
        np.frombuffer(b"".join(vectors), dtype="<f2").astype(np.float32),
        np.frombuffer(b"".join(sums), dtype="<u4"),
        np.array(lengths).reshape(-1, 3, 2),
    )


def _block(piece: Piece) -> tuple[Keys, Weights]:
    keys, weights = bag.blocks(piece.said)
    return keys[0], weights[0]
