"""What is measured between an article and an event. Each signal is zero when it has no evidence.

meaning    similarity of the article to title and description (or title alone), above chance
detail     similarity to the nearest sentence of the description, above chance
examples   similarity to the nearest example, above chance
against    how much nearer the nearest counter-example is than the nearest example
ahead      how much nearer it is than the nearest related event
behind     how much nearer that one is
lead       among many events: how much nearer the article is to this one than to all others
told       the same for the rare words of the beginning
actors     how salient the event's people are: the two most salient, both needed
places     how salient its most salient place is
names      the same for names found in the event's own words
words      share of the article's first words that the event's own words cover
own        salience of places that set this event apart from a related event, less theirs
opening    the same, for what the article opens on
people     the same for people
alone      fewer than two of its people are named
elsewhere  it names places of related events and none of this one
later      it has no date, and names places of events that came after this one
inside     published within the window
outside    days outside the window, on a log scale (1 = a year)
apart      days from the published examples, when there is no window
days       the text names a day in the window (1), or only others (-1)
excluded   something the event is not about stands at the beginning
"""

from __future__ import annotations

import math
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.match import crowd
from processors.match.events import Event, EventTable
from processors.match.reading import Reading
from processors.text import day_distance

SIGNALS = (
    "meaning", "detail", "examples", "against", "ahead", "behind", "lead", "told", "actors",
    "places", "names", "words", "own", "opening", "people", "alone", "elsewhere", "later",
    "inside", "outside", "apart", "days", "excluded",
)  # fmt: skip
DENSE = frozenset({"meaning", "detail", "examples", "against", "ahead", "behind", "lead"})
# What means nothing in a language that the model does not read.
UNREADABLE = DENSE | {"words", "told"}
# Among many events similarities themselves say nothing that the lead does not say better.
AMONG_MANY = ("lead", "told", "against", "inside", "outside", "apart", "days", "excluded")
# log(1 + days) is divided by this, so that a year outside counts 1.
YEAR = math.log1p(365)


class Similarities(NamedTuple):
    """Cosines above the model's background, by event."""

    whole: list[float]
    detail: list[float]
    examples: list[float | None]
    counter: list[float | None]
    centres: NDArray[np.float64]  # empty without a crowd

    def best(self, index: int) -> float:
        known = [self.whole[index], self.detail[index], self.examples[index] or 0.0]
        return max(known)


def similarities(vector: NDArray[np.float32], table: EventTable, background: float) -> Similarities:
    # Rounded: the last digits depend on the machine's way of adding, decisions must not.
    cosines = np.round(table.matrix @ vector, 4) - background if table.events else np.zeros(0)
    whole, detail = list[float](), list[float]()
    examples, counter = list[float | None](), list[float | None]()
    for event in table.events:
        own = cosines[event.rows]
        whole.append(float(own[0]))
        last = event.description_rows
        detail.append(float(own[1:last].max()) if last > 1 else float(own[0]))
        examples.append(float(own[event.positive].max()) if event.positive else None)
        counter.append(float(own[event.negative].max()) if event.negative else None)
    centres = crowd.meant(vector, table.crowd) if table.crowd else np.zeros(0)
    return Similarities(whole, detail, examples, counter, centres)


def dense(index: int, table: EventTable, near: Similarities) -> dict[str, float]:
    event = table.events[index]
    example, counter = near.examples[index], near.counter[index]
    rivals = [near.best(other) for other in event.related]
    lead = near.best(index) - max(rivals) if rivals else 0.0
    return {
        "meaning": near.whole[index],
        "detail": near.detail[index] if event.definition.description else 0.0,
        "examples": example or 0.0,
        "against": max(0.0, counter - max(example or 0.0, near.whole[index]))
        if counter is not None
        else 0.0,
        "ahead": max(0.0, lead),
        "behind": max(0.0, -lead),
        "lead": crowd.lead(near.centres, index, crowd.STRANGER_MEANT),
    }


def say(article: Reading, table: EventTable) -> NDArray[np.float64]:
    """How far each of many events says the same as the article; empty without a crowd."""
    return crowd.told(article.counts(), table.crowd) if table.crowd else np.zeros(0)


Salience = tuple[dict[int, float], dict[int, float]]


def lexical(
    index: int,
    table: EventTable,
    article: Reading,
    published: date | None,
    salience: Salience | None = None,
    told: NDArray[np.float64] | None = None,
) -> dict[str, float]:
    """Everything that does not need the vector. `salience` and `told` are the article's, when they
    are known."""
    event = table.events[index]
    anywhere, opening = salience or article.salience()
    return {
        **_names(event, anywhere),
        "words": _words(event, article),
        "told": crowd.lead(
            say(article, table) if told is None else told, index, crowd.STRANGER_TOLD
        ),
        **_rivalry(event, table, anywhere, opening),
        **_sequence(event, table, anywhere, published),
        **_dates(event, article, published),
        "excluded": 1.0 if excluded(event, article) else 0.0,
    }


