"""One pass over the characters of a text: which words of a lexicon it has, and where.

Words are told apart by a number made of their letters, of 64 bits: two words of one number do not
come in practice, and where they did, one would count for the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from processors.compiled import compiled

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]
Keys = NDArray[np.uint64]

# Every character of ASCII as it stands in a word (lower case), or 0; and whether it is a digit, may
# stand between two in a date, or is a space.
LETTERS = np.array(
    [ord(chr(code).lower()) if chr(code).isalnum() else 0 for code in range(128)], dtype=np.uint8
)
_DIGIT, _SIGN, _SPACE = 1, 2, 3
SIGNS = np.array(
    [
        _DIGIT if char.isdigit() else _SIGN if char in "-/." else _SPACE if char.isspace() else 0
        for char in map(chr, range(128))
    ],
    dtype=np.uint8,
)
# What a word can be besides one that events use.
EMPTY, TELLING, BEGINS, FOLLOWS = 1, 2, 4, 8
# FNV-1a.
_FIRST, _TIMES = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


@compiled
def keys_of(text: Bytes, letters: Bytes, count: int) -> Keys:
    """The keys of the words of a text that has so many."""
    found = np.empty(count, dtype=np.uint64)
    key, inside, word = _FIRST, False, 0
    for at in range(len(text) + 1):
        letter = letters[text[at]] if at < len(text) else 0
        if letter:
            key, inside = (key ^ np.uint64(letter)) * _TIMES, True
        elif inside:
            found[word] = key
            key, inside, word = _FIRST, False, word + 1
    return found


@compiled
def _slot(key: np.uint64, held: Keys, numbers: Numbers) -> np.uint64:
    """Where the key stands in a table, or would stand."""
    mask = np.uint64(len(held) - 1)
    slot = key & mask
    while numbers[slot] >= 0 and held[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@compiled
def table_of(keys: Keys, numbers: Numbers) -> tuple[Keys, Numbers]:
    """A table of at most half full: where a key stands, its number, elsewhere -1."""
    size = 8
    while size < 2 * len(keys):
        size *= 2
    held, found = np.zeros(size, dtype=np.uint64), np.full(size, -1)
    for n in range(len(keys)):
        slot = _slot(keys[n], held, found)
        held[slot], found[slot] = keys[n], numbers[n]
    return held, found


@compiled
def scan(
    text: Bytes,
    ends: Numbers,
    reach: int,
    longest: int,
    letters: Bytes,
    signs: Bytes,
    held: Keys,
    numbers: Numbers,
    kinds: Bytes,
    follows: Numbers,
    followed: Numbers,
) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """The headline and each sentence end at `ends`; of these so many have tokens, of words up to
    the longest. Sentences are numbered from 0 at last, the headline not among them."""
    seen, telling = np.zeros(len(kinds), dtype=np.uint8), np.zeros(len(ends), dtype=np.uint8)
    most = len(text) // 2 + 1
    begun = np.empty((most, 2), dtype=np.int64)  # words that names begin with, and where
    # Words and their places; different words, and what they are in the lexicon.
    words, places = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    own, size = np.empty(most, dtype=np.int64), 8
    while size < ends[reach - 1]:
        size *= 2
    keys, ids = np.empty(size, dtype=np.uint64), np.full(size, -1)
    waiting, count, different, length, place, key = 0, 0, 0, 0, 0, _FIRST
    for at in range(len(text) + 1):
        code = text[at] if at < len(text) else 10
        letter = letters[code]
        if letter:
            key, length = (key ^ np.uint64(letter)) * _TIMES, length + 1
            if signs[code] == _DIGIT and at + 2 < len(text) and signs[text[at + 1]] == _SIGN:
                then = at + 3 if signs[text[at + 2]] == _SPACE else at + 2
                if then < len(text) and signs[text[then]] == _DIGIT:
                    telling[place] = 1
        elif length:
            slot = _slot(key, held, numbers)
            number = numbers[slot]
            kind = kinds[number] if number >= 0 else 0
            if kind and place:
                seen[number] = 1
                if kind & TELLING:
                    telling[place] = 1
                elif kind & BEGINS:
                    begun[waiting, 0], begun[waiting, 1], waiting = number, place, waiting + 1
            if place < reach and length <= longest and not kind & EMPTY:
                slot = _slot(key, keys, ids)
                if ids[slot] < 0:
                    keys[slot], ids[slot], own[different] = key, different, number
                    different += 1
                words[count], places[count], count = ids[slot], place, count + 1
            key, length = _FIRST, 0
        if at + 1 == ends[place]:
            place += 1
    for n in range(waiting):
        for word in follows[followed[begun[n, 0]] : followed[begun[n, 0] + 1]]:
            if seen[word]:
                telling[begun[n, 1]] = 1
    return words[:count], places[:count], own[:different], np.flatnonzero(telling[1:])
