"""The words of a text, for comparing it with others."""

from __future__ import annotations

import re
import unicodedata

from processors.text import MAX_CHARS

# Longer "words" are hashes and encoded data.
MAX_TERM = 40

# Words that open sentences or fill them and therefore name nothing, even when capitalised.
_STOP_WORDS = (
    "a about after again all also although am an and another any are as at be because been before "
    "being but by can could did do does during each for from get had has have he her here his how "
    "however i if in into is it its just like many may meanwhile might more most mr mrs ms much my "
    "new no not now of off on once one only or other our out over said say says she should since "
    "so some such than that the their them then there these they this those though three through "
    "to too two under until up us very was we were what when where whether which while who why "
    "will with would yes yet you your "
    "monday tuesday wednesday thursday friday saturday sunday january february march april may "
    "june july august september october november december"
)
STOP = frozenset(_STOP_WORDS.split())

_CJK = "\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U000323af"
# Thai, Lao, Burmese and Khmer: letters and vowel signs, words not set apart either.
_RUNNING = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
# A character of these says little by itself; two of Chinese are a word, four of Thai a syllable
# or two.
_PAIR, _SYLLABLES = 2, 4
# Signs that stand on the letter before them and belong to its word (not those for pictures).
_MARKS = "".join(
    re.escape(chr(code))
    for code in range(0x300, 0xFE00)
    if unicodedata.category(chr(code)) in ("Mn", "Mc")
)
# What the same word has or lacks: Arabic vowel signs and its stretched line, Hebrew points, and
# the dot that a Turkish İ leaves behind.
_OPTIONAL = dict.fromkeys(
    [*range(0x64B, 0x653), 0x670, 0x640, *range(0x5B0, 0x5BE), 0x5BF, 0x5C1, 0x5C2, 0x307]
)
_WIDE = re.compile("[\uff01-\uff9f]")
_LETTER = rf"[^\W_{_CJK}{_RUNNING}]"
_TERM = re.compile(rf"[{_CJK}]+|[{_RUNNING}]+|{_LETTER}+(?:[{_MARKS}]+{_LETTER}*)*")
# Every character of ASCII as it stands in a word, or a space: many times as fast as a search.
_IN_WORDS = bytes(ord(chr(code).lower()) if chr(code).isalnum() else 32 for code in range(128))
_IN_WORDS += bytes(128)  # none of these comes
_TYPOGRAPHIC = tuple(zip("\u2019\u2018\u201c\u201d\u2013\u2014\u00a0", "''\"\"-- ", strict=True))
_CJK_FIRST = re.compile(rf"[{_CJK}]")
_RUNNING_FIRST = re.compile(rf"[{_RUNNING}]")


def plain(text: str) -> str:
    """The same, as long as it was, with typographic quotes, dashes and spaces as ASCII has them.
    They are part of no word: the words stay, and mostly nothing is left that is not ASCII."""
    if not text.isascii():
        for sign, instead in _TYPOGRAPHIC:
            text = text.replace(sign, instead)
    return text


def terms(text: str) -> list[str]:
    """Lower-case words without stop words, in order; where words are not set apart, runs of
    neighbouring characters: pairs in Chinese, Japanese and Korean, fours in Thai, Lao, Burmese
    and Khmer."""
    text = text[:MAX_CHARS]
    if text.isascii() or (text := plain(text)).isascii():
        return [w for w in words(text) if w not in STOP and len(w) <= MAX_TERM]
    # One spelling for each: composed letters, and no letters of double width.
    text = unicodedata.normalize("NFKC" if _WIDE.search(text) else "NFC", text)
    found: list[str] = []
    for word in _TERM.findall(text):
        if word.isascii():
            folded = word.lower()
        elif _CJK_FIRST.match(word):
            found += _runs_of(word, _PAIR)
            continue
        elif _RUNNING_FIRST.match(word):
            found += _runs_of(word, _SYLLABLES)
            continue
        else:
            folded = word.casefold().translate(_OPTIONAL)
        if folded and len(folded) <= MAX_TERM and folded not in STOP:
            found.append(folded)
    return found


def words(text: str) -> list[str]:
    """All words of an ASCII text, lower-case, in order."""
    return in_words(text).split()


def in_words(text: str) -> str:
    """An ASCII text in lower case, with spaces for what is in no word; as long as it was."""
    return text.encode("ascii").translate(_IN_WORDS).decode("ascii")


def _runs_of(word: str, size: int) -> list[str]:
    return [word[i : i + size] for i in range(len(word) - size + 1)] or [word]
