"""Names as the events know them, and finding them in a text.

Spelling is folded so that "Kim Jong-un", "Kim Jong Un" and "Hà Nội"/"Ha Noi" are the same; what is
reported stays verbatim.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from processors.text.words import plain, words
from stream.records import Name

_TOKEN = re.compile(r"[^\W_]+")
# Korean sets words apart, but its particles stand on the name.
_UNSPACED = re.compile(
    "[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"
)
# "Kim" alone may be anybody: it counts half until the article has the full name.
UNCONFIRMED = 0.5
# Names of one word that may stand apart in a text have at least so many letters.
MIN_JOINED = 5


class Hit(NamedTuple):
    """A name in a text: which, where, and whether only a part of it ("Kim") stands there."""

    name: int
    start: int
    end: int
    partial: bool


class _Phrase(NamedTuple):
    tokens: tuple[str, ...]
    name: int
    partial: bool


def fold(text: str) -> tuple[str, ...]:
    """The words of a name, lower case, without accents or punctuation."""
    return tuple(folded_words(text))


def folded_words(text: str) -> list[str]:
    """All words of the text as names are compared."""
    if text.isascii() or (text := plain(text)).isascii():
        return words(text)
    return [_folded(word) for word in _TOKEN.findall(text)]


# The same words come again and again; this many take a few megabytes.
@lru_cache(maxsize=16_384)
def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    plain = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", plain.casefold())


class Gazetteer:
    """Every name of every event, numbered. Names of two events that share a spelling other than
    a single word of a longer name are the same name."""

    def __init__(self) -> None:
        self.names: list[str] = []  # as the analyst wrote it
        self._number: dict[tuple[str, ...], int] = {}
        self._by_first: dict[str, list[_Phrase]] = {}
        # Words that a name starts with, or half a joined one, and the word that follows in it; ""
        # when nothing must follow.
        self.begins: dict[str, set[str]] = {}
        self._unspaced: dict[str, int] = {}
        self._whole: dict[str, int] = {}  # names of one word, long enough not to arise by chance

    def add(self, name: Name, *, person: bool) -> int:
        spellings = [s for s in map(fold, [name.name, *name.aliases]) if s]
        if not spellings:
            return -1
        whole = [s for s in spellings if not self._is_part(s, spellings, person)]
        number = next((self._number[s] for s in whole if s in self._number), len(self.names))
        if number == len(self.names):
            self.names.append(name.name)
        for written, spelling in zip([name.name, *name.aliases], spellings, strict=False):
            partial = self._is_part(spelling, spellings, person)
            if not partial:
                self._number.setdefault(spelling, number)
            if _UNSPACED.search(written):
                self._unspaced.setdefault(unicodedata.normalize("NFC", written.strip()), number)
                continue
            if len(spelling) == 1 and not partial and len(spelling[0]) >= MIN_JOINED:
                self._whole.setdefault(spelling[0], number)
                # Not "a": nobody writes "A sunción", and every sentence would have to be searched.
                for end in range(2, len(spelling[0])):
                    self.begins.setdefault(spelling[0][:end], set()).add(spelling[0][end:])
            phrases = self._by_first.setdefault(spelling[0], [])
            self.begins.setdefault(spelling[0], set()).add((*spelling, "")[1])
            if _Phrase(spelling, number, partial) not in phrases:
                phrases.append(_Phrase(spelling, number, partial))
                phrases.sort(key=lambda phrase: (-len(phrase.tokens), phrase.name))
        return number

    @staticmethod
    def _is_part(spelling: tuple[str, ...], all_: Iterable[tuple[str, ...]], person: bool) -> bool:
        return (
            person
            and len(spelling) == 1
            and any(len(other) > 1 and spelling[0] in other for other in all_)
        )

    def find(
        self, text: str, *, headline: bool = False, folded: Sequence[str] | None = None
    ) -> list[Hit]:
        """All names in the text, longest first at each place, in order. `folded` is what
        `folded_words` finds in it, where that is known."""
        folded = folded_words(text) if folded is None else folded
        starts = [
            word
            for word in self.begins.keys() & set(folded)
            if "" in (after := self.begins[word]) or not after.isdisjoint(folded)
        ]
        hits = self._spaced(text, folded, starts, headline) if starts else []
        if not self._unspaced or text.isascii() or not _UNSPACED.search(text):
            return hits
        for spelling, name in self._unspaced.items():
            start = text.find(spelling)
            while start >= 0:
                hits.append(Hit(name, start, start + len(spelling), False))
                start = text.find(spelling, start + len(spelling))
        return sorted(hits, key=lambda hit: hit.start)

    def _spaced(
        self, text: str, folded: Sequence[str], starts: Sequence[str], headline: bool
    ) -> list[Hit]:
        """Names of words that are set apart, where these stand."""
        words = list(_TOKEN.finditer(text))
        hits: list[Hit] = []
        done = 0
        for at, word in enumerate(folded):
            if at < done or word not in starts:
                continue
            if at + 1 < len(words) and (joined := word + folded[at + 1]) in self._whole:
                # "Ha Noi" for "Hanoi".
                hits.append(Hit(self._whole[joined], words[at].start(), words[at + 1].end(), False))
                done = at + 2
                continue
            for tokens, name, partial in self._by_first.get(word, ()):
                size = len(tokens)
                if size > 1 and tuple(folded[at : at + size]) != tokens:
                    continue
                start, end = words[at].start(), words[at + size - 1].end()
                if size > 1 and end - start > 3 * sum(map(len, tokens)) + size:
                    continue  # the words stand near each other by chance
                if not text[start].isupper() and text[start].islower():
                    continue  # a common word that is spelt like the name
                if partial and not headline and _belongs_to_another(text, end):
                    continue
                if hits and hits[-1].start == start and hits[-1].end > end:
                    break
                hits.append(Hit(name, start, end, partial))
                done = at + size
        return hits


def _belongs_to_another(text: str, end: int) -> bool:
    """Is "Kim" here the first half of "Kim Foxx"? (The full names we know are tried before.)"""
    after = text[end : end + 3]
    return len(after) == 3 and after[0] in " \u00a0" and after[1].isupper() and after[2].islower()
