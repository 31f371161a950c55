"""Where the sentences of a text begin and end, and what of a title is the headline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from processors.text import MAX_CHARS

# Nothing a person would call a sentence is longer; bounds what a text without stops can cost.
MAX_SENTENCE = 1_200

_TITLE_WORDS = (
    "adm capt cf col cpl dr e.g etc fr gen gov hon i.e inc jr lt ltd maj messrs mr mrs ms mt no "
    "nos pres prof rep rev sen sgt sr st vs"
)
_TITLES = frozenset(_TITLE_WORDS.split())
# Begins with one set of characters, which a search skips to; a choice of three beginnings took five
# times as long. The {0,7} keep a run of a million stops or quotes linear.
_STOP_MARK = re.compile(
    r"[.!?…؟۔।。！？\n](?:(?<=\n)(?:[ \t\r]{0,40}\n)?"
    r"|(?<=[。！？])[。！？]{0,7}[」』”’）]{0,4}"
    r"|(?<=[.!?…؟۔।])[.!?…؟۔।]{0,7}[\"'”’»)\]]{0,4}(?=\s|$))"
)
_LAST_WORD = re.compile(r"[\w.]+$")
_LABEL_LINE = re.compile(r"[^\s:：]{2,20}[:：] ?[^.!?\n]{1,40}")
# Set apart by a line or a dash, capitalised, and after enough to be a headline by itself.
_OUTLET = re.compile(r"(.{20,400}?)\s[|–—-]\s(?=[^\W_a-z])[^|–—]{2,40}$", re.DOTALL)


class Span(NamedTuple):
    """A piece of the text. `sure` is false where a capital may only mark the start of a sentence
    or the style of a headline."""

    text: str
    start: int
    sure: bool = True


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
