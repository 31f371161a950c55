"""An article as matching sees it: who is named where, which words, which days."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter
from datetime import date
from typing import NamedTuple

from processors.match import crowd
from processors.match.events import EventTable
from processors.match.lexicon import Scanned
from processors.match.naming import UNCONFIRMED, folded_words
from processors.text.numbers import MONTHS, mentioned_dates
from processors.text.sentences import Span, headline, sentence_spans
from processors.text.words import MAX_TERM, STOP, plain, terms, words

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


_MONTHS = frozenset(MONTHS)
# Without the name of a month a day is written in numbers.
_NUMERIC_DAY = re.compile(r"\d[-/.年月]\s?\d")
_NO_WORDS: frozenset[str] = frozenset()


class Mention(NamedTuple):
    name: int
    sentence: int  # -1 = the title
    text: str  # verbatim
    partial: bool


class Reading:
    """`ranks[i]` is the rank of sentence i among the real sentences (credits share a rank)."""

    def __init__(
        self,
        title: str,
        sentences: list[Span],
        ranks: list[int],
        mentions: list[Mention],
        days: list[tuple[int, date]],
        words: list[frozenset[str]] | None = None,
        scanned: Scanned | None = None,
    ) -> None:
        self.title, self.sentences, self.ranks = title, sentences, ranks
        self.mentions = mentions
        self.days = days  # (sentence, day)
        self.has_body = bool(sentences)
        self.scanned = scanned  # None where it was not, or has letters that are not ASCII
        self._words = words
        self._all_words: frozenset[str] | None = None

    @property
    def words(self) -> list[frozenset[str]]:
        """By sentence, of the beginning; the last entry is the title's. Found when asked for: most
        articles are near no event."""
        if self._words is None:
            # One more than the beginning: it moves up when a sentence before it is taken out.
            self._words = [
                _terms(one.text) if rank <= BEGINNING else _NO_WORDS
                for one, rank in zip(self.sentences, self.ranks, strict=True)
            ]
            self._words.append(_terms(headline(self.title[:MAX_READ])))
        return self._words

    @property
    def all_words(self) -> frozenset[str]:
        """Of the title and all sentences whose words were read."""
        if self._all_words is None:
            self._all_words = frozenset().union(*self.words)
        return self._all_words

    def without(self, index: int) -> Reading:
        """The same article with sentence `index` taken out."""
        after = [rank - self._moved_up(index) for rank in self.ranks[index + 1 :]]
        return Reading(
            self.title,
            self.sentences[:index] + self.sentences[index + 1 :],
            self.ranks[:index] + after,
            [
                m if m.sentence < index else Mention(m.name, m.sentence - 1, m.text, m.partial)
                for m in self.mentions
                if m.sentence != index
            ],
            [(at - (at > index), day) for at, day in self.days if at != index],
            self.words[:index] + self.words[index + 1 :],
        )

    def _moved_up(self, index: int) -> bool:
        """Do later sentences move up when this one is taken out?"""
        ranks = self.ranks
        return index + 1 < len(ranks) and ranks[index + 1] != ranks[index]

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

    def beginning_without(self, index: int) -> frozenset[str]:
        """The same without sentence `index`."""
        last = BEGINNING + self._moved_up(index)
        return frozenset().union(
            self.words[-1],
            *(
                words
                for at, (words, rank) in enumerate(zip(self.words, self.ranks, strict=False))
                if at != index and rank < (last if at > index else BEGINNING)
            ),
        )

    def counts(self) -> Counter[str]:
        """How many sentences of the beginning have each word; the title counts twice."""
        title, *beginning = self.first_sentences()
        return crowd.counts(title, beginning)

    def first_sentences(self) -> list[frozenset[str]]:
        """Words of the title, then of each of the first sentences."""
        return [self.words[-1], *self.words[: len(self._first())]]

    def _first(self) -> list[int]:
        """The ranks of the sentences of the beginning."""
        return self.ranks[: bisect_left(self.ranks, BEGINNING)]


def read(title: str, text: str, table: EventTable, published: date | None) -> Reading:
    """Linear in the length of the text, of which at most `MAX_READ` characters are read."""
    gazetteer, lexicon = table.gazetteer, table.lexicon
    spans = sentence_spans(text[:MAX_READ])
    ranks: list[int] = []
    rank = 0
    for sentence, _, _ in spans:
        ranks.append(rank)
        rank += sentence.count(" ") + 1 >= MIN_WORDS or not sentence.isascii()
    above = title[:MAX_READ]
    mentions = [
        Mention(hit.name, -1, above[hit.start : hit.end], hit.partial)
        for hit in gazetteer.find(above, headline=True)
    ]
    days: list[tuple[int, date]] = []
    scanned = lexicon.scan(
        plain(headline(above)), [plain(span.text) for span in spans], bisect_left(ranks, BEGINNING)
    )
    for number in range(len(spans)) if scanned is None else scanned.sentences:
        sentence = spans[number].text
        folded = folded_words(sentence)
        for hit in gazetteer.find(sentence, folded=folded):
            said = sentence[hit.start : hit.end]
            mentions.append(Mention(hit.name, number, said, hit.partial))
        if _dated(folded) or _NUMERIC_DAY.search(sentence):
            days += [(number, found.day) for found in mentioned_dates(sentence, published)]
    return Reading(title, spans, ranks, mentions, days, scanned=scanned)


def _dated(folded: list[str]) -> bool:
    """Does a number stand beside a month? ("3 May", "3rd of May", "May 3")"""
    return not _MONTHS.isdisjoint(folded) and any(
        word in _MONTHS and any(one[:1].isdigit() for one in folded[max(0, at - 2) : at + 2])
        for at, word in enumerate(folded)
    )


def _terms(text: str) -> frozenset[str]:
    """What `terms` finds."""
    bare = plain(text)
    if not bare.isascii():
        return frozenset(terms(bare))
    found = frozenset(words(bare)).difference(STOP)
    if max(map(len, found), default=0) > MAX_TERM:
        return frozenset([word for word in found if len(word) <= MAX_TERM])
    return found
