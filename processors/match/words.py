"""Reasons in words: a clause for each signal, and a decision as a few short lines."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from processors.match import crowd, signals
from processors.match.events import Event, EventTable
from processors.match.reading import Reading
from processors.match.signals import Said
from processors.text.numbers import day_distance
from stream.records import Decision

# A contribution smaller than this (in log-odds) changes a probability by about one point.
SMALL = 0.05
# Below, some sentence still lowers it most, and says nothing to a person.
NOTHING = 0.01
NAMES_IN_A_NOTE = 3
# Signals that say much the same: the weightiest speaks for them.
_KINDS = (
    dict.fromkeys(signals.DENSE, "meaning")
    | dict.fromkeys(("places", "names", "own", "opening", "elsewhere", "later"), "places")
    | dict.fromkeys(("inside", "outside", "apart", "days"), "dates")
)


class Wordings(NamedTuple):
    """By name its longest wording in the article, in order of appearance."""

    anywhere: Mapping[int, str]
    opening: Mapping[int, str]


def wordings(article: Reading) -> Wordings:
    anywhere, opening = dict[int, str](), dict[int, str]()
    for mention in article.mentions:
        opens = mention.sentence < 0 or article.ranks[mention.sentence] <= 2
        for found in (anywhere, opening) if opens else (anywhere,):
            if len(mention.text) > len(found.get(mention.name, "")):
                found[mention.name] = mention.text
    return Wordings(anywhere, opening)


def notes(
    values: Mapping[str, float],
    number: int,
    table: EventTable,
    article: Reading,
    said: Said,
    spoken: Wordings,
    published: date | None,
    regime: str,
) -> dict[str, str]:
    """For people: a clause about each signal that has something to say; names stand as in the
    article. `number` is the event's."""
    event = table.events[number]
    found = {
        "actors": _named(spoken, event.actors, "names none of its people"),
        "places": _named(spoken, event.places, "names none of its places"),
        "names": _named(spoken, event.named, ""),
        "inside": _inside(event, published),
        "outside": _outside(event, published),
    }
    if regime == "unread":
        found |= dict.fromkeys(signals.DENSE, UNREAD)
    else:
        found |= {name: text for name, above, text in _SIMILAR if values[name] > above}
        if values["meaning"] <= 0.3:
            found["meaning"] = "far from the description"
        if not event.definition.description:
            found["meaning"] = found["meaning"].replace("description", "title")
        if values["lead"] < 0:
            found["lead"] = "no closer to it than to another event, or to any news"
    if values["people"]:
        found["people"] = _people(values["people"], event, table, spoken)
    for name, where in (("own", spoken.anywhere), ("opening", spoken.opening)):
        if values[name]:
            found[name] = _rivalry(name, values[name], event, table, where)
    if values["alone"]:
        found["alone"] = "names fewer than two of its people"
    if values["elsewhere"]:
        foreign = _verbatim(spoken.anywhere, event.foreign)
        found["elsewhere"] = f"names {_list(foreign)}, and no place of this event"
    if values["later"]:
        found["later"] = (
            f"names {_list(_verbatim(spoken.anywhere, event.to_come))}, which came later"
        )
    if values["days"]:
        found["days"] = _days(event, article)
    if values["excluded"]:
        phrases = ", ".join(signals.excluded(event, article))
        found["excluded"] = f"opens like what it is not about: {phrases}"
    if values["apart"] and published:
        found["apart"] = f"published {_day(published)}, away from the examples"
    if values["told"]:
        found["told"] = _told(values["told"], number, table, article, said)
    return {name: text for name, text in found.items() if text}


UNREAD = "the model does not read this language: matched by names and aliases only"
# (signal, from where on it is said, what is said)
_SIMILAR = (
    ("meaning", 0.3, "close to the description"),
    ("detail", 0.3, "close to a sentence of the description"),
    ("examples", 0.3, "close to an example"),
    ("against", 0.0, "closer to a counter-example"),
    ("ahead", 0.02, "closer to this event than to its look-alikes"),
    ("behind", 0.02, "closer to a related event"),
    ("lead", 0.0, "closer to it than to any other event"),
    ("stray", 0.0, "farther from its examples than these are from one another"),
)


