"""An article as matching sees it: who is named where, which words, which days."""

from __future__ import annotations

import math
import re
from collections import Counter
from datetime import date
from typing import NamedTuple

from processors.match import crowd
from processors.match.naming import UNCONFIRMED, Gazetteer, folded_words
from processors.text.numbers import MONTHS, mentioned_dates
from processors.text.sentences import Span, headline, sentence_spans
from processors.text.words import MAX_TERM, STOP, plain, terms

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


# Only beside these or the name of a month a number is a day.
_MONTHS = frozenset(MONTHS)
_NUMERIC_DAY = re.compile(r"\d[-/.年月]")
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
    named = folded_words(title[:MAX_READ])
    mentions = [
        Mention(hit.name, -1, title[hit.start : hit.end], hit.partial)
        for hit in gazetteer.find(title[:MAX_READ], headline=True, folded=named)
    ]
    numeric = _NUMERIC_DAY.search(text) is not None
    days: list[tuple[int, date]] = []
    words: list[frozenset[str]] = []
    for number, span in enumerate(spans):
        sentence = span.text
        bare = sentence if sentence.isascii() else plain(sentence)
        folded = folded_words(bare)
        for hit in gazetteer.find(sentence, folded=folded):
            said = sentence[hit.start : hit.end]
            mentions.append(Mention(hit.name, number, said, hit.partial))
        if (not _MONTHS.isdisjoint(folded) and _dated(folded)) or (
            numeric and _NUMERIC_DAY.search(sentence)
        ):
            days += [(number, found.day) for found in mentioned_dates(sentence, published)]
        # One more than the beginning: it moves up when a sentence before it is taken out.
        words.append(_terms(bare, folded) if ranks[number] <= BEGINNING else _NO_WORDS)
    words.append(_headline_terms(title[:MAX_READ], named))
    return Reading(title, spans, ranks, mentions, words, days, bool(spans))


def _headline_terms(title: str, folded: list[str]) -> frozenset[str]:
    bare = headline(title)
    return _terms(title, folded) if bare == title else frozenset(terms(bare))


def _dated(folded: list[str]) -> bool:
    """Does a number stand beside a month? ("3 May", "3rd of May", "May 3")"""
    return any(
        word in _MONTHS and any(one[:1].isdigit() for one in folded[max(0, at - 2) : at + 2])
        for at, word in enumerate(folded)
    )


def _terms(text: str, folded: list[str]) -> frozenset[str]:
    """What `terms` finds. In most sentences that is what names are looked for in as well."""
    if not text.isascii():
        return frozenset(terms(text))
    longest = max(map(len, folded), default=0)
    found = frozenset(folded).difference(STOP)
    return found if longest <= MAX_TERM else frozenset(w for w in found if len(w) <= MAX_TERM)
