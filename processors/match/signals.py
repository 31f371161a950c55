"""What is measured between an article and an event. Each signal is zero when it has no evidence.

meaning    similarity of the article to title and description (or title alone), above chance
detail     similarity to the nearest sentence of the description, above chance
examples   similarity to the nearest example, above chance
against    how much nearer the nearest counter-example is than the nearest example
ahead      how much nearer it is than the nearest related event
behind     how much nearer that one is
lead       among many events: how much nearer the article is to this one than to all others
told       the same for the rare words of the beginning
stray      among many events: how much farther it is from the examples than these from one another
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
outdone    how far a related event fits better, in log-odds: found when all have been judged
inside     published within the window
outside    days outside the window, on a log scale (1 = a year)
apart      days from the published examples, when there is no window
days       the text names a day in the window (1), or only others (-1)
excluded   something the event is not about stands at the beginning
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import date
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.match import crowd, similarity
from processors.match.crowd import Heard, Standing
from processors.match.events import Event, EventTable
from processors.match.lexicon import ENOUGH_WORDS
from processors.match.reading import Reading
from processors.match.similarity import Similarities
from processors.text.numbers import day_distance

SIGNALS = (
    "meaning", "detail", "examples", "against", "ahead", "behind", "lead", "told", "stray",
    "actors", "places", "names", "words", "own", "opening", "people", "alone", "elsewhere",
    "later", "outdone", "inside", "outside", "apart", "days", "excluded",
)  # fmt: skip
# What is absent in a clear case.
AGAINST = (
    "against", "behind", "stray", "alone", "elsewhere", "later", "outdone", "outside", "apart",
    "excluded",
)  # fmt: skip
DENSE = frozenset({"meaning", "detail", "examples", "against", "ahead", "behind", "lead", "stray"})
# What means nothing in a language that the model does not read.
UNREADABLE = DENSE | {"words", "told"}
# Among many events similarities themselves say nothing that the lead does not say better.
AMONG_MANY = ("lead", "told", "stray", "against", "inside", "outside", "apart", "days", "excluded")
# Only of events that list people or places: by examples alone a chain is not known well enough for
# its events to judge each other (macro F1 of Korea known by examples fell by .1).
LISTED_ONLY = "outdone"
# log(1 + days) is divided by this, so that a year outside counts 1.
YEAR = math.log1p(365)
MOST_YEARS = 1.5
# Whatever strays farther has as little to do with the event.
MOST_STRAY = 0.5
# An event that fits worse than a related one loses at most so much of its log-odds: an article may
# be about two of a chain.
MOST_OUTDONE = 2.0


class Near(NamedTuple):
    """How near the vector of an article is to all events."""

    cosines: Similarities
    standing: Standing | None  # None without a crowd


class Said:
    """What the words of an article say, before any event is looked at; read when it is asked for.
    `longer` is what the article says with a sentence that is left out here; `foreign` tells which
    events are given in other languages."""

    def __init__(
        self,
        article: Reading,
        table: EventTable,
        longer: Said | None = None,
        foreign: NDArray[np.bool_] | None = None,
    ) -> None:
        self._article, self._crowd, self._longer = article, table.crowd, longer
        self._lexicon = table.lexicon
        self._of: dict[frozenset[int], frozenset[int]] = {}
        self.foreign: NDArray[np.bool_] | None = longer.foreign if longer is not None else foreign

    @cached_property
    def _salience(self) -> tuple[Mapping[int, float], Mapping[int, float]]:
        return self._article.salience()

    @property
    def anywhere(self) -> Mapping[int, float]:
        """Name -> how salient it is."""
        return self._salience[0]

    @property
    def opening(self) -> Mapping[int, float]:
        """The same for what the article opens on."""
        return self._salience[1]

    def of(self, names: frozenset[int]) -> frozenset[int]:
        """Those of these names that stand anywhere. The events of a chain ask for the same ones."""
        found = self._of.get(names)
        if found is None:
            found = self._of[names] = names.intersection(self.anywhere)
        return found

    @cached_property
    def words(self) -> tuple[NDArray[np.int64], int]:
        """Which of the events' words the beginning has, by their number, and how many words."""
        return self._lexicon.said(self._article.tokens, self._article.beginning)

    @cached_property
    def heard(self) -> Heard | None:
        """None without a crowd."""
        if self._crowd is None:
            return None
        words = self._article.counts()
        longer = self._longer.heard if self._longer is not None else None
        if longer is None:
            return crowd.hear(words, self._crowd)
        # What stands further back is not heard.
        return longer if words == longer.words else crowd.instead(longer, words, self._crowd)

    @cached_property
    def standing(self) -> Standing | None:
        """None without a crowd."""
        if self.heard is None:
            return None
        if self._longer is not None and self.heard is self._longer.heard:
            return self._longer.standing
        return crowd.standing(crowd.told(self.heard, self.foreign), crowd.STRANGER_TOLD)


