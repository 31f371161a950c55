"""Weighted bags of words as numbers side by side: what an article says, what a story's members say.

A word is its 31-bit checksum and a bit that tells short words; of a million words about a hundred
pairs share one, which nobody notices. A *block* is what an article says: `WIDTH` keys and `WIDTH`
weights, first the heaviest `TERMS` of its terms (tf-idf, unit length), then the `TITLE` heaviest of
its headline (shares of the idf); then the keys of its names and numbers; key 0 = none. *Sums* are
what the members of a story say together: n keys, n weights, n counts of members.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from processors.cluster import kernels
from processors.cluster.kernels import (
    BLOCK,
    NAMED,
    NAMES,
    NUMBERED,
    NUMBERS,
    OPENING,
    TERMS,
    WIDTH,
)
from processors.cluster.vocabulary import SHORT, Vocabulary

Keys = NDArray[np.uint32]
Weights = NDArray[np.float32]

# Sums are cut back to the heaviest so many once they pass twice that.
KEPT = 160


def hashed(words: Sequence[str]) -> Keys:
    """The key of each word."""
    encoded = list(map(str.encode, words))
    keys = np.fromiter(map(zlib.crc32, encoded), np.uint32, len(words))
    # In bytes: in other scripts than Latin a short word is one character.
    kernels.mark(keys, np.fromiter(map(len, encoded), np.int64, len(words)), SHORT)
    return keys


def named(names: Sequence[str], numbers: Sequence[str]) -> Keys:
    """The part of a block that tells names and numbers, each once; of too many the first."""
    some = [list(dict.fromkeys(names))[:NAMES], list(dict.fromkeys(numbers))[:NUMBERS]]
    keys, split = hashed(some[0] + some[1]), len(some[0])
    found = np.zeros(NAMES + NUMBERS, dtype=np.uint32)
    found[:split] = keys[:split]
    found[NAMES : NAMES + len(some[1])] = keys[split:]
    return found


def block(heading: Keys, body: Keys, names: Keys, vocabulary: Vocabulary) -> tuple[bytes, Keys]:
    """What an article says, and its distinct keys. The words come in their order, with repeats;
    `names` is what `named` makes."""
    distinct, times = kernels.counted(heading, body)
    rarity = vocabulary.idf(distinct)
    made = np.zeros(BLOCK, dtype=np.uint32)
    made[NAMED:] = names
    opening = heading if len(heading) else body[:OPENING]
    kernels.fill(distinct, times, rarity, opening, made, made.view(np.float32))
    return made.tobytes(), distinct


def first_terms(said: bytes, most: int) -> list[int]:
    """The keys of the heaviest terms of a block."""
    keys = np.frombuffer(said, dtype="<u4")[:most]
    found: list[int] = keys[keys > 0].tolist()
    return found


def terms_of(said: bytes) -> tuple[Keys, Weights]:
    """The terms of a block, heaviest first."""
    keys = np.frombuffer(said, dtype="<u4")
    count = int(np.count_nonzero(keys[:TERMS]))
    return keys[:count], np.frombuffer(said, dtype="<f4")[WIDTH : WIDTH + count]


def names_of(said: bytes) -> tuple[Keys, Keys]:
    """The names and the numbers of a block."""
    keys = np.frombuffer(said, dtype="<u4")
    names, numbers = keys[NAMED:NUMBERED], keys[NUMBERED:]
    return names[names > 0], numbers[numbers > 0]


def blocks(packed: bytes) -> tuple[Keys, Weights]:
    """Blocks that stand side by side, shape (n, BLOCK): as keys, and as weights where there are
    some."""
    rows = np.frombuffer(packed, dtype="<u4").reshape(-1, BLOCK)
    return rows, rows.view("<f4")


# -- sums --------------------------------------------------------------------------------------


def grown(sums: bytes, keys: Keys, weights: Weights, sign: int) -> bytes:
    """The sums with one more member that says this, or (sign -1) without it."""
    held = np.frombuffer(sums, dtype="<u4").reshape(3, -1)
    most = held.shape[1] + len(keys)
    made = np.zeros((3, most), dtype=np.uint32)
    made[:, : held.shape[1]] = held
    size = kernels.grow(made, made.view(np.float32), held.shape[1], keys, weights, sign)
    return _cut(made[:, :size])


def joined(sums: bytes, other: bytes) -> bytes:
    """Both sums together."""
    held = np.frombuffer(sums, dtype="<u4").reshape(3, -1)
    more = np.frombuffer(other, dtype="<u4").reshape(3, -1)
    if not held.size or not more.size:
        return sums or other
    keys = np.concatenate([held[0], more[0]])
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    weights = np.concatenate([held[1].view("<f4"), more[1].view("<f4")])
    counts = np.concatenate([held[2], more[2]])
    made = np.empty((3, len(first)), dtype=np.uint32)
    made[0] = keys[first]
    made[1] = np.bincount(group, weights).astype(np.float32).view(np.uint32)
    made[2] = np.bincount(group, counts).astype(np.uint32)
    return _cut(made[:, np.argsort(first)])  # in the order in which they came


def _cut(made: Keys) -> bytes:
    if made.shape[1] > 2 * KEPT:
        order = np.lexsort((made[0], -made[1].view(np.float32)))
        made = made[:, order[:KEPT]]
    return made.tobytes()


# -- products ----------------------------------------------------------------------------------


def products(packed: bytes, count: int, first: int, most: int) -> Weights:
    """Of each of the first `count` blocks with every block, shape (count, n): by the `most` keys
    from `first` on."""
    keys, weights = blocks(packed)
    found = np.zeros((count, len(keys)), dtype=np.float32)
    kernels.products(keys, weights, first, most, found)
    return found
