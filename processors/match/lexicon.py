"""Which words of a text concern the events: words as numbers, and what they are worth."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.compiled import compiled
from processors.match import scanning
from processors.match.scanning import Bytes, Numbers
from processors.text.words import MAX_TERM, STOP, plain

Floats = NDArray[np.float64]

# A description in more words than this is not expected to be told in all of them.
ENOUGH_WORDS = 60


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
        told, next_ = [*telling, *free], set[str]().union(*begins.values()) - {""}
        for some, kind in (
            (STOP, scanning.EMPTY),
            (told, scanning.TELLING),
            (begins, scanning.BEGINS),
            (next_, scanning.FOLLOWS),
        ):
            kinds[[self._numbers[word] for word in some]] |= kind
        follows: list[list[int]] = [[] for _ in self._numbers]
        for one, others in zip(begins, after, strict=True):
            follows[self._numbers[one]] = others
        # Other words do not stand in a text that is all ASCII.
        usual = [word for word in self._numbers if word.isascii() and word.isalnum()]
        numbers = np.array([self._numbers[word] for word in usual], dtype=np.int64)
        keys = scanning.keys_of(_bytes(" ".join(usual)), scanning.LETTERS, len(usual))
        self._tables = (
            *scanning.table_of(keys, numbers),
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
        *tokens, telling = scanning.scan(
            _bytes(text), ends, reach + 1, MAX_TERM, scanning.LETTERS, scanning.SIGNS, *self._tables
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
