"""How common each term is in the stream so far, for each language by itself.

A hash table with open addressing in two arrays: a hundred terms are looked up in a few
microseconds, where a dict of as many strings missed the processor's caches at each.
"""

from __future__ import annotations

from math import log

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from processors.compiled import compiled

Keys = NDArray[np.uint32]
Counts = NDArray[np.float32]
Rarity = NDArray[np.float64]

# Pseudo-articles: with fewer real ones than this, idf stays near flat instead of noisy.
PRIOR_ARTICLES = 20.0
# Before a term was counted: words of up to three letters are mostly function words in every
# alphabetic language, so they start as if a quarter of the pseudo-articles held them.
PRIOR_SHORT, PRIOR_LONG, SHORT = 5.0, 0.5, 3
# Over this many terms of one language all counts are halved and what falls under one is
# forgotten: bounds the memory (8 MB) and lets old news fade.
MAX_TERMS = 200_000
# Slots of a new table. At most half are taken, so that a search ends after two or three.
SMALLEST = 1024


def _no_keys() -> Keys:
    return np.zeros(SMALLEST, dtype=np.uint32)


def _no_counts() -> Counts:
    return np.zeros(SMALLEST, dtype=np.float32)


class Vocabulary(Struct):
    """Document frequencies of one language by key (see `bag.hashed`); key 0 = a free slot."""

    articles: float = 0.0
    held: int = 0
    keys: Keys = field(default_factory=_no_keys)
    counts: Counts = field(default_factory=_no_counts)

    def idf(self, distinct: Keys) -> Rarity:
        """Of each term, at least 0."""
        return _idf(self.keys, self.counts, distinct, self.articles + PRIOR_ARTICLES)

    def own(self) -> Vocabulary:
        """The same, to be written to: what a snapshot holds is not."""
        return Vocabulary(self.articles, self.held, self.keys.copy(), self.counts.copy())

    def add(self, distinct: Keys) -> None:
        """Count one article; these are its distinct keys."""
        self.articles += 1
        while 2 * (self.held + len(distinct)) > len(self.keys):
            self._move(2 * len(self.keys), 1.0)
        self.held += _count(self.keys, self.counts, distinct)
        if self.held > MAX_TERMS:
            self.articles /= 2
            self._move(len(self.keys), 0.5)

    def _move(self, slots: int, times: float) -> None:
        """Into a table of that size; counts times that, without those under one."""
        keys, counts = np.zeros(slots, dtype=np.uint32), np.zeros(slots, dtype=np.float32)
        self.held = _moved(self.keys, self.counts, keys, counts, times)
        self.keys, self.counts = keys, counts


@compiled
def _place(keys: Keys, key: int) -> int:
    """The slot of the key, or the free one for it."""
    last = len(keys) - 1
    at = (key >> 1) & last
    while keys[at] != 0 and keys[at] != key:
        at = (at + 1) & last
    return at


@compiled
def _idf(keys: Keys, counts: Counts, distinct: Keys, total: float) -> Rarity:
    found = np.zeros(len(distinct))
    for n in range(len(distinct)):
        prior = PRIOR_SHORT if distinct[n] & 1 else PRIOR_LONG
        often = counts[_place(keys, distinct[n])] + prior
        if often < total:
            found[n] = log(total / often)
    return found


@compiled
def _count(keys: Keys, counts: Counts, distinct: Keys) -> int:
    """Returns how many are new."""
    new = 0
    for key in distinct:
        at = _place(keys, key)
        if keys[at] == 0:
            keys[at] = key
            new += 1
        counts[at] += 1
    return new


@compiled
def _moved(keys: Keys, counts: Counts, into: Keys, counted: Counts, times: float) -> int:
    held = 0
    for n in range(len(keys)):
        if keys[n] != 0 and counts[n] * times >= 1:
            at = _place(into, keys[n])
            into[at] = keys[n]
            counted[at] = counts[n] * times
            held += 1
    return held
