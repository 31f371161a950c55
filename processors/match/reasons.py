"""Why a decision is what it is: what each signal says and what it lacks, and the sentence that
speaks most for the event."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from processors.match import decision, signals
from processors.match.case import Case, Judged
from processors.match.lexicon import Lacking
from processors.match.reading import BEGINNING, Reading
from processors.match.room import clearly, room
from processors.match.weighing import Weighing
from processors.match.words import notes
from stream.records import Decision, Signal

# Sentences tried as the one that speaks most for the event; each costs a few µs.
CANDIDATES = 6
# With an encoder at hand: one batch of it.
REREAD = 32
# Signals about names that tell related events apart.
RIVALRY = ("own", "opening", "people")
# Of an example's title, to know it by.
TITLE_CHARS = 60
# Names reported with a decision; more are not read.
MAX_SHARED = 12

# Signals that say nothing: most of them, of most decisions.
_SILENT = {name: Signal(name=name, value=0.0, contribution=0.0) for name in signals.SIGNALS}


class Reasons:
    """`needed` is the score of a match."""

    def __init__(self, weighing: Weighing, needed: float) -> None:
        self._weighing, self._needed, self._table = weighing, needed, weighing.table
        self._clear: dict[tuple[int, str], dict[str, float]] = {}

    def give(self, found: Decision, one: Judged, case: Case) -> None:
        """Give the decision its reasons."""
        event, reading = self._table.events[one.at], case.reading
        regime = self._weighing.regime(one.at, case.lang, reading.has_body)
        said = self._notes(one, case, regime)
        more: Mapping[str, float] = {}
        if not found.matched:
            found.gap = round(self._needed - one.score, 4)
            more = room(one.contributions, self._clearly(one.at, regime))
        values, given = one.values, found.signals
        for name, part in one.contributions.items():
            value = values[name]
            if value or name in said or name in more:
                reason = Signal(name=name, value=round(value, 4), contribution=part)
                # What is left out is not written either.
                if name in said:
                    reason.note = said[name]
                if name in more:
                    reason.room = more[name]
                given.append(reason)
            else:
                given.append(_SILENT[name])
        found.sentence = self._sentence(one, case)
        found.shared = _shared(reading, event.all_names)

    def _notes(self, one: Judged, case: Case, regime: str) -> dict[str, str]:
        # What counts nothing in this regime is no reason.
        silent = [name for name in RIVALRY if one.values[name] and not one.contributions[name]]
        heard = one.values | dict.fromkeys(silent, 0.0) if silent else one.values
        said = notes(
            heard, one.at, self._table, case.reading, case.said, case.spoken, case.day, regime
        )
        if one.contributions["outdone"] and one.outdone_by is not None:
            better = self._table.events[one.outdone_by].definition.title
            said["outdone"] = f"“{better}”, a related event, fits better"
        if "examples" in said and regime != "unread":
            said["examples"] = f"close to the example “{self._nearest(one.at, case)}”"
        return said

    def _clearly(self, number: int, regime: str) -> dict[str, float]:
        key = number, regime
        if key not in self._clear:
            weights = self._weighing.weights(regime)
            self._clear[key] = clearly(self._table.events[number], weights)
        return self._clear[key]

    def _nearest(self, number: int, case: Case) -> str:
        """How the nearest example begins."""
        about = [one for one in self._table.events[number].definition.examples if one.about]
        nearest = about[case.near.cosines.nearest_example(number)]
        return " ".join((nearest.title or nearest.text).split())[:TITLE_CHARS]

    def _sentence(self, one: Judged, case: Case) -> str:
        """The sentence without which the event would be least likely; empty when none matters."""
        reading = case.reading
        if not reading.has_body:
            return reading.title.strip()
        best, lowest = "", one.score
        for number, score in self._shorter(one, case):
            if score < lowest:
                best, lowest = reading.sentences[number].text, score
        return best

    def _shorter(self, one: Judged, case: Case) -> Iterator[tuple[int, float]]:
        """Sentences, and the score without each."""
        reading = case.reading
        numbers: Sequence[int] = ()
        rivals: Sequence[int] | None = None
        if case.reread:
            numbers = range(min(len(reading.sentences), REREAD))
        elif len(reading.sentences) == 1:  # without which it has another regime
            numbers = (0,)
        elif one.outdone_by is not None:
            # Other rivals could only take more from what is left.
            numbers, rivals = self._telling(one.at, reading)[0], (one.outdone_by,)
        if numbers:
            for number in numbers:
                rest = case.without(number, self._table)
                yield number, self._weighing.score(one.at, rest, rivals).score
            return
        yield from self._reworded(one, case)

    def _reworded(self, one: Judged, case: Case) -> Iterator[tuple[int, float]]:
        """The same where only what is read in the words can change: the signals that a sentence
        can change are measured again, the others stay."""
        event, reading = self._table.events[one.at], case.reading
        regime = self._weighing.regime(one.at, case.lang, reading.has_body)
        weights = self._weighing.weights(regime)
        wanted = signals.changeable(event, reading, case.said, case.day, weights)
        if not wanted:
            return
        named = max((m.sentence for m in reading.mentions if m.name in event.around), default=-1)
        dated = {at for at, _ in reading.days}
        plans: dict[tuple[bool, bool], tuple[frozenset[str], list[float]]] = {}
        telling, lacking = self._telling(one.at, reading)
        weight = weights.get("words", 0.0)
        words, least = [weight * share for share in lacking.words], weight * one.values["words"]
        whole = least
        for number in telling:
            key = number > named, number in dated
            if key not in plans:
                changes = wanted if key[0] is False else wanted - signals.ABOUT_NAMES
                changes = changes if key[1] else changes - {"days"}
                changes |= {"words"}
                same = [p for name, p in one.contributions.items() if p and name not in changes]
                plans[key] = changes - {"words"}, same
            changes, same = plans[key]
            part = words[number] if number < len(words) else whole
            if not changes:
                if part >= least:
                    continue  # it is as likely without this sentence
                least = part
            parts = [*same, round(part, 4)]
            if changes:
                rest = case.without(number, self._table)
                values = signals.reworded(
                    one.at, self._table, rest.reading, rest.said, rest.day, changes
                )
                parts += [round(weights[name] * values[name], 4) for name in changes]
            yield number, decision.total(one.base, parts)

    def _telling(self, number: int, reading: Reading) -> tuple[list[int], Lacking]:
        """The sentences with most of the event's names and words; and what its words are without
        each of the first."""
        event = self._table.events[number]
        ranks = reading.ranks[: bisect_right(reading.ranks, BEGINNING)]
        lacking = self._table.lexicon.lacking(number, reading.tokens, ranks, BEGINNING)
        named = dict[int, int]()
        for mention in reading.mentions:
            if mention.name in event.all_names:
                named[mention.sentence] = named.get(mention.sentence, 0) + 1
        hits = [
            named.get(at, 0) + 0.1 * within - 0.05 * rank
            for at, (within, rank) in enumerate(
                zip_longest(lacking.within, reading.ranks, fillvalue=0)
            )
        ]
        return sorted(range(len(hits)), key=hits.__getitem__, reverse=True)[:CANDIDATES], lacking


def _shared(reading: Reading, names: frozenset[int]) -> list[str]:
    found: dict[str, None] = {}
    for mention in reading.mentions:
        if mention.name in names:
            found.setdefault(mention.text)
    return list(found)[:MAX_SHARED]
