"""Which words of a text concern the events, found in one pass over its characters.

A text that is all ASCII is looked through in compiled code: words are told apart by a number made
of their letters (64 bits, so that two words of one number do not come in practice; where they did,
a sentence would be looked at in vain or a bound would be too high, and nothing else).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.compiled import compiled
from processors.text.words import MAX_TERM, STOP, plain

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]
Keys = NDArray[np.uint64]

# A description in more words than this is not expected to be told in all of them.
ENOUGH_WORDS = 60
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
_EMPTY, _TELLING, _BEGINS, _FOLLOWS = 1, 2, 4, 8
# FNV-1a.
_FIRST, _TIMES = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


class Tokens(NamedTuple):
    """The words of the headline (place 0) and of the first sentences (from place 1 on), one after
    the other. Word i of the article has `numbers[i]` in the lexicon, or -1."""

    words: Numbers
    places: Numbers
    numbers: Numbers

    def without(self, sentence: int) -> Tokens:
        """The same with that sentence (from 0 on) taken out."""
        return Tokens(*_without(self.words, self.places, sentence + 1), self.numbers)


class Lacking(NamedTuple):
    """By sentence, of those that have tokens: how many words of an event stand in it; and what
    share of the words of the beginning the event has without it (see `share`)."""

    within: list[float]
    words: list[float]


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
        self.known = len(self._numbers)
        """How many words events use."""
        after = [[self._number(word) for word in begins[one] if word] for one in begins]
        free = [one for one in begins if "" in begins[one]]
        for word in (*begins, *telling, *STOP):
            self._number(word)
        kinds = np.zeros(len(self._numbers), dtype=np.uint8)
        told, next_ = [*telling, *free], set().union(*begins.values()) - {""}
        for some, kind in ((STOP, _EMPTY), (told, _TELLING), (begins, _BEGINS), (next_, _FOLLOWS)):
            kinds[[self._numbers[word] for word in some]] |= kind
        follows: list[list[int]] = [[] for _ in self._numbers]
        for one, others in zip(begins, after, strict=True):
            follows[self._numbers[one]] = others
        # Other words do not stand in a text that is all ASCII.
        usual = [word for word in self._numbers if word.isascii() and word.isalnum()]
        numbers = np.array([self._numbers[word] for word in usual], dtype=np.int64)
        keys = _hashed(_bytes(" ".join(usual)), _LETTERS, len(usual))
        self._tables = (
            *_filled(keys, numbers),
            kinds,
            np.array([word for some in follows for word in some], dtype=np.int64),
            np.cumsum([0, *map(len, follows)], dtype=np.int64),
        )

    def _number(self, word: str) -> int:
        return self._numbers.setdefault(word, len(self._numbers))

    def scan(
        self, headline: str, sentences: Sequence[str], reach: int
    ) -> tuple[Tokens, list[int]] | None:
        """The tokens of the headline and the first sentences (so many), and the numbers of all
        sentences that may hold a name or a day. None for a text that is not all ASCII."""
        text = plain("\n".join([headline, *sentences]))
        if not text.isascii():
            return None
        ends = np.array(list(accumulate([len(headline) + 1, *[len(s) + 1 for s in sentences]])))
        *tokens, telling = _scan(
            _bytes(text), ends, reach + 1, MAX_TERM, _LETTERS, _SIGNS, *self._tables
        )
        return Tokens(*tokens), telling.tolist()

    def tokens(self, words: Sequence[Collection[str]]) -> Tokens:
        """Of the words of the headline and those of each of the first sentences."""
        ids: dict[str, int] = {}
        found = [ids.setdefault(word, len(ids)) for some in words for word in some]
        places = np.repeat(np.arange(len(words)), [len(some) for some in words])
        numbers = [self._numbers.get(word, -1) for word in ids]
        return Tokens(_numbers(found), places, _numbers(numbers))

    def said(self, tokens: Tokens, beginning: int) -> tuple[Numbers, int]:
        """Of the headline and so many sentences: the numbers of the words that events use, and how
        many words there are."""
        said, different = _said(*tokens, beginning + 1, self.known)
        return said, int(different)

    def share(self, event: int, said: Numbers, different: int) -> float:
        """Of so many different words those that the event uses, against what could be expected."""
        return float(_share(event, said, different, self.used, self.uses))

    def lacking(self, event: int, tokens: Tokens, ranks: Sequence[int], beginning: int) -> Lacking:
        """`ranks` are those of the sentences that have tokens; less than `beginning` are the
        beginning."""
        within, words = _lacking(
            event, *tokens, _numbers(ranks), beginning, self.used, self.uses
        ).tolist()
        return Lacking(within, words)


def _numbers(found: Sequence[int]) -> Numbers:
    return np.array(found, dtype=np.int64)


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
def _slot(key: np.uint64, held: Keys, numbers: Numbers) -> np.uint64:
    """Where the key stands in a table, or would stand."""
    mask = np.uint64(len(held) - 1)
    slot = key & mask
    while numbers[slot] >= 0 and held[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@compiled
def _filled(keys: Keys, numbers: Numbers) -> tuple[Keys, Numbers]:
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
def _scan(
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
                if kind & _TELLING:
                    telling[place] = 1
                elif kind & _BEGINS:
                    begun[waiting, 0], begun[waiting, 1], waiting = number, place, waiting + 1
            if place < reach and length <= longest and not kind & _EMPTY:
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


@compiled
def _without(words: Numbers, places: Numbers, place: int) -> tuple[Numbers, Numbers]:
    left, moved, count = np.empty_like(words), np.empty_like(places), 0
    for n in range(len(words)):
        if places[n] != place:
            left[count], moved[count], count = words[n], places[n] - (places[n] > place), count + 1
    return left[:count], moved[:count]


@compiled
def _said(
    words: Numbers, places: Numbers, numbers: Numbers, reach: int, known: int
) -> tuple[Numbers, int]:
    said, seen = np.empty_like(numbers), np.zeros(len(numbers), dtype=np.uint8)
    count, different = 0, 0
    for n in range(len(words)):
        if places[n] < reach and not seen[words[n]]:
            seen[words[n]], different = 1, different + 1
            if 0 <= numbers[words[n]] < known:
                said[count], count = numbers[words[n]], count + 1
    return said[:count], different


@compiled
def _share(event: int, said: Numbers, different: int, used: Numbers, uses: Numbers) -> float:
    own = used[uses[event] : uses[event + 1]]
    return _of_all(_among(own, said).sum(), different, len(own))


@compiled
def _among(words: Numbers, said: Numbers) -> Numbers:
    """By what is said, 1 for each of these words. Both are few."""
    found = np.zeros_like(said)
    for word in words:
        for n in range(len(said)):
            found[n] += said[n] == word
    return found


@compiled
def _of_all(shared: int, different: int, size: int) -> float:
    expected = different * min(size, ENOUGH_WORDS)
    return shared / math.sqrt(expected) if expected else 0.0


@compiled
def _lacking(
    event: int,
    words: Numbers,
    places: Numbers,
    numbers: Numbers,
    ranks: Numbers,
    beginning: int,
    used: Numbers,
    uses: Numbers,
) -> Floats:
    """Two rows; see `Lacking`."""
    own = used[uses[event] : uses[event + 1]]
    is_own = _among(own, numbers)
    found = np.zeros((2, len(ranks)))
    here, left = np.empty(len(numbers), dtype=np.uint8), np.empty(len(numbers), dtype=np.uint8)
    for out in range(len(ranks)):
        moved_up = out + 1 < len(ranks) and ranks[out + 1] != ranks[out]
        shared, different = 0, 0
        here[:], left[:] = 0, 0
        for n in range(len(words)):
            word, sentence = words[n], places[n] - 1
            if sentence == out:
                found[0, out] += is_own[word] and not here[word]
                here[word] = 1
            elif not left[word] and (
                sentence < 0 or ranks[sentence] - (moved_up and sentence > out) < beginning
            ):
                left[word] = 1
                shared, different = shared + is_own[word], different + 1
        found[1, out] = _of_all(shared, different, len(own))
    return found
