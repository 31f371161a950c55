"""What clustering and matching both read out of a text: sentences, names, days, terms.

Everything here is linear in the length of the text and reads at most `MAX_CHARS` of it. Every
span is verbatim: `text[span.start : span.start + len(span.text)] == span.text`. Rules are about
scripts and punctuation rather than about English; the two word lists below are the exception.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

# A long newspaper feature has 30,000 characters; what comes later is comments and boilerplate.
MAX_CHARS = 60_000
# Nothing a person would call a sentence is longer; bounds what a text without stops can cost.
MAX_SENTENCE = 1_200
# Longer "words" are hashes and encoded data.
MAX_TERM = 40
# The same words come again and again; what was found out about this many takes a few megabytes.
CACHED = 16_384
# Words of a name; longer runs are headlines.
MAX_RUN = 8

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
_PARTICLE_WORDS = "al bin da de del der di du el ibn la le van von y"
_PARTICLES = frozenset(_PARTICLE_WORDS.split())
_TITLE_WORDS = (
    "adm capt cf col cpl dr e.g etc fr gen gov hon i.e inc jr lt ltd maj messrs mr mrs ms mt no "
    "nos pres prof rep rev sen sgt sr st vs"
)
_TITLES = frozenset(_TITLE_WORDS.split())
MONTHS = {
    name: number
    for number, names_ in enumerate(
        (
            ("january", "jan"),
            ("february", "feb"),
            ("march", "mar"),
            ("april", "apr"),
            ("may",),
            ("june", "jun"),
            ("july", "jul"),
            ("august", "aug"),
            ("september", "sept", "sep"),
            ("october", "oct"),
            ("november", "nov"),
            ("december", "dec"),
        ),
        start=1,
    )
    for name in names_
}

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
# Begins with one set of characters, which a search skips to; a choice of three beginnings took five
# times as long. The {0,7} keep a run of a million stops or quotes linear.
_STOP_MARK = re.compile(
    r"[.!?…؟۔।。！？\n](?:(?<=\n)(?:[ \t\r]{0,40}\n)?"
    r"|(?<=[。！？])[。！？]{0,7}[」』”’）]{0,4}"
    r"|(?<=[.!?…؟۔।])[.!?…؟۔।]{0,7}[\"'”’»)\]]{0,4}(?=\s|$))"
)
_LAST_WORD = re.compile(r"[\w.]+$")
_LABEL_LINE = re.compile(r"[^\s:：]{2,20}[:：] ?[^.!?\n]{1,40}")
_WORD = re.compile(r"\w+(?:[-'’.&]\w+)*")
# Such a word where its first letter is none of a to z: most words of most texts are passed over.
_CAPITAL_WORD = re.compile(r"[^\W\d_a-z](?<!\w.)(?<!\w[-'’.&].)\w*(?:[-'’.&]\w+)*")
# What may stand between the words of a name, bare or with a particle after it ("von").
_JOINING = frozenset((" ", "\n", "\u00a0", ". "))
_WITH_PARTICLE = {f"{sign}{word} ": word for sign in _JOINING for word in _PARTICLES}
_LETTER = rf"[^\W_{_CJK}{_RUNNING}]"
_TERM = re.compile(rf"[{_CJK}]+|[{_RUNNING}]+|{_LETTER}+(?:[{_MARKS}]+{_LETTER}*)*")
# Every character of ASCII as it stands in a word, or a space: three times as fast as a search.
_IN_WORDS = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
_TYPOGRAPHIC = tuple(zip("\u2019\u2018\u201c\u201d\u2013\u2014\u00a0", "''\"\"-- ", strict=True))
_CJK_FIRST = re.compile(rf"[{_CJK}]")
_RUNNING_FIRST = re.compile(rf"[{_RUNNING}]")
_POSSESSIVES = ("'s", "’s")
# The look behind comes after the first digit, so that a search skips to digits.
# Set apart by a line or a dash, capitalised, and after enough to be a headline by itself.
_OUTLET = re.compile(r"(.{20,400}?)\s[|–—-]\s(?=[^\W_a-z])[^|–—]{2,40}$", re.DOTALL)
_NUMBER = re.compile(r"\d(?<![\w.,].)\d{0,14}(?:[.,]\d{1,15})*(?![\w])")
_MONTH_WORD = "|".join(sorted(MONTHS, key=len, reverse=True))
_DAY = r"\d{1,2}"
_YEAR = r"(?:19|20)\d\d"
_TH = "(?:st|nd|rd|th)?"
# What every one of the four begins with, first: nothing else is tried elsewhere.
_DATES = re.compile(
    r"(?=[\dJFMASOND])(?:"
    rf"(?<!\d)(?P<y1>{_YEAR})[-/.年]\s?(?P<m1>{_DAY})[-/.月]\s?(?P<d1>{_DAY})(?!\d)"
    rf"|(?<!\d)(?P<m2>{_DAY})月(?P<d2>{_DAY})日"
    rf"|\b(?P<d3>{_DAY}){_TH}(?: of)? (?P<m3>{_MONTH_WORD})\b\.?,?(?: (?P<y3>{_YEAR})\b)?"
    rf"|\b(?P<m4>{_MONTH_WORD})\b\.? (?P<d4>{_DAY}){_TH}\b(?!:)(?:,? (?P<y4>{_YEAR})\b)?)",
    re.IGNORECASE,
)


class Span(NamedTuple):
    """A piece of the text. `sure` is false where a capital may only mark the start of a sentence
    or the style of a headline."""

    text: str
    start: int
    sure: bool = True


class Day(NamedTuple):
    """A day that the text mentions, as it stands there."""

    text: str
    start: int
    day: date


def headline(title: str) -> str:
    """The title without the outlet's name behind it ("… | The Daily Herald", "… - Reuters")."""
    match = _OUTLET.match(title)
    return match[1] if match else title


