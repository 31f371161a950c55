"""An article as matching sees it: who is named where, which words, which days."""

from __future__ import annotations

import math
import re
from collections import Counter
from datetime import date
from typing import NamedTuple

from processors.match import crowd
from processors.match.naming import UNCONFIRMED, Gazetteer
from processors.text import Span, mentioned_dates, sentence_spans, terms

# A piece that comes to an event only after 8,000 characters is not about it.
MAX_READ = 8_000
# Credits and datelines ("Photo: Agency") do not count as sentences of the opening.
MIN_WORDS = 5
# How much a mention says about what the piece is about, by its place: the headline, then the
# sentences as news writing orders them. A name is salient with 1 - product(1 - weight).
TITLE = 0.6
BY_SENTENCE = (0.5, 0.35, 0.35, 0.15, 0.15, 0.15, 0.15)
REST = 0.08
# The same for what a piece opens on.
OPENING = (0.6, 0.4, 0.25)
# Sentences that count as the beginning, for words.
BEGINNING = 6


_DIGIT = re.compile(r"\d")
_NO_WORDS: frozenset[str] = frozenset()


class Mention(NamedTuple):
    name: int
    sentence: int  # -1 = the title
    text: str  # verbatim
    partial: bool


class Reading(NamedTuple):
    """`places[i]` is the rank of sentence i among the real sentences (credits share a rank)."""

    title: str
    sentences: list[Span]
    ranks: list[int]
    mentions: list[Mention]
    words: list[frozenset[str]]  # by sentence, of the beginning; the last entry is the title's
    days: list[tuple[int, date]]  # (sentence, day)
    has_body: bool

    def without(self, index: int) -> Reading:
        """The same article with sentence `index` taken out."""
        ranks = self.ranks[:index] + self.ranks[index + 1 :]
        if index + 1 < len(self.ranks) and self.ranks[index + 1] != self.ranks[index]:
            ranks = self.ranks[:index] + [rank - 1 for rank in self.ranks[index + 1 :]]
        return self._replace(
            sentences=self.sentences[:index] + self.sentences[index + 1 :],
            ranks=ranks,
            mentions=[
                m if m.sentence < index else Mention(m.name, m.sentence - 1, m.text, m.partial)
                for m in self.mentions
                if m.sentence != index
            ],
            words=self.words[:index] + self.words[index + 1 :],
            days=[(at - (at > index), day) for at, day in self.days if at != index],
            has_body=len(self.sentences) > 1,
        )

    def salience(self) -> tuple[dict[int, float], dict[int, float]]:
        """(anywhere, in the opening) for every name that occurs there."""
        confirmed = {m.name for m in self.mentions if not m.partial}
        anywhere: dict[int, float] = {}
        opening: dict[int, float] = {}
        for name, sentence, _, _partial in self.mentions:
            share = 1.0 if name in confirmed else UNCONFIRMED
            rank = -1 if sentence < 0 else self.ranks[sentence]
            weight = TITLE if rank < 0 else BY_SENTENCE[rank] if rank < len(BY_SENTENCE) else REST
            anywhere[name] = anywhere.get(name, 0.0) + math.log1p(-weight * share)
            if rank < len(OPENING):
                weight = OPENING[max(0, rank)]
                opening[name] = opening.get(name, 0.0) + math.log1p(-weight * share)
        return (
            {name: 1 - math.exp(value) for name, value in anywhere.items()},
            {name: 1 - math.exp(value) for name, value in opening.items()},
        )

    def beginning(self) -> frozenset[str]:
        """Words of the title and the first sentences."""
        return frozenset().union(*self.first_sentences())

    def counts(self) -> Counter[str]:
        """How many sentences of the beginning have each word; the title counts twice."""
        title, *beginning = self.first_sentences()
        return crowd.counts(title, beginning)

    def first_sentences(self) -> list[frozenset[str]]:
        """Words of the title, then of each of the first sentences."""
        own = [w for w, rank in zip(self.words, self.ranks, strict=False) if rank < BEGINNING]
        return [self.words[-1], *own]


def read(title: str, text: str, gazetteer: Gazetteer, published: date | None) -> Reading:
    """Linear in the length of the text, of which at most `MAX_READ` characters are read."""
    text = text[:MAX_READ]
    spans = sentence_spans(text)
    ranks: list[int] = []
    rank = 0
    for span in spans:
        ranks.append(rank)
        rank += span.text.count(" ") + 1 >= MIN_WORDS or not span.text.isascii()
    mentions = [
        Mention(hit.name, -1, title[hit.start : hit.end], hit.partial)
        for hit in gazetteer.find(title[:MAX_READ], headline=True)
    ]
    for number, span in enumerate(spans):
        mentions += [
            Mention(hit.name, number, span.text[hit.start : hit.end], hit.partial)
            for hit in gazetteer.find(span.text)
        ]
    days = []
    for number, span in enumerate(spans):
        if _DIGIT.search(span.text):
            days += [(number, found.day) for found in mentioned_dates(span.text, published)]
    words = [
        # One more than the beginning: it moves up when a sentence before it is taken out.
        frozenset(terms(span.text)) if rank <= BEGINNING else _NO_WORDS
        for span, rank in zip(spans, ranks, strict=True)
    ]
    words.append(frozenset(terms(title[:MAX_READ])))
    return Reading(title, spans, ranks, mentions, words, days, bool(spans))
