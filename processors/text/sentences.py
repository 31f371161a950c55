"""Where the sentences of a text begin and end, and what of a title is the headline."""

from __future__ import annotations

import re
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
        at, end = mark.span()
        if _ends_sentence(text, start, at, end):
            _append(text, start, end, found)
            start = end
    _append(text, start, len(text), found)
    return found


def sentences(text: str) -> list[str]:
    """The sentences of the text, each a verbatim substring without surrounding space."""
    return [span.text for span in sentence_spans(text)]


def _ends_sentence(text: str, start: int, at: int, end: int) -> bool:
    """Does the one that begins at `start` end with the sign that stands from `at` to `end`?"""
    sign = text[at]
    if sign == "\n":
        if end > at + 1:
            return True
        # Extracted text is often wrapped in mid sentence; a short "Photo: Agency" line is not.
        line = text[max(start, at - 80) : at].strip()
        return _LABEL_LINE.fullmatch(line) is not None
    if sign in "。！？":
        return True
    if text[end : end + 3].lstrip()[:1].islower():
        return False
    if sign != "." or (end > at + 1 and len(text[at:end].rstrip("\"'”’»)]")) > 1):
        return True
    last = text[max(start, at - 12) : at].rpartition(" ")[2]
    if not last.isalpha():  # as it nearly always is
        word = _LAST_WORD.search(last)
        if word is None:
            return True
        last = word.group()
    # "Mr.", initials as in "J. Smith", and "U.S." rarely end a sentence; a paragraph end is found
    # by its line break anyway.
    return not (last.lower() in _TITLES or (len(last) == 1 and last.isupper()) or "." in last)


def _append(text: str, start: int, end: int, found: list[Span]) -> None:
    """Add what stands there without surrounding space, in pieces where it is too long."""
    while start < end:
        piece = text[start : min(end, start + MAX_SENTENCE)]
        bare = piece.strip()
        if bare:
            found.append(Span(bare, start + piece.index(bare[0])))
        start += MAX_SENTENCE
