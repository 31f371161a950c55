"""Articles against all events: decisions with their reasons."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date
from typing import TypeAlias

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from processors.match import decision, signals
from processors.match.bounds import Bounds
from processors.match.case import Case, Judged
from processors.match.decision import Decider
from processors.match.events import EventTable
from processors.match.reading import read
from processors.match.reasons import REREAD, Reasons
from processors.match.settings import MatchSettings
from processors.match.signals import Said
from processors.match.weighing import Weighing
from stream.records import Article, Decision

# With more events than this only those with any sign of life are looked at closely.
ALL_UP_TO = 24
NEAREST = 16
# Articles in one product with the vectors of all events, which then takes a tenth of the time for
# each; as many as a stage is given at once.
TOGETHER = 64


Vector: TypeAlias = NDArray[np.float32]
# Titles and texts to their vectors.
Encode: TypeAlias = Callable[[Sequence[tuple[str, str]]], Sequence[Vector]]


class Judge:
    """Decides about articles. A pure function of the article, its vector and the event table."""

    def __init__(self, table: EventTable, decider: Decider, settings: MatchSettings) -> None:
        self.table = table
        self._decider = decider
        self._settings = settings
        self._weighing = Weighing(table, decider, settings.language)
        self._bounds = Bounds(table, decider, self._weighing.regime)
        self._reasons = Reasons(self._weighing, decision.logit(settings.threshold))

    def kept(self, article: Article, vector: Vector) -> list[Decision]:
        """The decisions worth storing: yes, likely enough, or the best rival of such a one."""
        return self.kept_all([(article, vector)])[0]

    def kept_all(self, articles: Sequence[tuple[Article, Vector]]) -> list[list[Decision]]:
        """The same of each: what one is about does not depend on those beside it."""
        if not self.table.events:
            return [[] for _ in articles]
        whole = self._settings.keep == 0.0 or len(self.table.events) <= ALL_UP_TO
        found = []
        for start in range(0, len(articles), TOGETHER):
            # One step after the other for all: what a step needs stays in the processor's caches.
            cases = self._read(articles[start : start + TOGETHER])
            ranked = [self._judged(case, self._settings.keep) for case in cases]
            for case, judged in zip(cases, ranked, strict=True):
                chosen = self._chosen(judged, self._settings.keep)
                found.append([self._decision(one, judged, case, whole=whole) for one in chosen])
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
        (case,) = self._read([(article, vector)])
        judged = _ranked(
            [self._weighing.score(number, case) for number in self._looked_at(case, floor)]
        )
        explained = {one.at for one in self._chosen(judged, floor)}
        if encode is not None:
            self._reread(article, case, encode)
        whole = len(judged) == len(self.table.events)
        return [
            self._decision(one, judged, case, whole=whole, full=one.at in explained)
            for one in judged
        ]

    def _read(self, articles: Sequence[tuple[Article, Vector]]) -> list[Case]:
        vectors = np.stack([vector for _, vector in articles])
        near = signals.near(vectors, self.table, self._decider.file.background)
        found = []
        for (article, _), close in zip(articles, near, strict=True):
            day = published_day(article)
            reading = read(article.title, article.text, self.table, day)
            lang = self._weighing.language(article.lang)
            said = Said(reading, self.table, foreign=self._weighing.given_in_others(lang))
            found.append(Case(reading, said, close, day, lang))
        return found

    def _reread(self, article: Article, case: Case, encode: Encode) -> None:
        """Read the article again without each of its sentences, as the encoder sees it then."""
        spans = case.reading.sentences[:REREAD]
        cut = [
            article.text[: one.start] + article.text[one.start + len(one.text) :] for one in spans
        ]
        vectors = encode([(article.title, text) for text in cut])
        texts = [structs.replace(article, text=text) for text in cut]
        case.read_again(self._read(list(zip(texts, vectors, strict=True))) if texts else [])

    def _looked_at(self, case: Case, floor: float) -> Sequence[int]:
        """With a floor, of many events the nearest and those that it names anything of."""
        count = len(self.table.events)
        if floor == 0.0 or count <= ALL_UP_TO:
            return range(count)
        nearest = case.near.cosines.nearest(NEAREST)
        if not case.said.anywhere:
            return nearest
        return list(set(nearest).union(*[self.table.holders[name] for name in case.said.anywhere]))

    def _judged(self, case: Case, floor: float) -> list[Judged]:
        """The events that may reach the floor, and where one does, the best two; the most probable
        first. Others may be among them."""
        numbers = self._looked_at(case, floor)
        if floor == 0.0:
            return _ranked([self._weighing.score(number, case) for number in numbers])
        least = decision.logit(floor) if floor < 1 else math.inf
        bounds = self._bounds.of(numbers, case)
        if max(bounds) < least:
            return []
        case.most = dict(zip(numbers, bounds, strict=True))
        found: list[Judged] = []
        enough = least
        for bound, number in sorted(zip(bounds, numbers, strict=True), reverse=True):
            if bound < enough:
                scores = sorted([one.score for one in found], reverse=True)[:2]
                if not scores or scores[0] < least:
                    break
                # One that is kept has its best rival beside it, however unlikely.
                if len(scores) == 2:
                    enough = scores[1]
                    if bound < enough:
                        break
            found.append(self._weighing.score(number, case))
        return _ranked(found)

    @staticmethod
    def _chosen(judged: Sequence[Judged], floor: float) -> list[Judged]:
        """Those that deserve their reasons: that reach the floor, and the first two where one
        does."""
        reached = [decision.probability(one.score) >= floor for one in judged]
        if not any(reached):
            return []
        return [one for n, one in enumerate(judged) if n < 2 or reached[n]]

    def _decision(
        self,
        one: Judged,
        judged: Sequence[Judged],
        case: Case,
        *,
        whole: bool,
        full: bool = True,
    ) -> Decision:
        """With its reasons, or without them. `whole`: every event was looked at."""
        event = self.table.events[one.at]
        rival = next((other for other in judged[:2] if other.at != one.at), None)
        chance = decision.probability(one.score)
        other = decision.probability(rival.score) if rival else None
        if other is not None and not whole and other < self._settings.keep:
            # Of events that were not looked at only this is known: they are less likely.
            rival = other = None
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
            self._reasons.give(found, one, case)
        return found


def _ranked(judged: list[Judged]) -> list[Judged]:
    return sorted(judged, key=lambda one: (-one.score, one.at))


def published_day(article: Article) -> date | None:
    """The day of publication, when the article itself says it. Never today's."""
    if article.published is None or article.published_from == "none":
        return None
    return article.published.date()


def vector_of(raw: bytes) -> Vector:
    return np.frombuffer(raw, "<f2").astype(np.float32)