def _told(value: float, number: int, table: EventTable, article: Reading, said: Said) -> str:
    if table.crowd is None or said.heard is None:
        return ""
    if value < 0:
        return "says no more of what it is about than another event does, or any news"
    found = crowd.shared(said.heard, table.crowd, number)
    # As the article has them first.
    spelt: dict[str, str] = {}
    for words in article.first_sentences():
        for word in sorted(words):
            spelt.setdefault(crowd.stem(word), word)
    shared = [spelt[stem] for stem in found[:NAMES_IN_A_NOTE]]
    return "shares the words " + _list(shared) if shared else ""


def _verbatim(spoken: Mapping[int, str], names: Collection[int]) -> list[str]:
    """The wordings of these names, in order of appearance."""
    return [text for name, text in spoken.items() if name in names][:NAMES_IN_A_NOTE]


def _named(spoken: Wordings, names: Collection[int], without: str) -> str:
    found = _verbatim(spoken.anywhere, names)
    if found:
        return "names " + _list(found)
    return without if names else ""


def _rivalry(
    name: str, value: float, event: Event, table: EventTable, spoken: Mapping[int, str]
) -> str:
    mine, theirs = set(event.setting), set[int]()
    for other in event.related:
        mine -= table.events[other].setting
        theirs |= table.events[other].setting
    own, foreign = _verbatim(spoken, mine), _verbatim(spoken, theirs - event.setting)
    if value > 0 and own:
        opens = "opens on " if name == "opening" else "names "
        return opens + _list(own) + ", which only this event has"
    if value < 0 and foreign:
        return (
            ("opens on " if name == "opening" else "names ")
            + _list(foreign)
            + ", of a related event"
        )
    return ""


def _people(value: float, event: Event, table: EventTable, spoken: Wordings) -> str:
    rivals = frozenset[int]().union(*(table.events[i].actors for i in event.related))
    if value < 0:
        foreign = _verbatim(spoken.anywhere, rivals - event.actors)
        return f"names {_list(foreign)}, of a related event" if foreign else ""
    own = _verbatim(spoken.anywhere, event.actors - rivals)
    return f"names {_list(own)}, whom only this event has" if own else ""


def _inside(event: Event, published: date | None) -> str:
    if event.starts is None and event.ends is None:
        return ""
    if published is None:
        return "no date of publication: no evidence"
    inside = day_distance(published, event.starts, event.ends) == 0
    return f"published {_day(published)}, inside the window" if inside else ""


def _outside(event: Event, published: date | None) -> str:
    distance = day_distance(published, event.starts, event.ends) if published else 0
    if published is None or distance == 0:
        return ""
    side = "before" if event.starts is not None and published < event.starts else "after"
    return f"published {_day(published)}, {distance} days {side} the window"


def _days(event: Event, article: Reading) -> str:
    inside = [d for _, d in article.days if day_distance(d, event.starts, event.ends) == 0]
    if inside:
        return f"speaks of {_day(inside[0])}, inside the window"
    return "speaks of days outside the window only"