def _names(event: Event, anywhere: dict[int, float]) -> dict[str, float]:
    people = sorted((anywhere.get(name, 0.0) for name in event.actors), reverse=True)[:2]
    found = [strength * anywhere.get(name, 0.0) for name, strength in event.named.items()]
    top = sorted(found, reverse=True)[:3]
    return {
        "alone": 1.0 if len(people) == 2 and not people[1] else 0.0,
        # A pair makes an event of people who are in the news every day: both must be there.
        "actors": math.prod(people) ** (1 / len(people)) if people else 0.0,
        "places": max((anywhere.get(name, 0.0) for name in event.places), default=0.0),
        "names": sum(top) / len(top) if top else 0.0,
    }


def _words(event: Event, article: Reading) -> float:
    first = article.beginning()
    if not first or not event.words:
        return 0.0
    return len(first & event.words) / math.sqrt(len(first) * min(len(event.words), 60))


def _rivalry(
    event: Event, table: EventTable, anywhere: dict[int, float], opening: dict[int, float]
) -> dict[str, float]:
    """Against the related event that stands in the way most."""
    found: dict[str, list[float]] = {"own": [], "opening": [], "people": []}
    for other in event.related:
        mine, theirs = apart(event, table.events[other])
        found["own"].append(_highest(mine, anywhere) - _highest(theirs, anywhere))
        found["opening"].append(_highest(mine, opening) - _highest(theirs, opening))
        rival = table.events[other].actors
        found["people"].append(
            _highest(event.actors - rival, anywhere) - _highest(rival - event.actors, anywhere)
        )
    return {name: min(values, default=0.0) for name, values in found.items()}


def _sequence(
    event: Event, table: EventTable, anywhere: dict[int, float], published: date | None
) -> dict[str, float]:
    """Places of the chain. A report may look back, but names what came later only by chance."""
    after = _present(later_places(event, table), anywhere)
    others = 0.0
    if event.places and not _highest(event.places, anywhere):
        others = _present(foreign_places(event, table), anywhere)
    return {"elsewhere": others, "later": after if published is None else 0.0}


def foreign_places(event: Event, table: EventTable) -> frozenset[int]:
    """Places that belong to one single related event."""
    every = [place for i in event.related for place in table.events[i].places]
    return frozenset(p for p in every if every.count(p) == 1) - event.places


def later_places(event: Event, table: EventTable) -> frozenset[int]:
    """Places of events that came after this one, and of no other."""
    later = frozenset().union(*(table.events[i].places for i in event.later))
    before = (table.events[i].places for i in event.related if i not in event.later)
    return later - event.places - frozenset().union(*before)


def _present(names: frozenset[int], salience: dict[int, float]) -> float:
    """Half for being named at all, the rest for how prominently."""
    highest = _highest(names, salience)
    return 0.5 + highest / 2 if highest else 0.0


def apart(event: Event, other: Event) -> tuple[frozenset[int], frozenset[int]]:
    """Places and other names, people aside, that only the one and only the other has."""
    return event.setting - other.setting, other.setting - event.setting


def _highest(names: frozenset[int], salience: dict[int, float]) -> float:
    return max((salience.get(name, 0.0) for name in names), default=0.0)


def _dates(event: Event, article: Reading, published: date | None) -> dict[str, float]:
    found = {"inside": 0.0, "outside": 0.0, "apart": 0.0, "days": 0.0}
    window = event.starts is not None or event.ends is not None
    if published is not None and window:
        distance = day_distance(published, event.starts, event.ends)
        found["inside"] = 1.0 if distance == 0 else 0.0
        found["outside"] = min(1.5, math.log1p(distance) / YEAR)
    elif published is not None and event.example_days:
        distance = day_distance(published, event.example_days[0], event.example_days[-1])
        found["apart"] = min(1.5, math.log1p(distance) / YEAR)
    if window and article.days:
        within = [day_distance(day, event.starts, event.ends) == 0 for _, day in article.days]
        found["days"] = 1.0 if any(within) else -1.0
    return found


def excluded(event: Event, article: Reading) -> list[str]:
    """What the event is not about, where three quarters of its words (not all of them words of
    the event itself) stand together in one of the first sentences."""
    found = []
    for phrase, words in event.not_about:
        together = max((words & one for one in article.first_sentences()), key=len, default=words)
        if words and len(together) * 4 >= len(words) * 3 and not together <= event.words:
            found.append(phrase)
    return found
