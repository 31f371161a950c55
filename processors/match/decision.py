"""The decision: signals to a calibrated probability. Learned once, one file for each model."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

import msgspec
from msgspec import Struct

from processors.match.signals import SIGNALS, UNREADABLE
from stream.errors import UsageError

# An article with a body, or a headline alone; an event that lists its people and places, or one
# whose names are taken from its own words (much weaker evidence); a language not understood.
# Or: one of very many events, of which the others tell; or a language other than the event's, which
# shares no words with it (only files of models that read several languages have this one).
REGIMES = ("text", "headline", "listed_text", "listed_headline", "unread", "crowd", "across")
KINDS = ("described", "described_examples", "titled", "titled_examples")
SHIPPED = "decision"
_NOTHING = dict.fromkeys(SIGNALS, 0.0)
# What decides for a model that has no file, when that is asked for.
FALLBACK = "all-MiniLM-L6-v2.json"


class Regime(Struct, forbid_unknown_fields=True):
    """`score` = base[kind of definition] + the sum of weight times signal, in log-odds."""

    base: dict[str, float]
    weights: dict[str, float]


class DecisionFile(Struct, forbid_unknown_fields=True):
    model: str  # the beginning of the name of the encoder that it was learned on
    reads: list[str]  # languages whose vectors mean something
    background: float  # cosine of texts that have nothing to do with each other
    made_by: str
    data: list[str]
    seed: int
    regimes: dict[str, Regime]


class Decider(Struct, frozen=True):
    file: DecisionFile
    fingerprint: str
    calibrated: bool

    def regime(
        self,
        lang: str | None,
        *,
        has_body: bool,
        listed: bool,
        crowded: bool = False,
        foreign: bool = False,
    ) -> str:
        """Which weights apply. An article of unknown language counts as understood."""
        if lang and lang not in self.file.reads:
            return "unread"
        if crowded and not listed:
            return "crowd"
        if foreign and "across" in self.file.regimes:
            return "across"
        return ("listed_" if listed else "") + ("text" if has_body else "headline")

    def base(self, regime: str, kind: str) -> float:
        return self.file.regimes[regime].base[kind]

    def weights(self, regime: str) -> dict[str, float]:
        """Of the signals that count."""
        return {
            name: weight
            for name, weight in self.file.regimes[regime].weights.items()
            if weight and name in SIGNALS and not (regime == "unread" and name in UNREADABLE)
        }


def contributions(weights: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
    """What each signal adds to the score, 0 for one without a value. Rounded, so that it is exact
    once stored."""
    found = _NOTHING.copy()
    for name, weight in weights.items():
        if value := values.get(name):
            found[name] = round(weight * value, 4) + 0.0  # no -0
    return found


def total(base: float, parts: Iterable[float]) -> float:
    return round(base + math.fsum(parts), 4)


def probability(score: float) -> float:
    """The inverse of the logit, safe for any score."""
    if score >= 0:
        return 1 / (1 + math.exp(-score))
    return math.exp(score) / (1 + math.exp(score))


def logit(chance: float) -> float:
    """Log-odds of a probability between 0 and 1."""
    return math.log(chance / (1 - chance))


def load(model: str, *, path: Path | None = None, uncalibrated: bool = False) -> Decider:
    """The decision file for this encoder: the one at `path`, else the shipped one.

    Raises UsageError when none fits, unless `uncalibrated` lets another model's file decide and
    marks every decision.
    """
    source = path or files("processors.match").joinpath(SHIPPED, _file_name(model))
    if not source.is_file():
        if path is not None:
            raise UsageError(f"match.decision_file {path} does not exist")
        if not uncalibrated:
            raise _no_file(model)
        source = files("processors.match").joinpath(SHIPPED, FALLBACK)
    data = source.read_bytes()
    try:
        file = msgspec.json.decode(data, type=DecisionFile)
    except msgspec.MsgspecError as error:
        raise UsageError(f"{source} is not a decision file: {error}") from error
    calibrated = model.startswith(file.model)
    if not calibrated and not uncalibrated:
        raise _no_file(model)
    return Decider(file, hashlib.sha256(data).hexdigest()[:12], calibrated)


def _file_name(model: str) -> str:
    return model.split("@")[0] + ".json"


def _no_file(model: str) -> UsageError:
    return UsageError(
        f"no decision file was calibrated for the model {model}; give one as match.decision_file, "
        "or set match.uncalibrated to match with decisions that are marked as uncalibrated"
    )