def lines(decision: Decision, title: str = "") -> list[str]:
    """Two to six short lines for a decision: the verdict, the strongest reasons, what a match
    would have needed, the sentence, the best rival. `title` is the event's."""
    head = "match" if decision.matched else "no match"
    found = [f"{head}: {title or decision.event_id} ({_chance(decision.probability)})"]
    if not decision.calibrated:
        found[0] += ", uncalibrated"
    clauses = {sign: _clauses(decision, sign) for sign in (1, -1)}
    if decision.matched and decision.shared and not any("names" in c for c in clauses[1]):
        clauses[1].append("names " + _list(decision.shared[:NAMES_IN_A_NOTE]))
    agrees = 1 if decision.matched else -1
    notes = ["; ".join(clauses[agrees][:3])] if clauses[agrees] else []
    if clauses[-agrees]:
        notes.append("but " + clauses[-agrees][0])
    unread = next((s.note for s in decision.signals if "does not read" in s.note), None)
    if unread:
        notes = [*notes[:1], unread]
    found += notes
    if decision.gap > 0:
        found.append(needed(decision))
    if decision.sentence and decision.probability >= NOTHING:
        found.append(f"speaks most for it: “{' '.join(decision.sentence.split())}”")
    if decision.rival is not None and decision.rival_probability is not None:
        found.append(f"best rival: {decision.rival} ({_chance(decision.rival_probability)})")
    return found


# What would have been there in a clear case, by signal.
_WANTED = {
    "meaning": "more closeness to the description",
    "detail": "more closeness to a sentence of the description",
    "examples": "more closeness to an example",
    "against": "less likeness to a counter-example",
    "ahead": "a lead over its look-alikes",
    "behind": "to be closer to it than to a related event",
    "lead": "a lead over all other events",
    "told": "rare words that only it has",
    "stray": "to be as near to its examples as these are to one another",
    "actors": "its people, named early",
    "places": "its places, named early",
    "names": "its names, named early",
    "words": "its own words in the beginning",
    "own": "places that only it has, and not those of a related event",
    "opening": "places that only it has in the opening",
    "people": "people whom only it has",
    "alone": "a second of its people",
    "elsewhere": "its own places instead of those of related events",
    "later": "no places of what came later",
    "outdone": "to fit it better than a related event",
    "inside": "publication inside the window",
    "outside": "publication inside the window",
    "apart": "publication nearer to the examples",
    "days": "a day of the window in the text",
    "excluded": "an opening unlike what it is not about",
}
MOST_NEEDED = 3


def needed(decision: Decision) -> str:
    """What was missing for a match, and what could have brought it."""
    more: dict[str, float] = {}
    for one in decision.signals:
        if one.room >= SMALL:
            wanted = _WANTED.get(one.name, one.name)
            more[wanted] = more.get(wanted, 0.0) + one.room
    ranked = sorted(more.items(), key=lambda pair: (-pair[1], pair[0]))
    told = [f"{wanted} (up to +{room:.1f})" for wanted, room in ranked[:MOST_NEEDED]]
    missing = f"short of a match by {decision.gap:.{1 if decision.gap >= 1 else 2}f} in log-odds"
    if not told:
        return missing
    if ranked[0][1] >= decision.gap:
        return f"{missing}; any of these would do: " + ", ".join(
            text for text, (_, room) in zip(told, ranked, strict=False) if room >= decision.gap
        )
    if sum(more.values()) < decision.gap:
        return f"{missing}, more than it could gain by all that is missing: {', '.join(told)}"
    return f"{missing}; missing most: {', '.join(told)}"


def _clauses(decision: Decision, sign: int) -> list[str]:
    """What speaks for (1) or against (-1), the weightiest first, one clause of a kind."""
    found: dict[str, str] = {}
    for one in sorted(decision.signals, key=lambda signal: -abs(signal.contribution)):
        if one.note and one.contribution * sign >= SMALL:
            found.setdefault(_KINDS.get(one.name, one.name), one.note)
    return list(found.values())


def _chance(probability: float) -> str:
    """As in .31; certainty is never claimed."""
    if probability < 0.01:
        return "< .01"
    return "> .99" if probability > 0.99 else f"{probability:.2f}".removeprefix("0")


# Month names ask the system for its language every time.
@lru_cache(maxsize=1024)
def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _list(words: list[str]) -> str:
    bare = [" ".join(word.split()) for word in words]
    return bare[0] if len(bare) == 1 else ", ".join(bare[:-1]) + " and " + bare[-1]
