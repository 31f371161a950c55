"""Near-duplicates: does this article repeat the text of another?

A sketch holds hashed runs of three words, of the headline and of the lead, so that comparing two
is exact. Most feeds give a sentence or two, and outlets cut wire copy at the end and put a credit
or another headline over it: what counts is how much of the *shorter* lead stands in the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from processors.compiled import compiled

Hashes = NDArray[np.uint32]
Nodes = NDArray[np.int32]

# Words of the lead that are read: the parts of a series open alike for 74 and differ then, and
# another outlet's own summary before the text took 45. A sketch has 500 bytes at most.
LEAD_TERMS, TITLE_TERMS = 120, 40
# A lead with fewer runs is too short to tell ("All you need to know about the day").
MIN_RUNS = 6
# The share of the shorter lead. Judged by hand on 470 pairs of real feed items: texts that were
# taken over share .7 and more, other reports of the same news .65 and less; where the headline
# was taken over as well, copies share .6 and more, others nothing.
LEAD_SHARED, LEAD_SHARED_WITH_TITLE, TITLE_SHARED = 0.67, 0.55, 0.6
# Where there is no text, the headline is all there is, and it is whole: the share is of both. Eight
# words in common (six runs) are more than a subject gives; five have to be nearly everything.
HEADLINE_SHARED, SHORT_HEADLINE_SHARED = 0.5, 0.8
HEADLINE_RUNS, MIN_HEADLINE_RUNS = 6, 3
# A boilerplate text published a thousand times needs no thousand comparisons: the newest do.
MAX_HELD = 32
# Runs under which an article is found again: those with the smallest hashes, which is the same
# sample in every text. A search tries all of its own, so that a short text is found in a long one.
INDEXED = 32
# Two runs in common before a comparison: one is an idiom.
MIN_HITS = 2
# Two million buckets: chains stay at one or two at 100,000 articles. The number is fixed, so that
# chains are the same after a restart.
BUCKET_BITS = 21

# Of splitmix64 (Steele et al. 2014): checksums are linear, and the smallest of them are far from a
# fair sample of the runs.
_ODD, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_FIRST, _SECOND = np.uint64(30), np.uint64(27)
_HALF = np.uint64(32)
_TO_BUCKET = np.uint32(2654435769)  # 2³² / the golden ratio: the smallest hashes are spread again


class _Common(NamedTuple):
    """Runs of two headlines and of two leads: in common, of the one, of the other."""

    titles: int
    title: int
    other_title: int
    leads: int
    lead: int
    other_lead: int


def sketch(title: Hashes, body: Hashes) -> bytes:
    """Hashed runs of an article's terms (their keys, see `bag.hashed`), ascending little-endian
    uint32: odd ones are of the headline, even ones of the lead. Empty when there is nothing to
    tell by."""
    return _runs(title[:TITLE_TERMS], body[:LEAD_TERMS]).astype("<u4").tobytes()


@compiled
def _runs(title: Hashes, body: Hashes) -> Hashes:
    """Of three: two reports of one happening share few, a repeated text nearly all."""
    found = np.empty(len(title) + len(body), dtype=np.uint32)
    held = 0
    for keys, odd in ((title, 1), (body, 0)):
        for n in range(len(keys) - 2):
            mixed = np.uint64(0)
            for i in range(n, n + 3):
                mixed = (mixed + np.uint64(keys[i])) * _ODD
                mixed = (mixed ^ (mixed >> _FIRST)) * _MIX
                mixed = mixed ^ (mixed >> _SECOND)
            found[held] = np.uint32(mixed >> _HALF) & np.uint32(0xFFFFFFFE) | np.uint32(odd)
            held += 1
    found = np.sort(found[:held])
    kept = 0
    for n in range(held):
        if n == 0 or found[n] != found[n - 1]:
            found[kept] = found[n]
            kept += 1
    return found[:kept]


def _read(sketch: bytes) -> Hashes:
    return np.frombuffer(sketch, dtype="<u4")


@compiled
def _common(one: Hashes, other: Hashes) -> _Common:
    """Of two sketches; both ascend."""
    titles, leads, at = 0, 0, 0
    for number in one:
        while at < len(other) and other[at] < number:
            at += 1
        if at < len(other) and other[at] == number:
            if number & 1:
                titles += 1
            else:
                leads += 1
    title, other_title = (one & 1).sum(), (other & 1).sum()
    return _Common(titles, title, other_title, leads, len(one) - title, len(other) - other_title)


def resemblance(one: bytes, other: bytes) -> float:
    """The share of runs that two leads have in common (of two headlines, where there is no
    text), of all that they have; 0 when either is too short to tell."""
    found = _common(_read(one), _read(other))
    if min(found.lead, found.other_lead) >= MIN_RUNS:
        both, every = found.leads, found.lead + found.other_lead - found.leads
    elif not found.lead and not found.other_lead:
        both, every = found.titles, found.title + found.other_title - found.titles
    else:
        return 0.0
    return both / every if both else 0.0


def repeated(one: bytes, other: bytes) -> float:
    """How much of one text stands in the other, 0 to 1; 0 when that is too little for a copy."""
    titles, title, other_title, leads, lead, other_lead = _common(_read(one), _read(other))
    if not lead or not other_lead:
        share = titles / max(1, title + other_title - titles)
        enough = HEADLINE_SHARED if titles >= HEADLINE_RUNS else SHORT_HEADLINE_SHARED
        return share if titles >= MIN_HEADLINE_RUNS and share >= enough else 0.0
    if min(lead, other_lead) < MIN_RUNS:
        return 0.0
    share = leads / min(lead, other_lead)
    same_title = titles and titles >= TITLE_SHARED * min(title, other_title)
    return share if share >= (LEAD_SHARED_WITH_TITLE if same_title else LEAD_SHARED) else 0.0


class Chains(Struct, array_like=True):
    """All of `Sketches` but the sketches."""

    articles: list[str]  # by slot
    free: list[int]
    used: NDArray[np.int32]  # buckets that are not empty, ...
    first: NDArray[np.int32]  # ... and their first nodes
    after: NDArray[np.int32]
    before: NDArray[np.int32]


class Sketches:
    """The sketches of recent articles, found again by their runs.

    Articles with a run in one bucket form a chain, the newest first. Chains are numbers in arrays
    (a node plus one, 0 = the end): as dicts of lists they took 8 kB an article, so they take 300
    bytes.
    """

    def __init__(self, sketch_of: Callable[[str], bytes]) -> None:
        """`sketch_of` gives the sketch of an article that is held."""
        self._sketch_of = sketch_of
        self.clear()

    def clear(self) -> None:
        self._slots: dict[str, int] = {}
        self._articles: list[str] = []  # by slot
        self._free: list[int] = []
        self._first = np.zeros(1 << BUCKET_BITS, dtype=np.int32)
        self._next = np.zeros(0, dtype=np.int32)  # INDEXED nodes a slot
        self._previous = np.zeros(0, dtype=np.int32)
        self._hits = np.zeros(0, dtype=np.int16)  # by slot; all 0 between two searches

    def chains(self) -> Chains:
        """What is held, for writing."""
        used = np.flatnonzero(self._first).astype(np.int32)
        nodes = len(self._articles) * INDEXED
        return Chains(
            self._articles,
            self._free,
            used,
            self._first[used],
            self._next[:nodes],
            self._previous[:nodes],
        )

    def restore(self, chains: Chains) -> None:
        self._articles, self._free = chains.articles, chains.free
        self._slots = {article: slot for slot, article in enumerate(self._articles) if article}
        self._first[chains.used] = chains.first
        self._next, self._previous = chains.after.copy(), chains.before.copy()
        self._hits = np.zeros(len(self._articles), dtype=np.int16)

    def add(self, article: str, sketch: bytes) -> None:
        """Hold an article that is not held."""
        if not sketch:
            return
        slot = self._free.pop() if self._free else len(self._articles)
        if slot == len(self._articles):
            self._articles.append("")
            if slot == len(self._hits):
                room = max(256, 2 * slot)
                self._hits = np.zeros(room, dtype=np.int16)
                self._next = _longer(self._next, room * INDEXED)
                self._previous = _longer(self._previous, room * INDEXED)
        self._articles[slot] = article
        self._slots[article] = slot
        _link(self._first, self._next, self._previous, _read(sketch), slot)

    def remove(self, article: str, sketch: bytes) -> None:
        """Forget an article, if it is held, with this sketch."""
        slot = self._slots.pop(article, None)
        if slot is None:
            return
        _unlink(self._first, self._next, self._previous, _read(sketch), slot)
        self._articles[slot] = ""
        self._free.append(slot)

    def like(self, sketch: bytes) -> list[tuple[float, str]]:
        """(share, article) of those that repeat the text or are repeated by it, most alike
        first."""
        if not sketch:
            return []
        met = _met(self._first, self._next, self._hits, _read(sketch))
        if not len(met):
            return []  # as for nearly all
        slots = met[np.lexsort((met[:, 1], -met[:, 0]))[:MAX_HELD], 1].tolist()
        articles = [self._articles[slot] for slot in slots]
        scored = ((repeated(sketch, self._sketch_of(one)), one) for one in articles)
        return sorted((pair for pair in scored if pair[0]), key=lambda pair: (-pair[0], pair[1]))


@compiled
def _buckets(hashes: Hashes) -> NDArray[np.int32]:
    """The different ones, in the order of the hashes."""
    found = np.empty(len(hashes), dtype=np.int32)
    count = 0
    for number in hashes:
        bucket = np.int32(np.uint32(number * _TO_BUCKET) >> (32 - BUCKET_BITS))
        held = 0
        for i in range(count):
            held |= found[i] == bucket
        if not held:
            found[count] = bucket
            count += 1
    return found[:count]


@compiled
def _link(first: Nodes, after: Nodes, before: Nodes, hashes: Hashes, slot: int) -> None:
    """Make an article the newest of the chains of its smallest runs."""
    for i, bucket in enumerate(_buckets(hashes[:INDEXED])):
        node = slot * INDEXED + i
        second = first[bucket]
        after[node], before[node] = second, 0
        if second:
            before[second - 1] = node + 1
        first[bucket] = node + 1


@compiled
def _unlink(first: Nodes, after: Nodes, before: Nodes, hashes: Hashes, slot: int) -> None:
    for i, bucket in enumerate(_buckets(hashes[:INDEXED])):
        node = slot * INDEXED + i
        if before[node]:
            after[before[node] - 1] = after[node]
        else:
            first[bucket] = after[node]
        if after[node]:
            before[after[node] - 1] = before[node]


@compiled
def _met(first: Nodes, after: Nodes, hits: NDArray[np.int16], hashes: Hashes) -> Nodes:
    """(runs in common, slot) of the articles that are met at least MIN_HITS times among the newest
    of each chain."""
    # All chains a step at a time: the processor fetches from many places at once.
    at = first[_buckets(hashes)]
    slots = np.empty(len(at) * MAX_HELD, dtype=np.int32)
    left, count, often = len(at), 0, 0
    for _ in range(MAX_HELD):
        going = 0
        for node in at[:left]:
            if node:
                slots[count] = slot = (node - 1) // INDEXED
                hits[slot] += 1
                often += hits[slot] == MIN_HITS
                count += 1
                at[going] = after[node - 1]
                going += 1
        left = going
    found = np.empty((often, 2), dtype=np.int32)
    for slot in slots[:count]:
        if hits[slot] >= MIN_HITS:
            often -= 1
            found[often, 0], found[often, 1] = hits[slot], slot
        hits[slot] = 0
    return found


def _longer(nodes: Nodes, room: int) -> Nodes:
    more = np.zeros(room, dtype=np.int32)
    more[: len(nodes)] = nodes
    return more
