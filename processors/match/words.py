"""Reasons in words: a clause for each signal, and a decision as a few short lines."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from processors.match import crowd, signals
from processors.match.events import Event, EventTable
from processors.match.reading import Reading
from processors.text import day_distance
from stream.records import Decision

# A contribution smaller than this (in log-odds) changes a probability by about one point.
SMALL = 0.05
NAMES_IN_A_NOTE = 3
# Signals that say much the same: the weightiest speaks for them.
_KINDS = (
    dict.fromkeys(signals.DENSE, "meaning")
    | dict.fromkeys(("places", "names", "own", "opening", "elsewhere", "later"), "places")
    | dict.fromkeys(("inside", "outside", "apart", "days"), "dates")
)


def note(
    name: str,
    value: float,
    event: Event,
    table: EventTable,
    article: Reading,
    published: date | None,
    regime: str,
) -> str:
    """A clause for people about one signal; names stand as in the article."""
    if name == "actors":
        return _named(article, event.actors, "names ", "names none of its people")
    if name == "places":
        return _named(article, event.places, "names ", "names none of its places")
    if name == "names":
        return _named(article, frozenset(event.named), "names ", "")
    if name == "people":
        return _people(value, event, table, article)
    if name in ("own", "opening"):
        return _rivalry(value, event, table, article, opening=name == "opening")
    if name == "alone" and value:
        return "names fewer than two of its people"
    if name == "elsewhere" and value:
        found = _verbatim(article, event.foreign)
        return f"names {_list(found)}, and no place of this event"
    if name == "later" and value:
        found = _verbatim(article, event.to_come)
        return f"names {_list(found)}, which came later"
    if name in ("inside", "outside"):
        return _published(name, event, published)
    if name == "days":
        return _days(value, event, article)
    if name == "excluded" and value:
        return "opens like what it is not about: " + ", ".join(signals.excluded(event, article))
    if name == "apart" and value and published:
        return f"published {_day(published)}, away from the examples"
    if name == "told":
        return _told(value, event, table, article)
    if name in signals.DENSE:
        return _similar(name, value, regime)
    return ""


def _told(value: float, event: Event, table: EventTable, article: Reading) -> str:
    if table.crowd is None or not value:
        return ""
    if value < 0:
        return "says more of what another event is about"
    found = crowd.shared(article.counts(), table.crowd, table.events.index(event))
    return "shares the words " + _list(found[:NAMES_IN_A_NOTE]) if found else ""


def _similar(name: str, value: float, regime: str) -> str:
    if regime == "unread":
        return "the model does not read this language: matched by names and aliases only"
    clauses = {
        "meaning": "close to the description" if value > 0.3 else "far from the description",
        "detail": "close to a sentence of the description" if value > 0.3 else "",
        "examples": "close to an example" if value > 0.3 else "",
        "against": "closer to a counter-example" if value > 0 else "",
        "ahead": "closer to this event than to its look-alikes" if value > 0.02 else "",
        "behind": "closer to a related event" if value > 0.02 else "",
        "lead": "closer to it than to any other event"
        if value > 0
        else "closer to another event"
        if value < 0
        else "",
    }
    return clauses[name]


def _verbatim(article: Reading, names: Iterable[int], *, opening: bool = False) -> list[str]:
    """The longest wording of each name, in order of appearance."""
    wanted, best = set(names), dict[int, str]()
    for mention in article.mentions:
        if mention.name not in wanted:
            continue
        if opening and mention.sentence >= 0 and article.ranks[mention.sentence] > 2:
            continue
        if len(mention.text) > len(best.get(mention.name, "")):
            best[mention.name] = mention.text
    return list(best.values())[:NAMES_IN_A_NOTE]


def _named(article: Reading, names: frozenset[int], before: str, without: str) -> str:
    found = _verbatim(article, names)
    if found:
        return before + _list(found)
    return without if names else ""


def _rivalry(
    value: float, event: Event, table: EventTable, article: Reading, *, opening: bool
) -> str:
    mine, theirs = set(event.setting), set[int]()
    for other in event.related:
        mine &= signals.apart(event, table.events[other])[0]
        theirs |= signals.apart(event, table.events[other])[1]
    own = _verbatim(article, mine, opening=opening)
    foreign = _verbatim(article, theirs, opening=opening)
    if value > 0 and own:
        return ("opens on " if opening else "names ") + _list(own) + ", which only this event has"
    if value < 0 and foreign:
        return ("opens on " if opening else "names ") + _list(foreign) + ", of a related event"
    return ""


def _people(value: float, event: Event, table: EventTable, article: Reading) -> str:
    rivals = frozenset[int]().union(*(table.events[i].actors for i in event.related))
    if value < 0:
        foreign = _verbatim(article, rivals - event.actors)
        return f"names {_list(foreign)}, of a related event" if foreign else ""
    own = _verbatim(article, event.actors - rivals) if value > 0 else []
    return f"names {_list(own)}, whom only this event has" if own else ""


def _published(name: str, event: Event, published: date | None) -> str:
    if event.starts is None and event.ends is None:
        return ""
    if published is None:
        return "no date of publication: no evidence" if name == "inside" else ""
    distance = day_distance(published, event.starts, event.ends)
    if name == "inside":
        return f"published {_day(published)}, inside the window" if distance == 0 else ""
    if distance == 0:
        return ""
    side = "before" if event.starts is not None and published < event.starts else "after"
    return f"published {_day(published)}, {distance} days {side} the window"


def _days(value: float, event: Event, article: Reading) -> str:
    if not value:
        return ""
    inside = [d for _, d in article.days if day_distance(d, event.starts, event.ends) == 0]
    if inside:
        return f"speaks of {_day(inside[0])}, inside the window"
    return "speaks of days outside the window only"


def lines(decision: Decision, title: str = "") -> list[str]:
    """Two to five short lines for a decision: the verdict, the strongest reasons, the sentence,
    the best rival. `title` is the event's."""
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
    if decision.sentence:
        found.append(f"closest sentence: “{' '.join(decision.sentence.split())}”")
    if decision.rival is not None and decision.rival_probability is not None:
        found.append(f"best rival: {decision.rival} ({_chance(decision.rival_probability)})")
    return found


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


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _list(words: list[str]) -> str:
    bare = [" ".join(word.split()) for word in words]
    return bare[0] if len(bare) == 1 else ", ".join(bare[:-1]) + " and " + bare[-1]