def sentence_spans(text: str) -> list[Span]:
    """The sentences in order; headlines, credits and list lines count as sentences."""
    text = text[:MAX_CHARS]
    found: list[Span] = []
    start = 0
    for mark in _STOP_MARK.finditer(text):
        if _ends_sentence(text, start, mark):
            found += _trimmed(text, start, mark.end())
            start = mark.end()
    return found + list(_trimmed(text, start, len(text)))


def sentences(text: str) -> list[str]:
    """The sentences of the text, each a verbatim substring without surrounding space."""
    return [span.text for span in sentence_spans(text)]


def _ends_sentence(text: str, start: int, mark: re.Match[str]) -> bool:
    sign = mark.group()
    if sign == "\n":
        # Extracted text is often wrapped in mid sentence; a short "Photo: Agency" line is not.
        line = text[max(start, mark.start() - 80) : mark.start()].strip()
        return _LABEL_LINE.fullmatch(line) is not None
    if sign[0] == "\n":
        return True
    if sign[0] in "。！？":
        return True
    after = text[mark.end() : mark.end() + 3].lstrip()
    if after[:1].islower():
        return False
    if sign[0] != "." or len(sign.rstrip("\"'”’»)]")) > 1:
        return True
    last = text[max(start, mark.start() - 12) : mark.start()].rpartition(" ")[2]
    if not last.isalpha():  # as it nearly always is
        word = _LAST_WORD.search(last)
        if word is None:
            return True
        last = word.group()
    # "Mr.", initials as in "J. Smith", and "U.S." rarely end a sentence; a paragraph end is found
    # by its line break anyway.
    return not (last.lower() in _TITLES or (len(last) == 1 and last.isupper()) or "." in last)


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    for left in range(start, end, MAX_SENTENCE):
        piece = text[left : min(end, left + MAX_SENTENCE)]
        bare = piece.strip()
        if bare:
            yield Span(bare, left + len(piece) - len(piece.lstrip()))


def names(text: str) -> list[Span]:
    """Runs of capitalised words, for scripts that have capitals; weekdays, months and common
    words are left out. A name at the start of a sentence is sure when it has several words or
    stands capitalised elsewhere inside a sentence."""
    found: list[Span] = []
    inside: set[str] = set()
    unsure = False
    for sentence in sentence_spans(text):
        said = sentence.text
        runs = _runs(said)
        headline = bool(runs) and said[-1] not in '.!?"”' and _capitalised(_WORD.findall(said))
        for number, run in enumerate(runs):
            kept = _without_edges(run)
            if not kept:
                continue
            begin, (last, at) = kept[0][1], kept[-1]
            sure = not headline and (
                len(kept) > 1 or number > 0 or _WORD.search(said, 0, begin) is not None
            )
            if sure:
                inside.update([_bare(word) for word, _ in kept])
            else:
                unsure = True
            found.append(Span(said[begin : at + len(_bare(last))], sentence.start + begin, sure))
    if not unsure:
        return found
    return [
        span if span.sure else Span(span.text, span.start, inside.issuperset(span.text.split()))
        for span in found
    ]


