"""The decision: does this article belong to that story? Learned once, shipped as a file.

A logistic model over the signals, one set of weights for each *regime* (a pair of headlines is
judged otherwise than a pair of texts, across languages words say little, and vectors of a language
that the encoder does not read say little). The files in `decision/` are written by
`bench/train_cluster.py`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from processors.cluster import pairs, signals
from processors.cluster.pairs import Chances
from processors.cluster.piece import Piece
from processors.cluster.signals import Signals
from processors.cluster.story import Story
from stream.errors import UsageError

Weights = NDArray[np.float64]

REGIMES = ("text", "headline", "unread", "across")
_TEXT, _HEADLINE, _UNREAD, _ACROSS = range(len(REGIMES))
SHIPPED = "decision"


class Regime(Struct, forbid_unknown_fields=True):
    """`score` = bias + the sum of weight times signal; log-odds that the article belongs."""

    bias: float
    weights: dict[str, float]


class DecisionFile(Struct, forbid_unknown_fields=True):
    model: str  # name of the encoder whose vectors it was learned on
    reads: list[str]  # languages whose vectors mean something
    made_by: str
    data: list[str]
    seed: int
    threshold: float  # log-odds from which an article joins
    regimes: dict[str, Regime]
    # The same for two articles, by the signals of `pairs`; empty = stories are never mended.
    pairs: dict[str, Regime] = {}
    # The mean cosine of two stories where all news is of one subject, and where it is of all kinds,
    # which depends on the model; None = not known, and `varied` is 0.
    alike: tuple[float, float] | None = None


class Decision(NamedTuple):
    file: DecisionFile
    fingerprint: str
    rows: dict[str, tuple[float, Weights]]
    reads: frozenset[str]
    by_two: dict[str, tuple[float, Weights]]  # for two articles; may be empty

    def scores(self, piece: Piece, stories: Sequence[Story], measured: Signals) -> list[float]:
        """Log-odds, less the threshold: positive means that the article belongs."""
        found = np.zeros(len(stories))
        regimes = regimes_of(piece, stories, self.reads)
        for name in set(regimes):
            bias, weights = self.rows[name]
            scored = measured @ weights + (bias - self.file.threshold)
            # Mostly all are of one regime.
            np.copyto(found, scored, where=[one == name for one in regimes])
        # Rounded: the last digits depend on the machine's way of adding, decisions must not.
        rounded: list[float] = np.around(found, 4).tolist()
        return rounded

    def weights(self, piece: Piece, story: Story) -> tuple[float, Weights]:
        """What a score is made of: the bias, less the threshold, and the weights of the signals."""
        bias, weights = self.rows[regime(piece, story, self.reads)]
        return bias - self.file.threshold, weights

    def chances(self, pieces: Sequence[Piece], context: Sequence[Piece]) -> Chances:
        """For every two of them the chance that they are about the same, shape (n, n), seen
        against the articles around."""
        measured = pairs.measure(pieces, context)
        # Mostly all are of one form.
        forms = {(one.lang, one.headline_only): one for one in pieces}
        row = {form: at for at, form in enumerate(forms)}
        table = [[kind_of_two(a, b, self.reads) for b in forms.values()] for a in forms.values()]
        at = [row[one.lang, one.headline_only] for one in pieces]
        kinds = np.array(table)[np.ix_(at, at)]
        scores = np.zeros(kinds.shape)
        for number, name in enumerate(REGIMES):
            chosen = kinds == number
            if chosen.any():
                bias, weights = self.by_two[name]
                scores[chosen] = bias + measured[chosen] @ weights
        return np.around(1 / (1 + np.exp(-np.clip(scores, -30, 30))), 4)


def kind_of_two(one: Piece, other: Piece, reads: frozenset[str]) -> int:
    """The number of the regime for two articles."""
    if all(not piece.lang or piece.lang in reads for piece in (one, other)):
        same = one.lang == other.lang or not one.lang or not other.lang
        if not same:
            return _ACROSS
        return _HEADLINE if one.headline_only or other.headline_only else _TEXT
    return _UNREAD if one.lang == other.lang else _ACROSS


def regimes_of(piece: Piece, stories: Sequence[Story], reads: frozenset[str]) -> list[str]:
    """The regime of each; mostly all are in the language of the article."""
    usual = "headline" if piece.headline_only else "text"
    lang, read = piece.lang, not piece.lang or piece.lang in reads
    return [usual if read and lang in one.langs else regime(piece, one, reads) for one in stories]


def regime(piece: Piece, story: Story, reads: frozenset[str]) -> str:
    """Which weights apply. An article of unknown language counts as read."""
    if piece.lang and piece.lang not in reads:
        return "unread" if piece.lang in story.langs else "across"
    if piece.lang not in story.langs:
        read = [one for one in story.langs if not one or one in reads]
        if not read or (piece.lang and "" not in read):
            return "across"
    return "headline" if piece.headline_only else "text"


def load(model: str, path: Path | None = None) -> Decision:
    """The decision for an encoder, from `path` or from the shipped files (found by the model's
    name before the `@`). Raises UsageError when there is none or it cannot be read."""
    if path is not None:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read the decision file {path}: {error.strerror}") from error
        return parse(data, str(path))
    name = model.split("@")[0].split("/")[-1]
    place = files("processors.cluster") / SHIPPED / f"{name}.json"
    if not place.is_file():
        raise UsageError(
            f"there is no story decision for the model {name}; make one with "
            "`dateline calibrate` and name it in cluster.decision_file"
        )
    return parse(place.read_bytes(), str(place))


def parse(data: bytes, origin: str) -> Decision:
    """Read a decision file; raises UsageError that names what is wrong with it."""
    try:
        file = msgspec.json.decode(data, type=DecisionFile)
    except msgspec.MsgspecError as error:
        raise UsageError(f"{origin} is not a decision file: {error}") from error
    rows = _rows(file.regimes, signals.NAMES, origin)
    paired = _rows(file.pairs, pairs.PAIR_SIGNALS, origin) if file.pairs else {}
    if file.alike is not None and not file.alike[0] > file.alike[1]:
        raise UsageError(f"{origin}: the first number of `alike` must be the higher one")
    return Decision(
        file, hashlib.blake2b(data, digest_size=6).hexdigest(), rows, frozenset(file.reads), paired
    )


def _rows(
    regimes: dict[str, Regime], names: Sequence[str], origin: str
) -> dict[str, tuple[float, Weights]]:
    """Bias and weights in the order of `names`."""
    rows: dict[str, tuple[float, Weights]] = {}
    for name in REGIMES:
        if name not in regimes:
            raise UsageError(f"{origin} lacks the regime {name!r}; train it again")
        one = regimes[name]
        unknown = sorted(set(one.weights) - set(names))
        if unknown:
            raise UsageError(f"{origin} weighs unknown signals ({', '.join(unknown)})")
        numbers = [one.bias, *(one.weights.get(signal, 0.0) for signal in names)]
        if not all(math.isfinite(number) for number in numbers):
            raise UsageError(f"{origin} holds numbers that are not finite")
        rows[name] = (numbers[0], np.array(numbers[1:]))
    return rows
