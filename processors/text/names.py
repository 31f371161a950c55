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
# What may stand between the words of a name, bare or with a particle after it ("von").
_JOINING = frozenset((" ", "\n", "\u00a0", ". "))
_WITH_PARTICLE = {f"{sign}{word} ": word for sign in _JOINING for word in _PARTICLES}
_POSSESSIVES = ("'s", "’s")


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