def _bare(word: str) -> str:
    return word[:-2] if word.endswith(_POSSESSIVES) else word


def _capitalised(words: list[str]) -> bool:
    """Hardly a long word without a capital, as in a headline, where capitals mean little."""
    letters = [w for w in words if w[0].isalpha() and len(w) > 3]
    capitals = sum(w[0].isupper() for w in letters)
    return len(letters) >= 3 and capitals * 6 >= len(letters) * 5


def _runs(sentence: str) -> list[list[tuple[str, int]]]:
    """Neighbouring capitalised words with their places, particles between them included."""
    found: list[list[tuple[str, int]]] = []
    run: list[tuple[str, int]] = []
    end = -1
    for match in _CAPITAL_WORD.finditer(sentence):
        word, at = match.group(), match.start()
        if not word[0].isupper():
            continue
        if len(word) > MAX_TERM:
            run = []
            continue
        between = sentence[end:at] if run else ""
        if (particle := _WITH_PARTICLE.get(between)) is not None:
            run.append((particle, at - 1 - len(particle)))
        if run and len(run) < MAX_RUN and (particle is not None or between in _JOINING):
            run.append((word, at))
        else:
            run = [(word, at)]
            found.append(run)
        end = match.end()
    return found


def _without_edges(run: list[tuple[str, int]]) -> list[tuple[str, int]]:
    first, end = 0, len(run)
    while first < end and _opens_no_name(run[first][0]):
        first += 1
    while end > first and _ends_no_name(run[end - 1][0]):
        end -= 1
    return run[first:end]


@lru_cache(maxsize=CACHED)
def _opens_no_name(word: str) -> bool:
    return len(word) < 2 or _empty(word)


@lru_cache(maxsize=CACHED)
def _ends_no_name(word: str) -> bool:
    return word in _PARTICLES or _empty(word)


def _empty(word: str) -> bool:
    # "US" and "IT" are names, "Us" and "It" open sentences.
    return word.lower() in STOP and not (word.isupper() and len(word) > 1)


def numbers(text: str) -> list[Span]:
    """Numbers as written, with their separators ("1,200", "3.5")."""
    return [Span(m.group(), m.start()) for m in _NUMBER.finditer(text[:MAX_CHARS])]


def mentioned_dates(text: str, anchor: date | None) -> list[Day]:
    """Days that the text names. One without a year is taken in the year that brings it nearest
    to `anchor` (the day of publication), and left out when there is no anchor."""
    found: list[Day] = []
    for match in _DATES.finditer(text[:MAX_CHARS]):
        parts = {key[0]: value for key, value in match.groupdict().items() if value}
        month = MONTHS.get(parts["m"].lower()) or (
            int(parts["m"]) if parts["m"].isascii() and parts["m"].isdigit() else 0
        )
        day = _nearest(int(parts["y"]) if "y" in parts else None, month, int(parts["d"]), anchor)
        if day is not None:
            found.append(Day(match.group(), match.start(), day))
    return found


def _nearest(year: int | None, month: int, day: int, anchor: date | None) -> date | None:
    if year is not None:
        years = [year]
    elif anchor is not None:
        years = [anchor.year + step for step in (-1, 0, 1) if 1 <= anchor.year + step <= 9999]
    else:
        return None
    days = []
    for candidate in years:
        try:
            days.append(date(candidate, month, day))
        except ValueError:
            continue
    if anchor is None:
        return days[0] if days else None
    return min(days, key=lambda one: abs(one - anchor), default=None)


def day_distance(day: date, starts: date | None, ends: date | None) -> int:
    """How many days `day` lies outside the window (0 = inside; an open end has no limit)."""
    if starts is not None and day < starts:
        return (starts - day) // timedelta(days=1)
    if ends is not None and day > ends:
        return (day - ends) // timedelta(days=1)
    return 0


def plain(text: str) -> str:
    """The same, as long as it was, with typographic quotes, dashes and spaces as ASCII has them.
    They are part of no word: the words stay, and mostly nothing is left that is not ASCII."""
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
    return text.translate(_IN_WORDS).split()


def _runs_of(word: str, size: int) -> list[str]:
    return [word[i : i + size] for i in range(len(word) - size + 1)] or [word]
