"""Among many registered events, the others tell most: is this one nearer than all of them?

Similarities mean different things in different streams; leads over rivals mean the same in all.
How rare a word is, is counted over the events' own texts, so nothing here knows a language.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.text import sentences, terms
from stream.records import Definition

# From so many events that list no names: below, most news has no rival among them. Measured on
# random parts of three labelled sets (macro F1 of leads / of similarities alone): 20 events .90 /
# .72, .54 / .83, .67 / .62; 30 events .92 / .77, .69 / .80, .76 / .63.
CROWD = 24
# Most news is about none of the events, however many there are. A standing rival that is so like
# every article takes false matches in a stream of unrelated headlines from 130 an event in 10,000
# to about 3, at no cost in F1 on the labelled sets (from .5 and .08 on it costs).
STRANGER_MEANT, STRANGER_TOLD = 0.45, 0.06
# Later sentences are background, which look-alikes share.
BEGINNING = 6


class Holders(NamedTuple):
    """The events that use a word, and its weight in each."""

    events: NDArray[np.int64]
    weights: NDArray[np.float64]


class Standing(NamedTuple):
    """How an article stands to all events: the rival of each is the first or the second."""

    scores: NDArray[np.float64]
    leader: int
    first: float
    second: float

    def lead(self, index: int) -> float:
        """By how much this event is ahead of all others and of a stranger (negative: behind)."""
        rival = self.second if index == self.leader else self.first
        return round(float(self.scores[index]) - rival, 4)


class Crowd(NamedTuple):
    """What all events say, for comparing an article with each of them at once."""

    centres: NDArray[np.float32]  # one row an event: the mean of its examples
    rarity: Mapping[str, float]  # word -> weight
    unheard: float  # the weight of a word that no event uses
    holders: Mapping[str, Holders]  # by word


def counts(title: Iterable[str], beginning: Sequence[Iterable[str]]) -> Counter[str]:
    """Sentences of the beginning that have a word; the title counts twice."""
    found = Counter[str]()
    for words in (title, title, *beginning):
        found.update(set(words))
    return found


def gather(definitions: Sequence[Definition], centres: Sequence[NDArray[np.float32]]) -> Crowd:
    """`centres[i]` belongs to `definitions[i]`; they need not be of length 1."""
    texts = [_texts(one) for one in definitions]
    heard = Counter(word for own in texts for word in set().union(*own))
    size = len(definitions)
    rarity = {word: math.log((size + 1) / (n + 0.5)) for word, n in heard.items()}
    unheard = math.log((size + 1) / 0.5)
    holders: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for number, own in enumerate(texts):
        profile: dict[str, float] = defaultdict(float)
        for text in own:
            for word, weight in _weighed(text, rarity, unheard).items():
                profile[word] += weight
        length = math.sqrt(math.fsum(w * w for w in profile.values())) or 1.0
        for word, weight in profile.items():
            holders[word].append((number, weight / length))
    rows = [c / (float(np.linalg.norm(c)) or 1.0) for c in centres]
    matrix = np.stack(rows) if rows else np.zeros((0, 0), np.float32)
    packed = {
        word: Holders(np.array([n for n, _ in held]), np.array([weight for _, weight in held]))
        for word, held in holders.items()
    }
    return Crowd(matrix, rarity, unheard, packed)


def _texts(definition: Definition) -> list[Counter[str]]:
    about = [one for one in definition.examples if one.about]
    if about:
        pairs = [(one.title, one.text) for one in about]
    else:
        pairs = [(definition.title, definition.description)]
    return [
        counts(terms(title), [terms(s) for s in sentences(text)[:BEGINNING]])
        for title, text in pairs
    ]


def _weighed(
    words: Mapping[str, int], rarity: Mapping[str, float], unheard: float
) -> dict[str, float]:
    """tf-idf of length 1."""
    found = {w: (1 + math.log(n)) * rarity.get(w, unheard) for w, n in words.items()}
    length = math.sqrt(math.fsum(x * x for x in found.values())) or 1.0
    return {word: x / length for word, x in found.items()}


def meant(vector: NDArray[np.float32], crowd: Crowd) -> NDArray[np.float64]:
    """Cosine of the article and each event. Rounded: the last digits depend on the machine."""
    found = np.asarray(crowd.centres @ vector, dtype=np.float64)
    return np.around(found, 4)


def told(words: Mapping[str, int], crowd: Crowd) -> NDArray[np.float64]:
    """How far the article and each event say the same in rare words, 0 to 1."""
    # Always in the same order, so that the sums are the same to the last digit.
    weighed = sorted(_weighed(words, crowd.rarity, crowd.unheard).items())
    held = [(found, weight) for word, weight in weighed if (found := crowd.holders.get(word))]
    if not held:
        return np.zeros(len(crowd.centres))
    events = np.concatenate([found.events for found, _ in held])
    shares = np.concatenate([found.weights for found, _ in held])
    shares *= np.repeat([weight for _, weight in held], [len(found.events) for found, _ in held])
    return np.round(np.bincount(events, shares, minlength=len(crowd.centres)), 4)


def standing(scores: NDArray[np.float64], stranger: float) -> Standing:
    """Of at least one event. The stranger is a rival of each."""
    leader = int(scores.argmax())
    others = max(scores[:leader].max(initial=stranger), scores[leader + 1 :].max(initial=stranger))
    return Standing(scores, leader, max(stranger, float(scores[leader])), float(others))


def shared(words: Mapping[str, int], crowd: Crowd, index: int) -> list[str]:
    """Words that speak most for this event, the weightiest first."""
    weighed = _weighed(words, crowd.rarity, crowd.unheard)
    found = [
        (weight * float(held.weights[held.events == index][0]), word)
        for word, weight in weighed.items()
        if (held := crowd.holders.get(word)) is not None and index in held.events
    ]
    return [word for _, word in sorted(found, key=lambda pair: (-pair[0], pair[1]))]
