"""How well a clustering or a set of decisions fits the truth, and how sure one can be of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# Enough for two stable digits of an interval's ends.
DRAWS = 1000
SEED = 2021
# NIST's costs for topic detection and tracking: a miss, a false alarm, how many stories are on
# topic. Dividing by the cost of the better trivial system makes 1 = "always no".
C_MISS, C_FA, P_TARGET = 1.0, 0.1, 0.02
# With the few hundred candidates of the smaller streams a bin still holds tens of them.
BINS = 10


class BCubed(NamedTuple):
    """Means over articles, each in [0, 1]."""

    precision: float
    recall: float
    f1: float


class Interval(NamedTuple):
    """The middle 95 % of the bootstrap."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:.2f}–{self.high:.2f}"


def ahead(of: Interval | None) -> str:
    """A difference in our favour where it is above zero; nothing where there is no other."""
    return f"{of.low:+.3f} … {of.high:+.3f}" if of else ""


def b_cubed(found: Sequence[str], true: Sequence[str]) -> BCubed:
    """BCubed of `found` labels against `true` ones (same order; at least one article)."""
    precision, recall = b_cubed_parts(found, true)
    return _combine(float(precision.mean()), float(recall.mean()))


def b_cubed_parts(found: Sequence[str], true: Sequence[str]) -> tuple[Floats, Floats]:
    """Precision and recall of each article."""
    both = Counter(zip(found, true, strict=True))
    by_found, by_true = Counter(found), Counter(true)
    pairs = list(zip(found, true, strict=True))
    return (
        np.array([both[pair] / by_found[pair[0]] for pair in pairs]),
        np.array([both[pair] / by_true[pair[1]] for pair in pairs]),
    )


def b_cubed_draws(labelings: Sequence[Sequence[str]], true: Sequence[Sequence[str]]) -> Floats:
    """F1 of `DRAWS` bootstrap samples of whole true clusters, each the mean over the orders
    (`labelings[i]` found against `true[i]`). The draws are the same ones for every method, so the
    difference of two results is paired."""
    clusters = sorted(set(true[0]))
    position = {name: i for i, name in enumerate(clusters)}
    precisions: list[Floats] = []
    recalls: list[Floats] = []
    for labels, truth in zip(labelings, true, strict=True):
        of = np.array([position[name] for name in truth])
        for sums, values in zip((precisions, recalls), b_cubed_parts(labels, truth), strict=True):
            sums.append(np.bincount(of, values, len(clusters)).astype(float))
    sizes = np.array([Counter(true[0])[name] for name in clusters], dtype=float)
    times = resamples(len(clusters))
    articles = times @ sizes
    p = times @ np.array(precisions).T / articles[:, None]
    r = times @ np.array(recalls).T / articles[:, None]
    found: Floats = (2 * p * r / np.maximum(p + r, 1e-12)).mean(axis=1)
    return found


def resamples(n: int) -> Floats:
    """How often each of `n` units is in each of `DRAWS` bootstrap samples."""
    random = np.random.default_rng(SEED)
    return np.stack(
        [np.bincount(random.integers(0, n, n), minlength=n) for _ in range(DRAWS)]
    ).astype(float)


def interval(draws: Floats) -> Interval:
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(float(low), float(high))


def mean_draws(values: Floats) -> Floats:
    """Means of bootstrap samples of `values` (one a unit, such as an event)."""
    drawn: Floats = resamples(len(values)) @ values / len(values)
    return drawn


def average_precision(scores: Floats, truth: NDArray[np.bool_]) -> float:
    """Mean of the precision at each right one, best score first. Equal scores count together, so
    that ties are worth nothing. Not a number when nothing is right."""
    right = int(truth.sum())
    if not right:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], np.cumsum(truth[order])
    last = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    precision = hits[last] / (last + 1)
    gained = np.diff(np.r_[0, hits[last]])
    return float((precision * gained).sum() / right)


def detection_cost(yes: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """NIST's normalised detection cost: 0 = perfect, 1 = as good as saying no to everything."""
    missed = (truth & ~yes).sum() / max(1, truth.sum())
    false = (yes & ~truth).sum() / max(1, (~truth).sum())
    cost = C_MISS * missed * P_TARGET + C_FA * false * (1 - P_TARGET)
    return float(cost / min(C_MISS * P_TARGET, C_FA * (1 - P_TARGET)))


class Bin(NamedTuple):
    """A part of the candidates: how sure the decision was, and how often it was right."""

    said: float
    seen: float
    size: int


def equal_mass(p: Floats, truth: NDArray[np.bool_], bins: int = BINS) -> list[Bin]:
    """The candidates in order of probability, cut into parts of the same size."""
    order = np.argsort(p, kind="stable")
    return [
        Bin(float(p[part].mean()), float(truth[part].mean()), len(part))
        for part in np.array_split(order, bins)
        if len(part)
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: the mean distance of said and seen."""
    return sum(abs(one.said - one.seen) * one.size for one in bins) / sum(b.size for b in bins)


def brier_skill(p: Floats, truth: NDArray[np.bool_]) -> float:
    """1 = perfect, 0 = as good as always saying the share of right ones, below = worse."""
    base = float(truth.mean())
    if base in (0.0, 1.0):
        return float("nan")
    return 1 - float(((p - truth) ** 2).mean()) / (base * (1 - base))


def _combine(precision: float, recall: float) -> BCubed:
    total = precision + recall
    return BCubed(precision, recall, 2 * precision * recall / total if total else 0.0)
