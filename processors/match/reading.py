"""An article as matching sees it: who is named where, which words, which days."""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from processors.match import crowd
from processors.match.events import EventTable
from processors.match.lexicon import Tokens
from processors.match.naming import UNCONFIRMED, folded_words
from processors.text.numbers import MONTHS, mentioned_dates
from processors.text.sentences import Span, headline, sentence_spans
from processors.text.words import terms

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


def _lost(weights: Sequence[float], share: float) -> list[float]:
    return [math.log1p(-weight * share) for weight in weights]


# What the logarithm of 1 - salience loses by a mention: in the title, then by the rank of the
# sentence, the last for all further ones.
_LOST, _LOST_HALF = (_lost((TITLE, *BY_SENTENCE, REST), share) for share in (1.0, UNCONFIRMED))
_LOST_OPENING, _LOST_OPENING_HALF = (
    _lost((OPENING[0], *OPENING), share) for share in (1.0, UNCONFIRMED)
)
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
        tokens: Tokens,
        words: list[frozenset[str]] | None = None,
    ) -> None:
        self.title, self.sentences, self.ranks = title, sentences, ranks
        self.mentions = mentions
        self.days = days  # (sentence, day)
        self.tokens = tokens
        self.has_body = bool(sentences)
        self._words = words

    @property
    def words(self) -> list[frozenset[str]]:
        """By sentence, of the beginning; the last entry is the title's. Found when asked for: most
        articles are near no event, and few events need them."""
        if self._words is None:
            self._words = _words(self.title, self.sentences, self.ranks)
        return self._words

    def without(self, index: int) -> Reading:
        """The same article with sentence `index` taken out."""
        ranks, words = self.ranks, self._words
        moved_up = index + 1 < len(ranks) and ranks[index + 1] != ranks[index]
        after = [rank - moved_up for rank in ranks[index + 1 :]]
        return Reading(
            self.title,
            self.sentences[:index] + self.sentences[index + 1 :],
            ranks[:index] + after,
            [
                m if m.sentence < index else Mention(m.name, m.sentence - 1, m.text, m.partial)
                for m in self.mentions
                if m.sentence != index
            ],
            [(at - (at > index), day) for at, day in self.days if at != index],
            self.tokens.without(index),
            None if words is None else words[:index] + words[index + 1 :],
        )

    def salience(self) -> tuple[dict[int, float], dict[int, float]]:
        """(anywhere, in the opening) for every name that occurs there."""
        confirmed = {m.name for m in self.mentions if not m.partial}
        anywhere: dict[int, float] = {}
        opening: dict[int, float] = {}
        for name, sentence, _, _partial in self.mentions:
            rank = 0 if sentence < 0 else self.ranks[sentence] + 1
            lost = _LOST if name in confirmed else _LOST_HALF
            anywhere[name] = anywhere.get(name, 0.0) + lost[min(rank, len(lost) - 1)]
            if rank <= len(OPENING):
                lost = _LOST_OPENING if name in confirmed else _LOST_OPENING_HALF
                opening[name] = opening.get(name, 0.0) + lost[rank]
        return (
            {name: 1 - math.exp(value) for name, value in anywhere.items()},
            {name: 1 - math.exp(value) for name, value in opening.items()},
        )

    def counts(self) -> Counter[str]:
        """How many sentences of the beginning have each word; the title counts twice."""
        title, *beginning = self.first_sentences()
        return crowd.counts(title, beginning)

    def first_sentences(self) -> list[frozenset[str]]:
        """Words of the title, then of each of the first sentences."""
        return [self.words[-1], *self.words[: self.beginning]]

    @property
    def beginning(self) -> int:
        """How many sentences count as the beginning."""
        return bisect_left(self.ranks, BEGINNING)


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
    words, telling = None, list(range(len(spans)))
    # One more than the beginning: it moves up when a sentence before it is taken out.
    reach = bisect_right(ranks, BEGINNING)
    scanned = lexicon.scan(headline(above), [span.text for span in spans], reach)
    if scanned is not None:
        tokens, telling = scanned
    else:
        words = _words(title, spans, ranks)
        tokens = lexicon.tokens([words[-1], *words[:reach]])
    days: list[tuple[int, date]] = []
    for number in telling:
        sentence = spans[number].text
        folded = folded_words(sentence)
        for hit in gazetteer.find(sentence, folded=folded):
            said = sentence[hit.start : hit.end]
            mentions.append(Mention(hit.name, number, said, hit.partial))
        if _dated(folded) or _NUMERIC_DAY.search(sentence):
            days += [(number, found.day) for found in mentioned_dates(sentence, published)]
    return Reading(title, spans, ranks, mentions, days, tokens, words)


def _words(title: str, sentences: list[Span], ranks: list[int]) -> list[frozenset[str]]:
    found = [
        frozenset(terms(one.text)) if rank <= BEGINNING else _NO_WORDS
        for one, rank in zip(sentences, ranks, strict=True)
    ]
    return [*found, frozenset(terms(headline(title[:MAX_READ])))]


def _dated(folded: list[str]) -> bool:
    """Does a number stand beside a month? ("3 May", "3rd of May", "May 3")"""
    return not _MONTHS.isdisjoint(folded) and any(
        word in _MONTHS and any(one[:1].isdigit() for one in folded[max(0, at - 2) : at + 2])
        for at, word in enumerate(folded)
    )
