"""What changed between two revisions, word by word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

# Unchanged words shown on either side of a change.
CONTEXT = 14
# An article may hold 512 KiB; comparing the first 6,000 words (a long magazine piece) keeps a
# page well under a second whatever a hostile feed sends.
MAX_WORDS = 6000


@dataclass(frozen=True)
class Piece:
    kind: Literal["same", "gap", "added", "removed"]
    text: str


def words(before: str, after: str) -> list[Piece]:
    """The changes in reading order; empty when the compared words are the same."""
    old, new = (re.findall(r"\S+\s*", text)[:MAX_WORDS] for text in (before, after))
    # `autojunk` stays on: without it a text of one repeated word takes quadratic time.
    codes = SequenceMatcher(
        None, [word.strip() for word in old], [word.strip() for word in new]
    ).get_opcodes()
    if all(tag == "equal" for tag, *_ in codes):
        return []
    pieces: list[Piece] = []
    for index, (tag, i1, i2, j1, j2) in enumerate(codes):
        if tag == "equal":
            pieces += _same(new[j1:j2], first=index == 0, last=index == len(codes) - 1)
        if tag in ("delete", "replace"):
            pieces.append(Piece("removed", "".join(old[i1:i2])))
        if tag in ("insert", "replace"):
            pieces.append(Piece("added", "".join(new[j1:j2])))
    return pieces


def _same(run: list[str], *, first: bool, last: bool) -> list[Piece]:
    head = [] if first else run[:CONTEXT]
    tail = [] if last else run[max(len(head), len(run) - CONTEXT) :]
    if len(head) + len(tail) >= len(run):
        return [Piece("same", "".join(run))]
    pieces = [Piece("same", "".join(head)), Piece("gap", " … "), Piece("same", "".join(tail))]
    return [piece for piece in pieces if piece.text]
