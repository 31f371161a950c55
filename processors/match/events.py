"""The events as matching uses them: names numbered, vectors in one matrix, relations known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.match.crowd import CROWD, Crowd, gather
from processors.match.naming import Gazetteer, fold
from processors.text import names, sentences, terms
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
    definition: Definition
    actors: frozenset[int]
    places: frozenset[int]
    named: Mapping[int, float]  # names found in its own words, with their strength
    words: frozenset[str]
    not_about: list[tuple[str, frozenset[str]]]
    starts: date | None
    ends: date | None
    example_days: list[date]
    kind: str  # which evidence the definition offers
    rows: slice  # of the matrix
    description_rows: int
    positive: list[int]  # rows of examples, counted from the first example row
    negative: list[int]
    related: list[int]
    later: list[int]  # related events that follow this one, directly or not

    @property
    def listed(self) -> bool:
        """Did the analyst list people or places?"""
        return bool(self.actors or self.places)

    @property
    def setting(self) -> frozenset[int]:
        """Its places, or the names from its own words."""
        return self.places | frozenset(self.named)

    @property
    def all_names(self) -> frozenset[int]:
        return self.actors | self.places | frozenset(self.named)


class EventTable(NamedTuple):
    """Immutable; made anew when a definition changes. `matrix` has one row a vector."""

    events: list[Event]
    gazetteer: Gazetteer
    matrix: NDArray[np.float32]
    model: str
    crowd: Crowd | None  # when so many events are registered that they tell each other apart


def build(
    definitions: Sequence[Definition], vectors: Mapping[str, DefinitionVectors]
) -> EventTable:
    """Definitions (each with its vectors, all of one model) in order of id."""
    gazetteer = Gazetteer()
    events: list[Event] = []
    rows: list[NDArray[np.float32]] = []
    for definition in sorted(definitions, key=lambda one: one.id):
        own = vectors[definition.id]
        first = len(rows)
        for raw in [*own.description, *own.examples]:
            rows.append(np.frombuffer(raw, "<f2").astype(np.float32))
        events.append(_event(definition, own, slice(first, len(rows)), gazetteer))
    linked = [
        one._replace(related=_related(i, events), later=_later(i, events))
        for i, one in enumerate(events)
    ]
    matrix = np.stack(rows) if rows else np.zeros((0, 0), np.float32)
    model = next(iter(vectors.values())).model if vectors else ""
    crowd = None
    if sum(not one.listed for one in linked) >= CROWD:
        centres = [matrix[one.rows][one.positive or [0]].mean(axis=0) for one in linked]
        crowd = gather([one.definition for one in linked], centres)
    return EventTable(linked, gazetteer, matrix, model, crowd)


def _event(
    definition: Definition, vectors: DefinitionVectors, rows: slice, gazetteer: Gazetteer
) -> Event:
    actors = frozenset(gazetteer.add(name, person=True) for name in definition.actors) - {-1}
    places = frozenset(gazetteer.add(name, person=False) for name in definition.places) - {-1}
    named: dict[int, float] = {}
    if not definition.actors and not definition.places:
        for text, strength in own_names(definition).items():
            number = gazetteer.add(Name(name=text), person=False)
            named[number] = max(strength, named.get(number, 0.0))
    about = [one for one in definition.examples if one.about]
    used = len(vectors.description)
    flags = [one.about for one in definition.examples]
    return Event(
        definition=definition,
        actors=actors,
        places=places,
        named=named,
        words=_words(definition),
        not_about=[(phrase, frozenset(terms(phrase))) for phrase in definition.not_about],
        starts=date.fromisoformat(definition.starts) if definition.starts else None,
        ends=date.fromisoformat(definition.ends) if definition.ends else None,
        example_days=sorted(one.published.date() for one in about if one.published),
        kind=("described" if definition.description else "titled") + ("_examples" if about else ""),
        rows=rows,
        description_rows=used,
        positive=[used + i for i, flag in enumerate(flags) if flag],
        negative=[used + i for i, flag in enumerate(flags) if not flag],
        related=[],
        later=[],
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


def _later(index: int, events: Sequence[Event]) -> list[int]:
    start = events[index].definition.id
    known, fresh = {start}, {start}
    while fresh:
        fresh = {one.definition.id for one in events if fresh & set(one.definition.follows)} - known
        known |= fresh
    return [i for i, one in enumerate(events) if i != index and one.definition.id in known]


def _related(index: int, events: Sequence[Event]) -> list[int]:
    """The whole chain that the event belongs to, and look-alikes that share its names."""
    own = events[index]
    chain = {own.definition.id}
    links = [{one.definition.id, *one.definition.follows} for one in events]
    while any(link & chain and not link <= chain for link in links):
        chain = chain.union(*(link for link in links if link & chain))
    return [
        i
        for i, other in enumerate(events)
        if i != index
        and (other.definition.id in chain or len(own.all_names & other.all_names) >= SIBLING_NAMES)
    ]
