"""How well a clustering fits the truth, and how sure one can be of the figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class BCubed(NamedTuple):
    """Means over articles, each in [0, 1]."""

    precision: float
    recall: float
    f1: float


def b_cubed(found: Sequence[str], true: Sequence[str]) -> BCubed:
    """BCubed of `found` labels against `true` ones (same order; at least one article)."""
    precision, recall = b_cubed_parts(found, true)
    return _combine(float(precision.mean()), float(recall.mean()))


def b_cubed_parts(
    found: Sequence[str], true: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall of each article."""
    both = Counter(zip(found, true, strict=True))
    by_found, by_true = Counter(found), Counter(true)
    pairs = list(zip(found, true, strict=True))
    return (
        np.array([both[pair] / by_found[pair[0]] for pair in pairs]),
        np.array([both[pair] / by_true[pair[1]] for pair in pairs]),
    )


def paired_interval(
    found: Sequence[str], other: Sequence[str], true: Sequence[str], draws: int = 1000
) -> tuple[float, float]:
    """95 % interval of F1(found) - F1(other), drawing whole true clusters with replacement."""
    clusters = sorted(set(true))
    position = {name: i for i, name in enumerate(clusters)}
    of = np.array([position[name] for name in true])
    sums = []
    for labels in (found, other):
        for values in b_cubed_parts(labels, true):
            sums.append(np.bincount(of, weights=values, minlength=len(clusters)))
    sizes = np.bincount(of, minlength=len(clusters)).astype(float)
    random = np.random.default_rng(2021)
    differences = []
    for _ in range(draws):
        times = np.bincount(random.integers(0, len(clusters), len(clusters)), minlength=len(sizes))
        n = float(times @ sizes)
        p, r, q, s = (float(times @ one) / n for one in sums)
        differences.append(_combine(p, r).f1 - _combine(q, s).f1)
    low, high = np.percentile(differences, [2.5, 97.5])
    return float(low), float(high)


def _combine(precision: float, recall: float) -> BCubed:
    total = precision + recall
    return BCubed(precision, recall, 2 * precision * recall / total if total else 0.0)
