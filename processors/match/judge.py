"""One article against all events: decisions with their reasons."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from processors.match import decision, signals
from processors.match.bounds import Bounds
from processors.match.decision import Decider
from processors.match.events import Event, EventTable
from processors.match.reading import Reading, read
from processors.match.room import clearly, room
from processors.match.settings import MatchSettings
from processors.match.signals import Near, Said
from processors.match.words import Wordings, notes, wordings
from stream.records import Article, Decision, Definition, Signal

# Sentences tried as the one that speaks most for the event; each costs about 30 µs.
CANDIDATES = 6
# With an encoder at hand: one batch of it.
REREAD = 32
# Signals about names that tell related events apart.
RIVALRY = ("own", "opening", "people")
# Of an example's title, to know it by.
TITLE_CHARS = 60
# With more events than this only those with any sign of life are looked at closely.
ALL_UP_TO = 24
NEAREST = 16
# Articles in one product with the vectors of all events, which then takes a tenth of the time for
# each; as many as a stage is given at once.
TOGETHER = 64
# Undetermined, as ISO 639 has it.
UNKNOWN = "und"
# Names reported with a decision; more are not read.
MAX_SHARED = 12


Vector: TypeAlias = NDArray[np.float32]
# Titles and texts to their vectors.
Encode: TypeAlias = Callable[[Sequence[tuple[str, str]]], Sequence[Vector]]


# Signals that say nothing: most of them, of most decisions.
_SILENT = {name: Signal(name=name, value=0.0, contribution=0.0) for name in signals.SIGNALS}


class _Judged(NamedTuple):
    at: int  # number of the event in the table
    base: float
    values: dict[str, float]
    contributions: dict[str, float]
    score: float
    outdone_by: int | None = None  # a related event that fits better


class _Read:
    """An article as it is judged."""

    def __init__(
        self, reading: Reading, said: Said, near: Near, day: date | None, lang: str | None
    ) -> None:
        self.reading, self.said, self.near, self.day, self.lang = reading, said, near, day, lang
        self.shorter: dict[int, _Read] = {}  # without that sentence; filled when asked for
        self.alone: dict[int, _Judged] = {}  # events as if they had no rival; the same
        self.most: dict[int, float] = {}  # what an event can score, where that is known
        self.reread = False  # whether those were encoded again

    @cached_property
    def spoken(self) -> Wordings:
        return wordings(self.reading)


class Judge:
    """Decides about articles. A pure function of the article, its vector and the event table."""

    def __init__(self, table: EventTable, decider: Decider, settings: MatchSettings) -> None:
        self.table = table
        self._decider = decider
        self._settings = settings
        self._languages = [written_in(one.definition, settings.language) for one in table.events]
        self._known = frozenset(decider.file.reads).union(*self._languages)
        self._bounds = Bounds(table, decider, self._regime)
        self._regimes: dict[tuple[str | None, bool, bool, bool], str] = {}
        self._weights = {name: decider.weights(name) for name in decider.file.regimes}
        self._clear: dict[tuple[int, str], dict[str, float]] = {}
        self._foreign: dict[str, NDArray[np.bool_]] = {}

    def kept(self, article: Article, vector: Vector) -> list[Decision]:
        """The decisions worth storing: yes, likely enough, or the best rival of such a one."""
        return self.kept_all([(article, vector)])[0]

    def kept_all(self, articles: Sequence[tuple[Article, Vector]]) -> list[list[Decision]]:
        """The same of each: what one is about does not depend on those beside it."""
        if not self.table.events:
            return [[] for _ in articles]
        keep = self._settings.keep
        whole = keep == 0.0 or len(self.table.events) <= ALL_UP_TO
        found = []
        for start in range(0, len(articles), TOGETHER):
            for read_ in self._read(articles[start : start + TOGETHER]):
                judged, wanted = self._judged(read_, keep, briefly=True)
                chosen = [one for one in judged if wanted(one)]
                found.append([self._decision(one, judged, read_, whole=whole) for one in chosen])
        return found

    def all(
        self,
        article: Article,
        vector: Vector,
        *,
        floor: float = 0.0,
        encode: Encode | None = None,
    ) -> list[Decision]:
        """Decisions about every event, the most probable first. With a `floor`, only about events
        with any sign of life, and those below it that are not the best rival without signals.

        With `encode`, the sentence that speaks most is found by judging the article again without
        each of its sentences; otherwise the vector is taken as given."""
        if not self.table.events:
            return []
        (read_,) = self._read([(article, vector)])
        judged, wanted = self._judged(read_, floor)
        if encode is not None:
            self._reread(article, read_, encode)
        whole = len(judged) == len(self.table.events)
        return [self._decision(one, judged, read_, whole=whole, full=wanted(one)) for one in judged]

    def _read(self, articles: Sequence[tuple[Article, Vector]]) -> list[_Read]:
        vectors = np.stack([vector for _, vector in articles])
        near = signals.near(vectors, self.table, self._decider.file.background)
        found = []
        for (article, _), close in zip(articles, near, strict=True):
            day = published_day(article)
            reading = read(article.title, article.text, self.table.gazetteer, day)
            # All languages that nobody reads or writes here are one.
            lang = article.lang if not article.lang or article.lang in self._known else UNKNOWN
            said = Said(reading, self.table, foreign=self._given_in_others(lang))
            found.append(_Read(reading, said, close, day, lang))
        return found

    def _regime(self, number: int, lang: str | None, has_body: bool) -> str:
        listed = self.table.events[number].listed
        foreign = bool(lang) and lang not in self._languages[number]
        key = lang, has_body, listed, foreign
        if key not in self._regimes:
            self._regimes[key] = self._decider.regime(
                lang,
                has_body=has_body,
                listed=listed,
                crowded=self.table.crowd is not None,
                foreign=foreign,
            )
        return self._regimes[key]

    def _given_in_others(self, lang: str | None) -> NDArray[np.bool_] | None:
        """The events that are given in other languages than this, when it is known."""
        if not lang:
            return None
        if lang not in self._foreign:
            self._foreign[lang] = np.array([lang not in own for own in self._languages])
        return self._foreign[lang]

    def _reread(self, article: Article, read_: _Read, encode: Encode) -> None:
        """Read the article again without each of its sentences, as the encoder sees it then."""
        spans = read_.reading.sentences[:REREAD]
        cut = [
            article.text[: one.start] + article.text[one.start + len(one.text) :] for one in spans
        ]
        vectors = encode([(article.title, text) for text in cut])
        texts = [structs.replace(article, text=text) for text in cut]
        if texts:
            again = self._read(list(zip(texts, vectors, strict=True)))
            read_.shorter = dict(enumerate(again))
        read_.reread = True

    def _judged(
        self, article: _Read, floor: float, *, briefly: bool = False
    ) -> tuple[list[_Judged], Callable[[_Judged], bool]]:
        """All that was looked at, the most probable first, and which deserve their reasons: those
        that reach the floor, and the first two where one does. Briefly: only these are judged
        for certain."""
        count = len(self.table.events)
        if floor == 0.0 or count <= ALL_UP_TO:
            numbers = list(range(count))
        else:
            numbers = sorted(self._plausible(article))
        if briefly and floor > 0.0:
            found = self._likely(numbers, article, decision.logit(floor) if floor < 1 else math.inf)
        else:
            found = [self._score(number, article) for number in numbers]
        found.sort(key=lambda one: (-one.score, one.at))
        some = any(decision.probability(one.score) >= floor for one in found)
        first = {one.at for one in found[:2]} if some else set[int]()
        return found, lambda one: one.at in first or decision.probability(one.score) >= floor

    def _likely(self, numbers: Sequence[int], article: _Read, floor: float) -> list[_Judged]:
        """Of these events all that may score so much, and when one does the best two."""
        bounds = self._bound(numbers, article, floor)
        article.most = dict(zip(numbers, bounds, strict=True))
        ranked = sorted(zip(bounds, numbers, strict=True), reverse=True)
        found: list[_Judged] = []
        enough = floor
        for bound, number in ranked:
            if bound < enough:
                scores = sorted([one.score for one in found], reverse=True)[:2]
                if not scores or scores[0] < floor:
                    break
                # One that is kept has its best rival beside it, however unlikely.
                if len(scores) == 2:
                    enough = scores[1]
                    if bound < enough:
                        break
            found.append(self._score(number, article))
        return found

    def _bound(self, numbers: Sequence[int], article: _Read, floor: float) -> list[float]:
        return self._bounds.of(
            numbers,
            article.near,
            article.said,
            article.day,
            floor,
            lang=article.lang,
            has_body=article.reading.has_body,
            dated=bool(article.reading.days),
        )

    def _score(self, number: int, article: _Read, rivals: Sequence[int] | None = None) -> _Judged:
        """With what related events take from it; only `rivals` of them, where these are given."""
        one, event = self._alone(number, article), self.table.events[number]
        if not event.listed:
            return one
        rivals = event.related if rivals is None else rivals
        likely = [n for n in rivals if article.most.get(n, math.inf) > one.score]
        ahead = [it for n in likely if (it := self._alone(n, article)).score > one.score]
        if not ahead:
            return one
        best = max(ahead, key=lambda other: (other.score, -other.at))
        by = round(min(signals.MOST_OUTDONE, best.score - one.score), 4)
        values = one.values | {"outdone": by}
        regime = self._regime(number, article.lang, article.reading.has_body)
        parts = decision.contributions(self._weights[regime], values)
        score = decision.total(one.base, parts.values())
        return _Judged(number, one.base, values, parts, score, best.at)

    def _alone(self, number: int, article: _Read) -> _Judged:
        known = article.alone.get(number)
        if known is None:
            known = article.alone[number] = self._weighed(number, article)
        return known

    def _weighed(self, number: int, article: _Read) -> _Judged:
        event = self.table.events[number]
        regime = self._regime(number, article.lang, article.reading.has_body)
        values = signals.dense(number, self.table, article.near)
        values |= signals.lexical(number, self.table, article.reading, article.said, article.day)
        if regime == "unread":
            values |= dict.fromkeys(signals.UNREADABLE, 0.0)
        base = self._decider.base(regime, event.kind)
        parts = decision.contributions(self._weights[regime], values)
        return _Judged(number, base, values, parts, decision.total(base, parts.values()))

    def _plausible(self, article: _Read) -> set[int]:
        """The nearest events, and those that it names anything of."""
        found = set(article.near.cosines.nearest(NEAREST))
        return found.union(*(self.table.holders[name] for name in article.said.anywhere))

    def _decision(
        self,
        one: _Judged,
        judged: Sequence[_Judged],
        article: _Read,
        *,
        whole: bool,
        full: bool = True,
    ) -> Decision:
        """With its reasons, or without them. `whole`: every event was looked at."""
        event = self.table.events[one.at]
        rival = next((other for other in judged[:2] if other.at != one.at), None)
        if rival and not whole:
            # Of events that were not looked at only this is known: they are less likely.
            rival = rival if decision.probability(rival.score) >= self._settings.keep else None
        chance = decision.probability(one.score)
        other = decision.probability(rival.score) if rival else None
        found = Decision(
            event_id=event.definition.id,
            version=event.definition.version,
            probability=chance,
            matched=chance >= self._settings.threshold,
            score=one.score,
            base=one.base,
            signals=[],
            decider=self._decider.fingerprint,
            model=self.table.model,
            rival=self.table.events[rival.at].definition.id if rival else None,
            rival_probability=other,
            margin=round(chance - other, 6) if other is not None else None,
            calibrated=self._decider.calibrated,
        )
        if full:
            self._explain(found, one, article)
        return found

    def _explain(self, found: Decision, one: _Judged, article: _Read) -> None:
        """Give the decision its reasons."""
        event, reading = self.table.events[one.at], article.reading
        regime = self._regime(one.at, article.lang, reading.has_body)
        # What counts nothing in this regime is no reason.
        silent = [name for name in RIVALRY if one.values[name] and not one.contributions[name]]
        heard = one.values | dict.fromkeys(silent, 0.0) if silent else one.values
        said = notes(
            heard, one.at, self.table, reading, article.said, article.spoken, article.day, regime
        )
        if one.contributions["outdone"] and one.outdone_by is not None:
            better = self.table.events[one.outdone_by].definition.title
            said["outdone"] = f"“{better}”, a related event, fits better"
        if "examples" in said and regime != "unread":
            said["examples"] = f"close to the example “{self._nearest(one.at, article)}”"
        more: Mapping[str, float] = {}
        if not found.matched:
            found.gap = round(decision.logit(self._settings.threshold) - one.score, 4)
            more = room(one.contributions, self._clearly(one.at, regime))
        for name, part in one.contributions.items():
            if (value := one.values[name]) or name in said or name in more:
                reason = Signal(name=name, value=round(value, 4), contribution=part)
                # What is left out is not written either.
                if name in said:
                    reason.note = said[name]
                if name in more:
                    reason.room = more[name]
                found.signals.append(reason)
            else:
                found.signals.append(_SILENT[name])
        found.sentence = self._sentence(one, article)
        found.shared = _shared(reading, event.all_names)

    def _clearly(self, number: int, regime: str) -> dict[str, float]:
        key = number, regime
        if key not in self._clear:
            self._clear[key] = clearly(self.table.events[number], self._weights[regime])
        return self._clear[key]

    def _nearest(self, number: int, article: _Read) -> str:
        """How the nearest example begins."""
        about = [one for one in self.table.events[number].definition.examples if one.about]
        nearest = about[article.near.cosines.nearest_example(number)]
        return " ".join((nearest.title or nearest.text).split())[:TITLE_CHARS]

    def _sentence(self, one: _Judged, article: _Read) -> str:
        """The sentence without which the event would be least likely; empty when none matters."""
        reading = article.reading
        if not reading.has_body:
            return reading.title.strip()
        best, lowest = "", one.score
        for number, score in self._shorter(one, article):
            if score < lowest:
                best, lowest = reading.sentences[number].text, score
        return best

    def _shorter(self, one: _Judged, article: _Read) -> Iterator[tuple[int, float]]:
        """Sentences, and the score without each."""
        event, reading = self.table.events[one.at], article.reading
        numbers: Sequence[int] = ()
        rivals: Sequence[int] | None = None
        if article.reread:
            numbers = range(min(len(reading.sentences), REREAD))
        elif len(reading.sentences) == 1:  # without which it has another regime
            numbers = (0,)
        elif one.outdone_by is not None:
            # Other rivals could only take more from what is left.
            numbers, rivals = self._telling(event, reading), (one.outdone_by,)
        if numbers:
            for number in numbers:
                yield number, self._score(one.at, self._without(number, article), rivals).score
            return
        weights = self._weights[self._regime(one.at, article.lang, reading.has_body)]
        wanted = signals.changeable(event, reading, article.said, article.day, weights)
        same = [part for name, part in one.contributions.items() if part and name not in wanted]
        for number in self._telling(event, reading) if wanted else ():
            rest = self._without(number, article)
            values = signals.reworded(one.at, self.table, rest.reading, rest.said, rest.day, wanted)
            changed = [round(weights[name] * values[name], 4) for name in wanted if values[name]]
            yield number, decision.total(one.base, same + changed)

    def _telling(self, event: Event, reading: Reading) -> list[int]:
        """The sentences with most of the event's names and words."""
        hits = [0.0] * len(reading.sentences)
        for mention in reading.mentions:
            if mention.sentence >= 0 and mention.name in event.all_names:
                hits[mention.sentence] += 1.0
        for number, (words, rank) in enumerate(zip(reading.words, reading.ranks, strict=False)):
            if words:
                hits[number] += 0.1 * len(words & event.words)
            hits[number] -= 0.05 * rank
        return sorted(range(len(hits)), key=lambda i: (-hits[i], i))[:CANDIDATES]

    def _without(self, number: int, article: _Read) -> _Read:
        """The article without a sentence. Unless it was encoded again the vector is taken as
        given: only what is read in the words can change."""
        if number not in article.shorter:
            rest = article.reading.without(number)
            said = Said(rest, self.table, article.said)
            article.shorter[number] = _Read(rest, said, article.near, article.day, article.lang)
        return article.shorter[number]


def written_in(definition: Definition, otherwise: str) -> frozenset[str]:
    """The languages that a definition is given in."""
    found = {one.lang for one in definition.examples if one.about and one.lang}
    return frozenset(found | {otherwise} if definition.description or not found else found)


def published_day(article: Article) -> date | None:
    """The day of publication, when the article itself says it. Never today's."""
    if article.published is None or article.published_from == "none":
        return None
    return article.published.date()


def vector_of(raw: bytes) -> Vector:
    return np.frombuffer(raw, "<f2").astype(np.float32)


def _shared(reading: Reading, names: frozenset[int]) -> list[str]:
    found: dict[str, None] = {}
    for mention in reading.mentions:
        if mention.name in names:
            found.setdefault(mention.text)
    return list(found)[:MAX_SHARED]
