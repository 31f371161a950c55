"""One article against all events: decisions with their reasons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple, TypeAlias

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from processors.match import decision, signals
from processors.match.decision import Decider
from processors.match.events import Event, EventTable
from processors.match.reading import Reading, read
from processors.match.room import room
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
# Names reported with a decision; more are not read.
MAX_SHARED = 12


Vector: TypeAlias = NDArray[np.float32]
# Titles and texts to their vectors.
Encode: TypeAlias = Callable[[Sequence[tuple[str, str]]], Sequence[Vector]]


class _Judged(NamedTuple):
    at: int  # number of the event in the table
    base: float
    values: dict[str, float]
    contributions: dict[str, float]
    score: float


class _Read(NamedTuple):
    """An article as it is judged."""

    reading: Reading
    said: Said
    vector: Vector
    near: Near
    day: date | None
    lang: str | None
    # By whether the event lists its people or places, and is given in another language.
    regimes: dict[tuple[bool, bool], str]
    spoken: Wordings
    shorter: dict[int, _Read]  # without that sentence; filled when asked for
    reread: bool = False  # whether those were encoded again


class Judge:
    """Decides about articles. A pure function of the article, its vector and the event table."""

    def __init__(self, table: EventTable, decider: Decider, settings: MatchSettings) -> None:
        self.table = table
        self._decider = decider
        self._settings = settings
        self._languages = [written_in(one.definition, settings.language) for one in table.events]

    def kept(self, article: Article, vector: Vector) -> list[Decision]:
        """The decisions worth storing: yes, likely enough, or the best rival of such a one."""
        if not self.table.events:
            return []
        read_, judged, wanted = self._judge(article, vector, self._settings.keep)
        return [self._decision(one, judged, read_) for one in judged if one.at in wanted]

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
        read_, judged, wanted = self._judge(article, vector, floor)
        if encode is not None:
            read_ = self._reread(article, read_, encode)
        return [self._decision(one, judged, read_, full=one.at in wanted) for one in judged]

    def _judge(
        self, article: Article, vector: Vector, floor: float
    ) -> tuple[_Read, list[_Judged], set[int]]:
        """All that was looked at, the most probable first, and which deserve their reasons."""
        read_ = self._read(article, vector)
        judged = self._judged(read_, everything=floor == 0.0)
        wanted = {one.at for one in judged if decision.probability(one.score) >= floor}
        if wanted:
            wanted |= {one.at for one in judged[:2]}
        return read_, judged, wanted

    def _read(self, article: Article, vector: Vector) -> _Read:
        day = published_day(article)
        reading = read(article.title, article.text, self.table.gazetteer, day)
        return _Read(
            reading,
            signals.said(reading, self.table),
            vector,
            signals.near(vector, self.table, self._decider.file.background),
            day,
            article.lang,
            self._regimes(article.lang, reading),
            wordings(reading),
            {},
        )

    def _regimes(self, lang: str | None, reading: Reading) -> dict[tuple[bool, bool], str]:
        crowded, has_body = self.table.crowd is not None, reading.has_body
        return {
            (listed, foreign): self._decider.regime(
                lang, has_body=has_body, listed=listed, crowded=crowded, foreign=foreign
            )
            for listed in (False, True)
            for foreign in (False, True)
        }

    def _regime(self, number: int, article: _Read) -> str:
        foreign = bool(article.lang) and article.lang not in self._languages[number]
        return article.regimes[self.table.events[number].listed, foreign]

    def _reread(self, article: Article, read_: _Read, encode: Encode) -> _Read:
        """Read the article again without each of its sentences, as the encoder sees it then."""
        spans = read_.reading.sentences[:REREAD]
        cut = [
            article.text[: one.start] + article.text[one.start + len(one.text) :] for one in spans
        ]
        vectors = encode([(article.title, text) for text in cut])
        for number, (text, vector) in enumerate(zip(cut, vectors, strict=True)):
            read_.shorter[number] = self._read(structs.replace(article, text=text), vector)
        return read_._replace(reread=True)

    def _judged(self, article: _Read, *, everything: bool) -> list[_Judged]:
        count = len(self.table.events)
        numbers = (
            range(count) if everything or count <= ALL_UP_TO else sorted(self._plausible(article))
        )
        found = [self._score(number, article) for number in numbers]
        return sorted(found, key=lambda one: (-one.score, one.at))

    def _score(self, number: int, article: _Read) -> _Judged:
        event = self.table.events[number]
        regime = self._regime(number, article)
        values = signals.dense(number, self.table, article.near)
        values |= signals.lexical(number, self.table, article.reading, article.said, article.day)
        if regime == "unread":
            values |= dict.fromkeys(signals.UNREADABLE, 0.0)
        base = self._decider.base(regime, event.kind)
        parts = self._decider.contributions(regime, values)
        return _Judged(number, base, values, parts, decision.total(base, parts))

    def _plausible(self, article: _Read) -> set[int]:
        """The nearest events, and those that it names anything of."""
        found = set(article.near.cosines.nearest(NEAREST))
        return found.union(*(self.table.holders[name] for name in article.said.anywhere))

    def _decision(
        self, one: _Judged, judged: Sequence[_Judged], article: _Read, *, full: bool = True
    ) -> Decision:
        """With its reasons, or without them."""
        event = self.table.events[one.at]
        rival = next((other for other in judged[:2] if other.at != one.at), None)
        if rival and len(judged) < len(self.table.events):
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
            regime = self._regime(one.at, article)
            about = (event, self.table, article.reading, article.spoken, article.day, regime)
            # What counts nothing in this regime is no reason.
            silent = [name for name in RIVALRY if not one.contributions[name]]
            said = notes(one.values | dict.fromkeys(silent, 0.0), *about)
            if "examples" in said and regime != "unread":
                said["examples"] = f"close to the example “{self._nearest(event, article)}”"
            more = dict[str, float]()
            if not found.matched:
                found.gap = round(decision.logit(self._settings.threshold) - one.score, 4)
                more = room(one.values, one.contributions, event, self._decider, regime)
            found.signals = [
                Signal(
                    name=name,
                    value=round(value, 4) if (value := one.values[name]) else 0.0,
                    contribution=part,
                    note=said.get(name, ""),
                    room=more.get(name, 0.0),
                )
                for name, part in one.contributions.items()
            ]
            found.sentence = self._sentence(one, article)
            found.shared = _shared(article.reading, event.all_names)
        return found

    def _nearest(self, event: Event, article: _Read) -> str:
        """How the nearest example begins."""
        near = self.table.matrix[event.parts.positive] @ article.vector
        about = [one for one in event.definition.examples if one.about]
        nearest = about[int(np.argmax(np.round(near, 4)))]
        return " ".join((nearest.title or nearest.text).split())[:TITLE_CHARS]

    def _sentence(self, one: _Judged, article: _Read) -> str:
        """The sentence without which the event would be least likely; empty when none matters."""
        event, reading = self.table.events[one.at], article.reading
        if not reading.has_body:
            return reading.title.strip()
        best, lowest = "", one.score
        numbers = range(min(len(reading.sentences), REREAD)) if article.reread else None
        for number in numbers or self._telling(event, reading):
            score = self._score(one.at, self._without(number, article)).score
            if score < lowest:
                best, lowest = reading.sentences[number].text, score
        return best

    def _telling(self, event: Event, reading: Reading) -> list[int]:
        """The sentences with most of the event's names and words."""
        hits = [0.0] * len(reading.sentences)
        for mention in reading.mentions:
            if mention.sentence >= 0 and mention.name in event.all_names:
                hits[mention.sentence] += 1.0
        for number in range(len(hits)):
            hits[number] += 0.1 * len(reading.words[number] & event.words)
            hits[number] -= 0.05 * reading.ranks[number]
        return sorted(range(len(hits)), key=lambda i: (-hits[i], i))[:CANDIDATES]

    def _without(self, number: int, article: _Read) -> _Read:
        """The article without a sentence. Unless it was encoded again the vector is taken as
        given: only what is read in the words can change."""
        if number not in article.shorter:
            rest = article.reading.without(number)
            article.shorter[number] = article._replace(
                reading=rest,
                said=signals.said(rest, self.table),
                regimes=self._regimes(article.lang, rest),
            )
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
