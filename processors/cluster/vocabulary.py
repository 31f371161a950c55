"""How common each term is in the stream so far, for each language by itself."""

from __future__ import annotations

import math
from collections.abc import Collection
from itertools import repeat

from msgspec import Struct

# Pseudo-articles: with fewer real ones than this, idf stays near flat instead of noisy.
PRIOR_ARTICLES = 20.0
# Before a term was counted: words of up to three letters are mostly function words in every
# alphabetic language, so they start as if a quarter of the pseudo-articles held them.
PRIOR_SHORT, PRIOR_LONG, SHORT = 5.0, 0.5, 3
# Over this many terms of one language all counts are halved and what falls under one is
# forgotten: bounds the memory (about 30 MB) and lets old news fade.
MAX_TERMS = 200_000


class Vocabulary(Struct):
    """Document frequencies of one language."""

    articles: float = 0.0
    counts: dict[str, float] = {}

    def idf(self, terms: Collection[str]) -> list[float]:
        """Of each term, at least 0."""
        total, log = self.articles + PRIOR_ARTICLES, math.log
        found = []
        for term, count in zip(terms, map(self.counts.get, terms, repeat(0.0)), strict=True):
            prior = PRIOR_SHORT if len(term) <= SHORT and term.isascii() else PRIOR_LONG
            seen = count + prior
            found.append(log(total / seen) if seen < total else 0.0)
        return found

    def add(self, terms: list[str]) -> None:
        """Count one article; `terms` are its distinct terms."""
        self.articles += 1
        counts = self.counts
        held = map(counts.get, terms, repeat(0.0))
        counts.update([(term, count + 1) for term, count in zip(terms, held, strict=True)])
        if len(counts) > MAX_TERMS:
            self.articles /= 2
            self.counts = {term: n / 2 for term, n in counts.items() if n >= 2}
