"""The events as matching uses them: names numbered, vectors in one matrix, relations known."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.match.crowd import CROWD, Crowd, gather
from processors.match.lexicon import Lexicon
from processors.match.naming import Gazetteer, fold
from processors.match.similarity import Layout, Parts, lay_out
from processors.text.names import names
from processors.text.numbers import MONTHS
from processors.text.sentences import sentences
from processors.text.words import terms
from stream.records import Definition, DefinitionVectors, Name

# A name taken from a definition's own words counts when it is in the title or in this share of
# the texts; more than so many names would be a list of everybody.
NAME_SHARE = 0.5
MAX_OWN_NAMES = 12
# Names and words of an example are taken from its beginning: later come background and others.
EXAMPLE_SENTENCES = 4
# Events that share so many names are look-alikes even when neither says that it follows the other.
SIBLING_NAMES = 2


class Event(NamedTuple):
    """One event. What follows `parts` depends on the other events too."""

    definition: Definition
    actors: frozenset[int]
    places: frozenset[int]
    named: Mapping[int, float]  # names found in its own words, with their strength
    setting: frozenset[int]  # its places, or the names from its own words
    all_names: frozenset[int]
    words: frozenset[str]
    not_about: list[tuple[str, frozenset[str]]]
    starts: date | None
    ends: date | None
    example_days: list[date]
    kind: str  # which evidence the definition offers
    parts: Parts
    related: list[int]
    later: set[int]  # related events that follow this one, directly or not
    around: frozenset[int]  # all names of it and of the related events
    foreign: frozenset[int]  # places that belong to one single related event
    to_come: frozenset[int]  # places of later events, and of no other

    @property
    def listed(self) -> bool:
        """Did the analyst list people or places?"""
        return bool(self.actors or self.places)


class EventTable(NamedTuple):
    """Immutable; made anew when a definition changes. `matrix` has one row a vector."""

    events: list[Event]
    gazetteer: Gazetteer
    lexicon: Lexicon
    matrix: NDArray[np.float64]
    layout: Layout
    holders: Mapping[int, Sequence[int]]  # name -> events that have it
    model: str
    crowd: Crowd | None  # when so many events are registered that they tell each other apart


def build(
    definitions: Sequence[Definition], vectors: Mapping[str, DefinitionVectors]
) -> EventTable:
    """Definitions (each with its vectors, all of one model) in order of id."""
    gazetteer = Gazetteer()
    events: list[Event] = []
    rows: list[NDArray[np.float64]] = []
    for definition in sorted(definitions, key=lambda one: one.id):
        own = vectors[definition.id]
        parts = _parts(definition, own, len(rows))
        for raw in [*own.description, *own.examples]:
            rows.append(np.frombuffer(raw, "<f2").astype(np.float64))
        events.append(_event(definition, parts, gazetteer))
    holders: dict[int, list[int]] = defaultdict(list)
    for number, event in enumerate(events):
        for known in event.all_names:
            holders[known].append(number)
    linked = _linked(events, holders)
    matrix = np.stack(rows) if rows else np.zeros((0, 0))
    model = next(iter(vectors.values())).model if vectors else ""
    crowd = None
    if sum(not one.listed for one in linked) >= CROWD:
        known_by = [one.parts.positive or [one.parts.title] for one in linked]
        crowd = gather([one.definition for one in linked], known_by, matrix)
    layout = lay_out([one.parts for one in linked])
    lexicon = Lexicon([one.words for one in linked], gazetteer.begins, MONTHS)
    return EventTable(linked, gazetteer, lexicon, matrix, layout, dict(holders), model, crowd)


def _parts(definition: Definition, vectors: DefinitionVectors, first: int) -> Parts:
    """Its rows, when the first is `first`: the title, the sentences, the examples."""
    after = first + len(vectors.description)
    flags = list(enumerate((one.about for one in definition.examples), after))
    return Parts(
        title=first,
        sentences=list(range(first + 1, after)),
        positive=[row for row, about in flags if about],
        negative=[row for row, about in flags if not about],
    )


def _event(definition: Definition, parts: Parts, gazetteer: Gazetteer) -> Event:
    actors = frozenset(gazetteer.add(name, person=True) for name in definition.actors) - {-1}
    places = frozenset(gazetteer.add(name, person=False) for name in definition.places) - {-1}
    named: dict[int, float] = {}
    if not definition.actors and not definition.places:
        for text, strength in own_names(definition).items():
            number = gazetteer.add(Name(name=text), person=False)
            named[number] = max(strength, named.get(number, 0.0))
    about = [one for one in definition.examples if one.about]
    setting = places | frozenset(named)
    return Event(
        definition=definition,
        actors=actors,
        places=places,
        named=named,
        setting=setting,
        all_names=actors | setting,
        words=_words(definition),
        not_about=[(phrase, frozenset(terms(phrase))) for phrase in definition.not_about],
        starts=date.fromisoformat(definition.starts) if definition.starts else None,
        ends=date.fromisoformat(definition.ends) if definition.ends else None,
        example_days=sorted(one.published.date() for one in about if one.published),
        kind=("described" if definition.description else "titled") + ("_examples" if about else ""),
        parts=parts,
        related=[],
        later=set(),
        around=frozenset(),
        foreign=frozenset(),
        to_come=frozenset(),
    )


def own_names(definition: Definition) -> dict[str, float]:
    """Names in a definition that lists none: spelling -> strength (0 to 1)."""
    texts = [definition.title, definition.description] if definition.description else []
    texts = texts or [definition.title]
    texts += [
        one.title + ".\n\n" + " ".join(sentences(one.text)[:EXAMPLE_SENTENCES])
        for one in definition.examples
        if one.about
    ]
    counts: Counter[tuple[str, ...]] = Counter()
    spelling: dict[tuple[str, ...], str] = {}
    for text in texts:
        found = {fold(span.text): span.text for span in names(text) if span.sure}
        counts.update(found.keys())
        spelling |= {key: value for key, value in found.items() if key not in spelling}
    titled = set(fold(definition.title))
    strengths = {
        spelling[key]: 1.0 if set(key) <= titled else count / len(texts)
        for key, count in counts.items()
        if key and (set(key) <= titled or count / len(texts) >= NAME_SHARE)
    }
    strongest = sorted(strengths.items(), key=lambda item: (-item[1], item[0]))
    return dict(strongest[:MAX_OWN_NAMES])


def _words(definition: Definition) -> frozenset[str]:
    found = set(terms(definition.title)) | set(terms(definition.description))
    for one in definition.examples:
        if one.about:
            found |= set(terms(one.title))
            found |= set(terms(" ".join(sentences(one.text)[:EXAMPLE_SENTENCES])))
    return frozenset(word for word in found if len(word) > 2 or not word.isascii())


def _linked(events: Sequence[Event], holders: Mapping[int, Sequence[int]]) -> list[Event]:
    """The same events with their relations: the whole chain that an event belongs to, and
    look-alikes that share its names."""
    chains = _chains([{one.definition.id, *one.definition.follows} for one in events])
    members: dict[str, list[int]] = defaultdict(list)
    followers: dict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(events):
        members[chains[one.definition.id]].append(number)
        for earlier in one.definition.follows:
            followers[earlier].append(number)
    found = []
    for number, one in enumerate(events):
        sharing = Counter(other for name in one.all_names for other in holders[name])
        alike = {other for other, names in sharing.items() if names >= SIBLING_NAMES}
        related = sorted((alike | set(members[chains[one.definition.id]])) - {number})
        later = _later(number, events, followers)
        others = [events[i].places for i in related]
        once = Counter(place for places in others for place in places)
        before = _union(events[i].places for i in related if i not in later)
        found.append(
            one._replace(
                related=related,
                later=later,
                around=one.all_names | _union(events[i].all_names for i in related),
                foreign=frozenset(p for p, n in once.items() if n == 1) - one.places,
                to_come=_union(events[i].places for i in later) - one.places - before,
            )
        )
    return found


def _chains(links: Iterable[set[str]]) -> dict[str, str]:
    """For each id the name of the chain that it is in. Two that follow the same are in one."""
    above: dict[str, str] = {}

    def top(one: str) -> str:
        while above.setdefault(one, one) != one:
            above[one] = one = above[above[one]]
        return one

    for link in links:
        first, *others = link
        for other in others:
            above[top(other)] = top(first)
    return {one: top(one) for link in links for one in link}


def _later(
    number: int, events: Sequence[Event], followers: Mapping[str, Sequence[int]]
) -> set[int]:
    """Events that follow this one, directly or not."""
    known, fresh = {number}, [number]
    while fresh:
        after = followers.get(events[fresh.pop()].definition.id, ())
        fresh += set(after) - known
        known.update(after)
    return known - {number}


def _union(sets: Iterable[frozenset[int]]) -> frozenset[int]:
    return frozenset().union(*sets)
