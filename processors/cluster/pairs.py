"""Are two articles about the same? And do the members of a story hold together?

The decision of `decision.py` places an article with what is known when it comes. Look-alikes are
often only told apart when the second article of the other one is there: the two are then nearer to
each other than to the rest. So members are compared pair by pair, and average-link clustering
(Sokal and Michener, 1958) says where a story falls apart, and whether two stories are one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from processors.cluster import bag
from processors.cluster.kernels import TERMS, TITLE
from processors.cluster.piece import Piece

# What is measured between two articles; a decision file weighs these by regime.
PAIR_SIGNALS = (
    "cosine",
    "terms",  # tf-idf cosine
    "title",  # tf-idf cosine of the headlines
    "cosine_above",  # twice the cosine, less how near either is to much that it is not
    "terms_above",  # the same for terms
    "company",  # how far both have the same nearest articles
    "terms_company",  # the same for terms
)
# How near an article is to much that it is not: the mean similarity to the nearest after the first
# eight, which may be its own story, up to the thirtieth (cross-domain similarity local scaling,
# Conneau et al. 2018, does so with the first ten).
LOCAL = slice(8, 30)
# Company is a softmax over similarities with these slopes; one of 1 stands at these levels for
# nobody. Round numbers, in the middle of what separated two known articles from two strangers.
COSINE_SLOPE, COSINE_LEVEL = 15.0, 0.35
TERMS_SLOPE, TERMS_LEVEL = 15.0, 0.1
# Comparing the members costs the square of their number. The newest say what a story is now.
MOST = 40
# A story is looked at from five originals on, then with two fifths more each time. Looking at every
# size up to eight and with a fifth more gave the same B³ within .003 and cost a sixth more.
FIRST, GROWTH = 5, 1.4

Chances = NDArray[np.float64]
Matrix = NDArray[np.float32]


def _sizes() -> frozenset[int]:
    found, size = set[int](), float(FIRST)
    while size < 1e6:
        found.add(round(size))
        size *= GROWTH
    return frozenset(found)


_SIZES = _sizes()


def due(size: int) -> bool:
    """Whether a story of that many originals is looked at."""
    return size in _SIZES


def measure(pieces: Sequence[Piece], context: Sequence[Piece] = ()) -> NDArray[np.float64]:
    """The signals of every pair of the n pieces, shape (n, n, len(PAIR_SIGNALS)), symmetric.
    `context` are further articles that they are seen against. Rounded: the last digits depend on
    the machine."""
    size = len(pieces)
    every = [*pieces, *context]
    packed = np.frombuffer(b"".join([one.vector for one in every]), dtype="<f2")
    vectors = packed.astype(np.float32).reshape(len(every), -1)
    cosine = _alone(vectors[:size] @ vectors.T)
    said = b"".join([one.said for one in every])
    terms = _alone(bag.products(said, size, 0, TERMS))
    found = [
        cosine[:, :size],
        terms[:, :size],
        _titles(b"".join([one.said for one in pieces]), size),
        _above(cosine),
        _above(terms),
        _company(cosine, COSINE_SLOPE, COSINE_LEVEL),
        _company(terms, TERMS_SLOPE, TERMS_LEVEL),
    ]
    measured = np.stack(found, axis=-1, dtype=np.float64)
    return np.around(measured, 4)


def _alone(similar: Matrix) -> Matrix:
    """Without the similarity of each to itself, which would be its nearest."""
    np.fill_diagonal(similar, 0)
    return similar


def _above(similar: Matrix) -> Matrix:
    local = _local(similar)
    return 2 * similar[:, : len(similar)] - local[:, None] - local[None, :]


def _local(similar: Matrix) -> Matrix:
    ranked = -np.partition(-similar, min(LOCAL.stop, similar.shape[1] - 1), axis=1)
    ranked = -np.sort(-ranked[:, : LOCAL.stop], axis=1)
    found: Matrix = ranked[:, LOCAL if ranked.shape[1] > LOCAL.start + 1 else slice(None)]
    return np.asarray(found.mean(axis=1))


def _company(similar: Matrix, slope: float, level: float) -> Matrix:
    odds = np.where(similar > 0, np.exp(slope * (similar - level)), 0)
    shares = odds / (1 + odds.sum(axis=1, keepdims=True))
    lengths = np.linalg.norm(shares, axis=1, keepdims=True)
    shares /= np.where(lengths > 0, lengths, 1)
    return np.asarray(shares @ shares.T)


def _titles(packed: bytes, count: int) -> Matrix:
    """Cosines of the headlines."""
    found = bag.products(packed, count, TERMS, TITLE)
    lengths = np.sqrt(np.diagonal(found))
    lengths[lengths == 0] = 1
    return np.asarray(found / lengths[:, None] / lengths, dtype=np.float32)


def parts(chances: Chances) -> tuple[list[int], list[int], float]:
    """The two halves into which average linkage divides the pieces (the half with the first piece
    comes first), and the mean chance across."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    apart = 1 - chances
    np.fill_diagonal(apart, 0)
    tree = linkage(squareform(apart, checks=False), "average")
    # A row of the tree joins two: pieces are numbered from 0 on, rows go on counting from there.
    size = len(chances)
    under = [[number] for number in range(size)]
    for left, right in tree[:-1, :2].astype(int).tolist():
        under.append(under[left] + under[right])
    halves = sorted(sorted(under[int(number)]) for number in tree[-1, :2])
    return halves[0], halves[1], float(1 - tree[-1, 2])
