"""Near-duplicates: does this article repeat the text of another?

A sketch is a MinHash signature over runs of three terms of the lead; equal positions of two
sketches estimate the share of runs that the texts have in common. Bands of the signature are
the keys under which earlier articles are found.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

# Runs of three content words: two reports of one happening share few, a repeated text nearly all.
RUN = 3
# 64 positions estimate a resemblance of .5 with a standard deviation of .06; bands of two find
# 99.6 % of the pairs at .4.
POSITIONS, BAND = 64, 2
# Sketched terms: the lead. Outlets cut a wire text at the end, hardly ever at the start.
LEAD_TERMS = 150
# Shorter texts repeat each other by chance ("Live: latest updates").
MIN_BODY_TERMS, MIN_TITLE_TERMS = 20, 8
# Below this share of common runs the text was rewritten, not repeated. In the sample world true
# copies share .57 and more, all other pairs .08 and less; among 406 local news reports one pair
# of different happenings (a template) shares over .1. The estimate is off by .06 at worst.
RESEMBLANCE = 0.4
# A boilerplate text published a thousand times needs no thousand comparisons: the newest do.
MAX_HELD = 32
# 131,072 buckets a band: chains stay at one or two at 100,000 articles. The number is fixed, so
# that chains are the same after a restart; what nothing fell into yet takes no memory.
BUCKET_BITS = 17

# Fixed seeds (a seeded generator could change between numpy releases).
_SEEDS = np.array(
    [zlib.crc32(b"a%d" % i) << 32 | zlib.crc32(b"b%d" % i) for i in range(POSITIONS)],
    dtype=np.uint64,
)
_BANDS = POSITIONS // BAND
_EACH = np.arange(_BANDS)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def sketch(title: list[str], body: list[str]) -> bytes:
    """The signature of an article from its terms (64 little-endian uint32); empty when it is too
    short to tell. A headline is sketched only when there is no text."""
    if len(body) >= MIN_BODY_TERMS:
        terms = body[:LEAD_TERMS]
    elif not body and len(title) >= MIN_TITLE_TERMS:
        terms = title
    else:
        return b""
    runs = {zlib.crc32(" ".join(terms[i : i + RUN]).encode()) for i in range(len(terms) - RUN + 1)}
    hashes = np.fromiter(runs, dtype=np.uint64, count=len(runs))
    # The finaliser of splitmix64 (Steele et al. 2014): one multiplication of a CRC, which is
    # linear, leaves the positions so alike that half of the true copies were missed.
    mixed = hashes[:, None] ^ _SEEDS[None, :]
    for shift, factor in ((30, _MIX[0]), (27, _MIX[1])):
        mixed ^= mixed >> np.uint64(shift)
        mixed *= factor
    mixed ^= mixed >> np.uint64(31)
    lowest: bytes = (mixed.min(axis=0) & np.uint64(0xFFFFFFFF)).astype("<u4").tobytes()
    return lowest


def resemblance(one: bytes, other: bytes) -> float:
    """Estimated share of common runs, 0 when either text is too short to tell."""
    if not one or not other:
        return 0.0
    equal = np.frombuffer(one, dtype="<u4") == np.frombuffer(other, dtype="<u4")
    return float(equal.mean())


class Sketches:
    """The sketches of recent articles, found again by their bands.

    Articles whose sketches fall into one bucket of a band form a chain, the newest first. Chains
    are numbers in arrays (a slot plus one, 0 = the end): as dicts of lists they took 8 kB an
    article, so they take 300 bytes.
    """

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self._articles: list[str] = []  # by slot
        self._sketches: list[bytes] = []
        self._free: list[int] = []
        self._first = np.zeros((_BANDS, 1 << BUCKET_BITS), dtype=np.int32)
        self._next = np.zeros((0, _BANDS), dtype=np.int32)
        self._previous = np.zeros((0, _BANDS), dtype=np.int32)

    def add(self, article: str, sketch: bytes) -> None:
        """Hold an article that is not held."""
        if not sketch:
            return
        slot = self._free.pop() if self._free else len(self._articles)
        if slot == len(self._articles):
            self._articles.append("")
            self._sketches.append(b"")
            if slot == len(self._next):
                self._next, self._previous = _longer(self._next), _longer(self._previous)
        self._articles[slot], self._sketches[slot] = article, sketch
        self._slots[article] = slot
        buckets = _buckets(sketch)
        second = self._first[_EACH, buckets]
        self._next[slot], self._previous[slot] = second, 0
        behind = second > 0
        self._previous[second[behind] - 1, _EACH[behind]] = slot + 1
        self._first[_EACH, buckets] = slot + 1

    def remove(self, article: str) -> None:
        """Forget an article, if it is held."""
        slot = self._slots.pop(article, None)
        if slot is None:
            return
        before, after = self._previous[slot], self._next[slot]
        inside, behind = before > 0, after > 0
        self._next[before[inside] - 1, _EACH[inside]] = after[inside]
        self._previous[after[behind] - 1, _EACH[behind]] = before[behind]
        buckets = _buckets(self._sketches[slot])
        self._first[_EACH[~inside], buckets[~inside]] = after[~inside]
        self._articles[slot], self._sketches[slot] = "", b""
        self._free.append(slot)

    def like(self, sketch: bytes) -> list[tuple[float, str]]:
        """(resemblance, article) of those that repeat the text, most alike first."""
        if not sketch:
            return []
        bands, at = _EACH, self._first[_EACH, _buckets(sketch)]
        found: set[int] = set()
        for _ in range(MAX_HELD):
            bands, at = bands[at > 0], at[at > 0] - 1
            if not len(at):
                break
            found.update(at.tolist())
            at = self._next[at, bands]
        slots = list(found)
        held = np.frombuffer(b"".join([self._sketches[slot] for slot in slots]), dtype="<u4")
        same = held.reshape(len(slots), POSITIONS) == np.frombuffer(sketch, dtype="<u4")
        scored = zip(same.mean(axis=1).tolist(), slots, strict=True)
        alike = [(share, self._articles[slot]) for share, slot in scored if share >= RESEMBLANCE]
        return sorted(alike, key=lambda pair: (-pair[0], pair[1]))


def _buckets(sketch: bytes) -> NDArray[np.int64]:
    """The bucket of each band: two positions, read as one number, hashed by multiplication."""
    pairs = np.frombuffer(sketch, dtype="<u8") * _MIX[0]
    return (pairs >> np.uint64(64 - BUCKET_BITS)).astype(np.int64)


def _longer(chains: NDArray[np.int32]) -> NDArray[np.int32]:
    more = np.zeros((max(256, 2 * len(chains)), _BANDS), dtype=np.int32)
    more[: len(chains)] = chains
    return more