def near(vectors: NDArray[np.float32], table: EventTable, background: float) -> list[Near]:
    """Of vectors, a row each, to a table with at least one event."""
    found = similarity.similarities(vectors, table.matrix, table.layout, background)
    if table.crowd is None:
        return [Near(cosines, None) for cosines in found]
    meant = [crowd.meant(cosines.cosines, table.crowd) for cosines in found]
    return [
        Near(cosines, crowd.standing(one, crowd.STRANGER_MEANT))
        for cosines, one in zip(found, meant, strict=True)
    ]


def dense(index: int, table: EventTable, near: Near) -> dict[str, float]:
    event, cosines = table.events[index], near.cosines
    whole, example = cosines.whole(index), cosines.examples(index)
    against = cosines.counter(index) - max(example, whole) if event.parts.negative else 0.0
    ahead = 0.0
    if event.related:
        ahead = cosines.best.item(index) - max([cosines.best.item(i) for i in event.related])
    return {
        "meaning": whole,
        "detail": cosines.detail(index) if event.definition.description else 0.0,
        "examples": example,
        "against": max(0.0, against),
        "ahead": max(0.0, ahead),
        "behind": max(0.0, -ahead),
        "lead": near.standing.lead(index) if near.standing else 0.0,
        "stray": _stray(index, table, near),
    }


def _stray(index: int, table: EventTable, near: Near) -> float:
    if table.crowd is None or near.standing is None:
        return 0.0
    short = table.crowd.apart[index] - near.standing.scores.item(index)
    return round(min(MOST_STRAY, max(0.0, short)), 4)


def lexical(
    index: int, table: EventTable, article: Reading, said: Said, published: date | None
) -> dict[str, float]:
    """Everything that does not need the vector."""
    event, found = table.events[index], _UNSAID.copy()
    found["words"] = table.lexicon.share(index, *said.words)
    if said.standing is not None:
        found["told"] = said.standing.lead(index)
    found.update(_names(event, table, said))
    found.update(_dates(event, article, published))
    if published is None and event.to_come:
        # A report may look back, but names what came later only by chance.
        found["later"] = _present(event.to_come, said.anywhere)
    if event.not_about and excluded(event, article):
        found["excluded"] = 1.0
    return found


def changeable(
    event: Event, article: Reading, said: Said, published: date | None, weights: Collection[str]
) -> frozenset[str]:
    """Of these signals those that may be others when a sentence is left out. An article that names
    nothing of the event or its rivals does so without the sentence as well."""
    found = {"words"} if event.words else set()
    if said.standing is not None:
        found.add("told")
    if not event.around.isdisjoint(said.anywhere):
        found |= _NAMELESS.keys()
    if event.to_come and published is None:
        found.add("later")
    if article.days:
        found.add("days")
    if event.not_about:
        found.add("excluded")
    return frozenset(found.intersection(weights))


def reworded(
    index: int,
    table: EventTable,
    article: Reading,
    said: Said,
    published: date | None,
    wanted: frozenset[str],
) -> dict[str, float]:
    """`lexical`, of the signals that are `changeable`; without the words."""
    event, found = table.events[index], dict[str, float]()
    if "told" in wanted and said.standing is not None:
        found["told"] = said.standing.lead(index)
    if not wanted.isdisjoint(_NAMELESS):
        found |= _names(event, table, said)
    if "later" in wanted:
        found["later"] = _present(event.to_come, said.anywhere)
    if "days" in wanted:
        found["days"] = _dates(event, article, published).get("days", 0.0)
    if "excluded" in wanted:
        found["excluded"] = 1.0 if excluded(event, article) else 0.0
    return found


