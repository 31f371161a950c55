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

from processors.cluster.piece import Piece

# What is measured between two articles; a decision file weighs these by regime.
PAIR_SIGNALS = (
    "cosine",
    "terms",  # tf-idf cosine
    "title",  # tf-idf cosine of the headlines
    "cosine_above",  # twice the cosine, less how near either is to what it does not belong to
    "terms_above",  # the same for terms
)
# Comparing the members costs the square of their number. The newest say what a story is now.
MOST = 40
# A story is looked at with every article while it is small, later with every fifth part more.
OFTEN_UP_TO, GROWTH = 8, 1.2

Chances = NDArray[np.float64]


def _steps() -> frozenset[int]:
    found, size = set[int](), float(OFTEN_UP_TO)
    while size < 1e6:
        size *= GROWTH
        found.add(round(size))
    return frozenset(found)


_LATER = _steps()


def due(size: int) -> bool:
    """Whether a story of that many originals is looked at."""
    return 4 <= size <= OFTEN_UP_TO or size in _LATER


def measure(pieces: Sequence[Piece]) -> NDArray[np.float64]:
    """The signals of every pair, shape (n, n, len(PAIR_SIGNALS)), symmetric. Rounded: the last
    digits depend on the machine."""
    vectors = np.frombuffer(b"".join([one.vector for one in pieces]), dtype="<f2")
    whole = vectors.astype(np.float32).reshape(len(pieces), -1)
    cosine = whole @ whole.T
    terms = _product([one.terms for one in pieces])
    title = _product([one.title for one in pieces])
    around = np.array([one.around for one in pieces])
    terms_around = np.array([one.terms_around for one in pieces])
    found = [
        cosine,
        terms,
        title,
        2 * cosine - around[:, None] - around[None, :],
        2 * terms - terms_around[:, None] - terms_around[None, :],
    ]
    measured = np.stack(found, axis=-1, dtype=np.float64)
    return np.around(measured, 4)


def _product(texts: Sequence[dict[str, float]]) -> NDArray[np.float32]:
    """Cosines between weighted bags of words."""
    columns: dict[str, int] = {}
    rows, cols, weights = list[int](), list[int](), list[float]()
    for row, text in enumerate(texts):
        for term, weight in text.items():
            rows.append(row)
            cols.append(columns.setdefault(term, len(columns)))
            weights.append(weight)
    matrix = np.zeros((len(texts), max(1, len(columns))), np.float32)
    matrix[rows, cols] = weights
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    matrix /= np.where(lengths > 0, lengths, 1)
    return matrix @ matrix.T


def parts(chances: Chances) -> tuple[list[int], list[int], float]:
    """The two halves into which average linkage divides the pieces (the half with the first piece
    comes first), and the mean chance across."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    apart = 1 - chances
    np.fill_diagonal(apart, 0)
    tree = linkage(squareform(apart, checks=False), "average")
    half = fcluster(tree, 2, "maxclust")
    one = [i for i, label in enumerate(half) if label == half[0]]
    other = [i for i, label in enumerate(half) if label != half[0]]
    return one, other, float(1 - tree[-1, 2])
