"""Why not: what each signal could still add, were the article as clear a case as others are."""

from __future__ import annotations

from collections.abc import Mapping

from processors.match.decision import contributions
from processors.match.events import Event
from processors.match.signals import AGAINST

# What a clear case shows: the upper quartiles of 207 labelled articles about a described event
# (the sample world and real news), of 323 about one of many events for the last three. What
# speaks against is absent in a clear case.
CLEAR = {
    "meaning": 0.67,
    "detail": 0.6,
    "ahead": 0.1,
    "actors": 0.75,
    "places": 0.7,
    "names": 0.6,
    "words": 0.3,
    "own": 0.6,
    "opening": 0.6,
    "people": 0.3,
    "inside": 1.0,
    "days": 1.0,
    "examples": 0.75,
    "lead": 0.35,
    "told": 0.35,
} | dict.fromkeys(AGAINST, 0.0)


def clearly(event: Event, weights: Mapping[str, float]) -> dict[str, float]:
    """Signal -> what it would contribute in a clear case; without those that this definition
    gives no means to."""
    impossible = _impossible(event)
    clear = {name: value for name, value in CLEAR.items() if name not in impossible}
    best = contributions(weights, clear)
    return {name: best[name] for name in clear}


def room(parts: Mapping[str, float], best: Mapping[str, float]) -> dict[str, float]:
    """Signal -> log-odds that it would add beyond what it does, `best` being a clear case;
    signals that could add nothing are left out."""
    return {
        name: more
        for name, most in best.items()
        if most > parts[name] and (more := round(most - parts[name], 4)) > 0
    }


def _impossible(event: Event) -> set[str]:
    """Signals of parts that the definition does not have."""
    window = event.starts is not None or event.ends is not None
    missing = {
        ("detail",): not event.definition.description,
        ("examples",): not event.parts.positive,
        ("actors",): not event.actors,
        ("places",): not event.places,
        ("names",): not event.named,
        ("own", "opening", "people", "ahead"): not event.related,
        ("inside", "outside", "days"): not window,
    }
    return {name for names, lacking in missing.items() if lacking for name in names}