def _names(event: Event, table: EventTable, said: Said) -> dict[str, float]:
    anywhere = said.anywhere
    if not anywhere or event.around.isdisjoint(anywhere):
        return _FEWER_THAN_TWO if len(event.actors) > 1 else _NAMELESS
    people = sorted([anywhere.get(name, 0.0) for name in event.actors], reverse=True)[:2]
    found = [strength * anywhere.get(name, 0.0) for name, strength in event.named.items()]
    top = sorted(found, reverse=True)[:3]
    places = _highest(event.places, anywhere)
    return {
        "alone": 1.0 if len(people) == 2 and not people[1] else 0.0,
        # A pair makes an event of people who are in the news every day: both must be there.
        "actors": math.prod(people) ** (1 / len(people)) if people else 0.0,
        "places": places,
        "names": sum(top) / len(top) if top else 0.0,
        "elsewhere": _present(event.foreign, anywhere) if event.places and not places else 0.0,
        **_rivalry(event, table, said),
    }


# What is found where neither a name of the event nor one of a related event stands.
_NAMELESS = dict.fromkeys(
    ("alone", "actors", "places", "names", "elsewhere", "own", "opening", "people"), 0.0
)
_FEWER_THAN_TWO = _NAMELESS | {"alone": 1.0}
# They are the same as long as the names of the event and of related events stand where they stood.
ABOUT_NAMES = frozenset(_NAMELESS) | {"later"}
# Everything that does not need the vector, of an article that says nothing about the event. The
# judge finds by how much it is outdone, who sees the related events.
_UNSAID = _NAMELESS | dict.fromkeys(
    ("words", "told", "inside", "outside", "apart", "days", "later", "excluded", "outdone"), 0.0
)


def each_word(event: Event) -> float:
    """What each common word adds to `words`, times the root of the number of first words."""
    return 1 / math.sqrt(max(1, min(len(event.words), ENOUGH_WORDS)))


def _rivalry(event: Event, table: EventTable, said: Said) -> dict[str, float]:
    """Against the related event that stands in the way most."""
    anywhere, opening = said.anywhere, said.opening
    mine, my_people = said.of(event.setting), said.of(event.actors)
    own, opens, people = list[float](), list[float](), list[float]()
    for number in event.related:
        other = table.events[number]
        here, there = mine - other.setting, said.of(other.setting) - mine
        own.append(_ahead(here, there, anywhere))
        opens.append(_ahead(here, there, opening))
        here, there = my_people - other.actors, said.of(other.actors) - my_people
        people.append(_ahead(here, there, anywhere))
    return {
        "own": min(own, default=0.0),
        "opening": min(opens, default=0.0),
        "people": min(people, default=0.0),
    }


def _present(names: frozenset[int], salience: Mapping[int, float]) -> float:
    """Half for being named at all, the rest for how prominently."""
    highest = _highest(names, salience)
    return 0.5 + highest / 2 if highest else 0.0


def _ahead(here: Collection[int], there: Collection[int], salience: Mapping[int, float]) -> float:
    if not here and not there:
        return 0.0
    return _highest(here, salience) - _highest(there, salience)


def _highest(names: Collection[int], salience: Mapping[int, float]) -> float:
    return max([salience.get(name, 0.0) for name in names]) if names else 0.0


def _dates(event: Event, article: Reading, published: date | None) -> dict[str, float]:
    """Those of the signals about dates that are not 0."""
    found = dict[str, float]()
    window = event.starts is not None or event.ends is not None
    if published is not None and window:
        distance = day_distance(published, event.starts, event.ends)
        if distance == 0:
            found["inside"] = 1.0
        else:
            found["outside"] = min(MOST_YEARS, math.log1p(distance) / YEAR)
    elif published is not None and event.example_days:
        distance = day_distance(published, event.example_days[0], event.example_days[-1])
        found["apart"] = min(MOST_YEARS, math.log1p(distance) / YEAR)
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
