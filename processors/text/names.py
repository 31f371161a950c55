"""Names that a text mentions: runs of capitalised words."""

from __future__ import annotations

import re
from functools import lru_cache

from processors.text.sentences import Span, sentence_spans
from processors.text.words import MAX_TERM, STOP

# The same words come again and again; what was found out about this many takes a few megabytes.
CACHED = 16_384
# Words of a name; longer runs are headlines.
MAX_RUN = 8

_PARTICLE_WORDS = "al bin da de del der di du el ibn la le van von y"
_PARTICLES = frozenset(_PARTICLE_WORDS.split())
_WORD = re.compile(r"\w+(?:[-'’.&]\w+)*")
# Such a word where its first letter is none of a to z: most words of most texts are passed over.
_CAPITAL_WORD = re.compile(r"[^\W\d_a-z](?<!\w.)(?<!\w[-'’.&].)\w*(?:[-'’.&]\w+)*")
# The same in a text that is all ASCII, in less than half the time.
_ASCII_WORD = re.compile(r"[A-Z](?<!\w.)(?<!\w[-'.&].)\w*(?:[-'.&]\w+)*", re.ASCII)
# What may stand between the words of a name, with the particle in it ("von"), if any.
_JOINING = (" ", "\n", "\u00a0", ". ")
_BETWEEN = dict.fromkeys(_JOINING, "") | {
    f"{sign}{word} ": word for sign in _JOINING for word in _PARTICLES
}
_LONGEST_BETWEEN = max(map(len, _BETWEEN))
_POSSESSIVES = ("'s", "’s")


def names(text: str) -> list[Span]:
    """Runs of capitalised words, for scripts that have capitals; weekdays, months and common
    words are left out. A name at the start of a sentence is sure when it has several words or
    stands capitalised elsewhere inside a sentence."""
    found: list[Span] = []
    inside: set[str] = set()
    unsure = False
    for said, start, _ in sentence_spans(text):
        runs = _runs(said)
        if not runs:
            continue
        headline = said[-1] not in '.!?"”' and _capitalised(_WORD.findall(said))
        for number, run in enumerate(runs):
            if _opens_no_name(run[0][0]) or _ends_no_name(run[-1][0]):
                run = _without_edges(run)
                if not run:
                    continue
            begin, (last, at) = run[0][1], run[-1]
            sure = not headline and (
                len(run) > 1 or number > 0 or _WORD.search(said, 0, begin) is not None
            )
            if sure:
                inside.update([w[:-2] if w.endswith(_POSSESSIVES) else w for w, _ in run])
            else:
                unsure = True
            found.append(Span(said[begin : at + len(_bare(last))], start + begin, sure))
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
    end = 0
    for match in (_ASCII_WORD if sentence.isascii() else _CAPITAL_WORD).finditer(sentence):
        at, stop = match.span()
        word = sentence[at:stop]
        if not word[0].isupper():
            continue
        if len(word) > MAX_TERM:
            run = []
            continue
        joined = run and at - end <= _LONGEST_BETWEEN
        particle = _BETWEEN.get(sentence[end:at]) if joined else None
        if particle:
            run.append((particle, at - 1 - len(particle)))
        if particle is not None and len(run) < MAX_RUN:
            run.append((word, at))
        else:
            run = [(word, at)]
            found.append(run)
        end = stop
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
