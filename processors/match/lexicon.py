"""Which words of a text concern the events, found in one pass over its characters.

A text that is all ASCII is looked through in compiled code: words are told apart by a number made
of their letters (64 bits, so that two words of one number do not come in practice; where they did,
a sentence would be looked at in vain or a bound would be too high, and nothing else).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.compiled import compiled
from processors.text.words import MAX_TERM, STOP

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]
Keys = NDArray[np.uint64]

# Every character of ASCII as it stands in a word (lower case), or 0; and whether it is a digit, may
# stand between two in a date, or is a space.
_LETTERS = np.array(
    [ord(chr(code).lower()) if chr(code).isalnum() else 0 for code in range(128)], dtype=np.uint8
)
_DIGIT, _SIGN, _SPACE = 1, 2, 3
_SIGNS = np.array(
    [
        _DIGIT if char.isdigit() else _SIGN if char in "-/." else _SPACE if char.isspace() else 0
        for char in map(chr, range(128))
    ],
    dtype=np.uint8,
)
# What a word can be besides one that events use.
_EMPTY, _TELLING, _BEGINS = 1, 2, 4
# FNV-1a.
_FIRST, _TIMES = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


class Scanned(NamedTuple):
    """What was found in a text."""

    said: Bytes  # by number, 1 for each word of the beginning that events use
    different: int  # words of the beginning
    sentences: Sequence[int]  # that may hold a name or a day


class Lexicon:
    """The words that `events` use, that names `begin` with (and the words of which one must follow
    somewhere, "" for none), and that tell of a day whatever the event (`telling`)."""

    def __init__(
        self,
        events: Sequence[Collection[str]],
        begins: Mapping[str, Collection[str]],
        telling: Collection[str],
    ) -> None:
        self._numbers: dict[str, int] = {}
        used = [self._number(word) for words in events for word in words]
        self.used = np.array(used, dtype=np.int64)
        """Numbers of the words of one event after the other."""
        self.uses = np.cumsum([0, *map(len, events)], dtype=np.int64)
        """Those of event n stand from `uses[n]` to `uses[n + 1]`."""
        self._known = len(self._numbers)
        after = [[self._number(word) for word in begins[one] if word] for one in begins]
        free = [one for one in begins if "" in begins[one]]
        for word in (*begins, *telling, *STOP):
            self._number(word)
        kinds = np.zeros(len(self._numbers), dtype=np.uint8)
        told = [*telling, *free]
        for some, kind in ((STOP, _EMPTY), (told, _TELLING), (begins, _BEGINS)):
            kinds[[self._numbers[word] for word in some]] |= kind
        follows: list[list[int]] = [[] for _ in self._numbers]
        for one, others in zip(begins, after, strict=True):
            follows[self._numbers[one]] = others
        # Other words do not stand in a text that is all ASCII.
        plain = [word for word in self._numbers if word.isascii() and word.isalnum()]
        numbers = np.array([self._numbers[word] for word in plain], dtype=np.int64)
        keys = _hashed(_bytes(" ".join(plain)), _LETTERS, len(plain))
        self._tables = (
            *_filled(keys, numbers),
            kinds,
            np.array([word for some in follows for word in some], dtype=np.int64),
            np.cumsum([0, *map(len, follows)], dtype=np.int64),
        )

    def _number(self, word: str) -> int:
        return self._numbers.setdefault(word, len(self._numbers))

    def scan(self, headline: str, sentences: Sequence[str], beginning: int) -> Scanned | None:
        """None for a text that is not all ASCII. The first so many sentences and the headline are
        its beginning."""
        text = "\n".join([headline, *sentences])
        if not text.isascii():
            return None
        ends = np.array(list(accumulate([len(headline) + 1, *(len(s) + 1 for s in sentences)])))
        said, count, telling = _scan(
            _bytes(text), ends, beginning + 1, self._known, _LETTERS, _SIGNS, *self._tables
        )
        return Scanned(said, count, telling.tolist())

    def scanned(self, first: Iterable[str]) -> Scanned:
        """The same for the words of a beginning, where these are known and nothing else is."""
        said = np.zeros(self._known, dtype=np.uint8)
        words = list(first)
        numbers = [self._numbers.get(word, self._known) for word in words]
        said[[number for number in numbers if number < self._known]] = 1
        return Scanned(said, len(words), ())


def _bytes(text: str) -> Bytes:
    return np.frombuffer(text.encode("ascii"), dtype=np.uint8)


@compiled
def _hashed(text: Bytes, letters: Bytes, count: int) -> Keys:
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
def _filled(keys: Keys, numbers: Numbers) -> tuple[Keys, Numbers]:
    """A table of at most half full: where a key stands, its number, elsewhere -1."""
    size = 8
    while size < 2 * len(keys):
        size *= 2
    held, found = np.zeros(size, dtype=np.uint64), np.full(size, -1)
    for n in range(len(keys)):
        slot = keys[n] & np.uint64(size - 1)
        while found[slot] >= 0:
            slot = (slot + np.uint64(1)) & np.uint64(size - 1)
        held[slot], found[slot] = keys[n], numbers[n]
    return held, found


@compiled
def _scan(
    text: Bytes,
    ends: Numbers,
    beginning: int,
    known: int,
    letters: Bytes,
    signs: Bytes,
    held: Keys,
    numbers: Numbers,
    kinds: Bytes,
    follows: Numbers,
    followed: Numbers,
) -> tuple[Bytes, int, Numbers]:
    """The headline and each sentence end at `ends`; of these so many are the beginning. Sentences
    are numbered from 0, the headline not among them."""
    said, seen = np.zeros(known, dtype=np.uint8), np.zeros(len(kinds), dtype=np.uint8)
    telling = np.zeros(len(ends), dtype=np.uint8)
    begun = np.empty((len(text) + 1, 2), dtype=np.int64)  # words that names begin with, and where
    size = 8
    while size < ends[beginning - 1]:
        size *= 2
    distinct, count, waiting = np.zeros(size, dtype=np.uint64), 0, 0
    mask, own = np.uint64(len(held) - 1), np.uint64(size - 1)
    key, length, sentence = _FIRST, 0, 0
    for at in range(len(text) + 1):
        code = text[at] if at < len(text) else 10
        letter = letters[code]
        if letter:
            key, length = (key ^ np.uint64(letter)) * _TIMES, length + 1
            if signs[code] == _DIGIT and at + 2 < len(text) and signs[text[at + 1]] == _SIGN:
                then = at + 3 if signs[text[at + 2]] == _SPACE else at + 2
                if then < len(text) and signs[text[then]] == _DIGIT:
                    telling[sentence] = 1
        elif length:
            slot = key & mask
            while numbers[slot] >= 0 and held[slot] != key:
                slot = (slot + np.uint64(1)) & mask
            number = numbers[slot]
            kind = kinds[number] if number >= 0 else 0
            if number >= 0 and sentence:
                seen[number] = 1
                if kind & _TELLING:
                    telling[sentence] = 1
                elif kind & _BEGINS:
                    begun[waiting, 0], begun[waiting, 1] = number, sentence
                    waiting += 1
            if sentence < beginning and length <= MAX_TERM and not kind & _EMPTY:
                if 0 <= number < known:
                    said[number] = 1
                slot = key & own
                while distinct[slot] and distinct[slot] != key:
                    slot = (slot + np.uint64(1)) & own
                if not distinct[slot]:
                    distinct[slot], count = key, count + 1
            key, length = _FIRST, 0
        if at + 1 == ends[sentence]:
            sentence += 1
    for n in range(waiting):
        for word in follows[followed[begun[n, 0]] : followed[begun[n, 0] + 1]]:
            if seen[word]:
                telling[begun[n, 1]] = 1
    return said, count, np.flatnonzero(telling[1:])
