"""Among many registered events, the others tell most: is this one nearer than all of them?

Similarities mean different things in different streams; leads over rivals mean the same in all.
How rare a word is, is counted over the events' own texts, so nothing here knows a language.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.compiled import compiled
from processors.match.similarity import Groups, groups
from processors.text.names import names
from processors.text.sentences import headline, sentences
from processors.text.words import terms
from stream.records import Definition

# From so many events that list no names: below, most news has no rival among them. Measured on
# random parts of three labelled sets (macro F1 of leads / of similarities alone): 20 events .90 /
# .72, .54 / .83, .67 / .62; 30 events .92 / .77, .69 / .80, .76 / .63.
CROWD = 24
# Most news is about none of the events, however many there are. A standing rival that is so like
# every article takes false matches in a stream of unrelated headlines from 130 an event in 10,000
# to less than 1, at no cost in F1 on the labelled sets (from .5 and .08 on it costs).
STRANGER_MEANT, STRANGER_TOLD = 0.47, 0.06
# A name is one thing, however many words it has, and people go on to do other things: what is
# shared counts at most so many times what is shared besides the event's foremost name. Most false
# alerts of one labelled set were headlines about a person's later life (2.6 an event in 10,000
# without it, 1 with it); 5 to 20 do as well, no set loses.
BESIDE_NAME = 12
# Later sentences are background, which look-alikes share.
BEGINNING = 6
# Words are the same when they begin with the same letters: Samoa, Samoan; seeded, seeding. Macro F1
# with the set left out, 4 / 5 / 6 letters against whole words: og2021 +.029, +.028, +.018;
# localnews +.006, +.003, +.003; ecbplus +.000, -.000, -.000.
STEM = 5


class Standing(NamedTuple):
    """How an article stands to all events: the rival of each is the first or the second."""

    scores: NDArray[np.float64]
    leader: int
    first: float
    second: float

    def lead(self, index: int) -> float:
        """By how much this event is ahead of all others and of a stranger (negative: behind)."""
        rival = self.second if index == self.leader else self.first
        return round(self.scores.item(index) - rival, 4)

    def leads(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """The same of many, not rounded."""
        rivals = np.where(indices == self.leader, self.second, self.first)
        return np.asarray(self.scores[indices] - rivals)


class Crowd(NamedTuple):
    """What all events say, for comparing an article with each of them at once."""

    known_by: Groups  # rows of the matrix of vectors: its examples, or its title
    scale: NDArray[np.float64]  # 1 / the length of the sum of these rows, by event
    # Stem -> its number, in alphabetical order, and weight.
    words: Mapping[str, tuple[int, float]]
    unheard: tuple[int, float]  # -1 and the weight of a word that no event uses
    profiles: Sequence[Mapping[str, float]]  # by event: the weight of each of its words
    # The same by word: those of word w stand from `starts[w]` to `starts[w + 1]`.
    starts: NDArray[np.int64]
    events: NDArray[np.int64]
    weights: NDArray[np.float64]
    named: NDArray[np.float64]  # those of words of the event's foremost name; 0 for others
    # Mean cosine of an event's examples, each to the centre of the others; 0 for fewer than two.
    apart: Sequence[float]


class Heard(NamedTuple):
    """What an article shares with each event: `shared / length` is a cosine of tf-idf."""

    words: Mapping[str, int]
    shared: NDArray[np.float64]
    named: NDArray[np.float64]  # what of it are words of the event's foremost name
    square: float  # of the length


def stem(word: str) -> str:
    return word[:STEM]


def counts(title: Iterable[str], beginning: Iterable[Iterable[str]]) -> Counter[str]:
    """Sentences of the beginning that have a stem; the title counts twice."""
    stems = _stems(frozenset(title))
    return Counter(chain(stems, stems, *(_stems(frozenset(one)) for one in beginning)))


# An article is counted again without each of a few sentences.
@lru_cache(maxsize=256)
def _stems(words: frozenset[str]) -> frozenset[str]:
    return frozenset([stem(word) for word in words])


def gather(
    definitions: Sequence[Definition],
    known_by: Sequence[Sequence[int]],
    matrix: NDArray[np.float64],
) -> Crowd:
    """`known_by[i]` are the rows of `matrix` whose mean stands for `definitions[i]`."""
    texts = [_texts(one) for one in definitions]
    heard = Counter(word for own in texts for word in set().union(*own))
    size = len(definitions)
    rarity = {word: math.log((size + 1) / (n + 0.5)) for word, n in heard.items()}
    unheard = math.log((size + 1) / 0.5)
    number = {word: n for n, word in enumerate(sorted(heard))}
    profiles = [_profile(own, rarity, unheard) for own in texts]
    holders: list[list[tuple[int, float, float]]] = [[] for _ in number]
    for event, (definition, profile) in enumerate(zip(definitions, profiles, strict=True)):
        name = _foremost(definition, profile)
        for word, weight in profile.items():
            holders[number[word]].append((event, weight, weight if word in name else 0.0))
    ends = np.cumsum([len(held) for held in holders], dtype=np.int64)
    lengths = [float(np.linalg.norm(matrix[rows].sum(axis=0))) or 1.0 for rows in known_by]
    return Crowd(
        groups(known_by, len(matrix)),
        1 / np.array(lengths),
        {word: (n, rarity[word]) for word, n in number.items()},
        (-1, unheard),
        profiles,
        np.concatenate([np.zeros(1, dtype=np.int64), ends]),
        np.array([event for held in holders for event, _, _ in held], dtype=np.int64),
        np.array([weight for held in holders for _, weight, _ in held]),
        np.array([named for held in holders for _, _, named in held]),
        [_apart(matrix[rows]) for rows in known_by],
    )


def _apart(examples: NDArray[np.float64]) -> float:
    if len(examples) < 2:
        return 0.0
    # Each to the sum of the others, which points where their mean does.
    others = examples.sum(axis=0) - examples
    lengths = np.linalg.norm(others, axis=1)
    found = (examples * others).sum(axis=1) / np.where(lengths, lengths, 1.0)
    return round(float(found.mean()), 4)


def _profile(
    texts: Sequence[Mapping[str, int]], rarity: Mapping[str, float], unheard: float
) -> dict[str, float]:
    """The words of an event, of length 1."""
    found: dict[str, float] = defaultdict(float)
    for text in texts:
        for word, weight in _weighed(text, rarity, unheard).items():
            found[word] += weight
    length = math.sqrt(math.fsum(w * w for w in found.values())) or 1.0
    return {word: weight / length for word, weight in found.items()}


def _texts(definition: Definition) -> list[Counter[str]]:
    return [counts(terms(title), map(terms, beginning)) for title, beginning in _given(definition)]


def _given(definition: Definition) -> list[tuple[str, list[str]]]:
    """Headlines with their first sentences: those of the examples, or its own."""
    about = [(one.title, one.text) for one in definition.examples if one.about]
    pairs = about or [(definition.title, definition.description)]
    return [(headline(title), sentences(text)[:BEGINNING]) for title, text in pairs]


def _foremost(definition: Definition, profile: Mapping[str, float]) -> frozenset[str]:
    """The stems of the name of several words that weighs most in the event's texts, if any."""
    found = {
        frozenset(map(stem, terms(span.text)))
        for title, beginning in _given(definition)
        for span in names(title + ".\n\n" + " ".join(beginning))
        if span.sure
    }

    def weight(name: frozenset[str]) -> tuple[float, list[str]]:
        return math.fsum(profile.get(word, 0.0) ** 2 for word in name), sorted(name)

    return max((name for name in found if len(name) > 1), key=weight, default=frozenset())


def _weighed(
    words: Mapping[str, int], rarity: Mapping[str, float], unheard: float
) -> dict[str, float]:
    """tf-idf of length 1."""
    found = {w: _often(n) * rarity.get(w, unheard) for w, n in words.items()}
    length = math.sqrt(math.fsum(x * x for x in found.values())) or 1.0
    return {word: x / length for word, x in found.items()}


def meant(cosines: NDArray[np.float64], crowd: Crowd) -> NDArray[np.float64]:
    """Cosine of the article and each event, from those with the rows of the matrix."""
    found = crowd.known_by.of(cosines)
    if len(found) > len(crowd.scale):
        found = np.add.reduceat(found, crowd.known_by.starts)
    return np.round(found * crowd.scale, 4)


def hear(words: Mapping[str, int], crowd: Crowd) -> Heard:
    """Of the words of an article (see `counts`)."""
    known, squares = list[tuple[int, float]](), list[float]()
    for word, count in words.items():
        number, rare = crowd.words.get(word, crowd.unheard)
        weight = _often(count) * rare
        squares.append(weight * weight)
        if number >= 0:
            known.append((number, weight))
    return Heard(words, *_spread(known, crowd), math.fsum(squares))


def instead(heard: Heard, words: Mapping[str, int], crowd: Crowd) -> Heard:
    """The same for an article that differs a little: only the words that differ are looked at."""
    before, square, known = heard.words, [heard.square], list[tuple[int, float]]()
    for word in {word for word, _ in before.items() ^ words.items()}:
        was, now = _often(before.get(word, 0)), _often(words.get(word, 0))
        number, rare = crowd.words.get(word, crowd.unheard)
        square.append((now * now - was * was) * rare * rare)
        if number >= 0:
            known.append((number, (now - was) * rare))
    shared, named = _spread(known, crowd)
    return Heard(words, heard.shared + shared, heard.named + named, math.fsum(square))


@cache
def _often(count: int) -> float:
    """How much it says to have a word in so many sentences."""
    return 1 + math.log(count) if count else 0.0


def _spread(
    known: list[tuple[int, float]], crowd: Crowd
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By event: the weights of these words, by their numbers, times their weights in it; and what
    of it are words of its foremost name."""
    known.sort()  # always in the same order, so that the sums are the same to the last digit
    numbers, weights = zip(*known, strict=True) if known else ((), ())
    return _summed(
        np.array(numbers, dtype=np.int64),
        np.array(weights, dtype=np.float64),
        crowd.starts,
        crowd.events,
        crowd.weights,
        crowd.named,
        len(crowd.scale),
    )


@compiled
def _summed(
    words: NDArray[np.int64],
    counts: NDArray[np.float64],
    starts: NDArray[np.int64],
    events: NDArray[np.int64],
    weights: NDArray[np.float64],
    of_name: NDArray[np.float64],
    size: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    shared, named = np.zeros(size), np.zeros(size)
    for word, count in zip(words, counts):  # noqa: B905 (numba knows no `strict`)
        for row in range(starts[word], starts[word + 1]):
            shared[events[row]] += weights[row] * count
            named[events[row]] += of_name[row] * count
    return shared, named


def told(heard: Heard, foreign: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """How far the article and each event say the same in rare words, 0 to 1. The event's foremost
    name alone is nothing, but where the event is `foreign`: two languages share only names."""
    length = math.sqrt(max(heard.square, 0.0)) or 1.0
    found = np.minimum(heard.shared, BESIDE_NAME * (heard.shared - heard.named))
    if foreign is not None:
        found = np.where(foreign, heard.shared, found)
    return np.round(found / length, 4)


def standing(scores: NDArray[np.float64], stranger: float) -> Standing:
    """Of at least one event. The stranger is a rival of each."""
    leader, second = _first_two(scores)
    return Standing(scores, leader, max(stranger, scores.item(leader)), max(stranger, second))


@compiled
def _first_two(scores: NDArray[np.float64]) -> tuple[int, float]:
    """The first with the highest score, and the second highest score of all (-inf without)."""
    leader, second = 0, -np.inf
    for event in range(1, len(scores)):
        if scores[event] > scores[leader]:
            leader, second = event, scores[leader]
        else:
            second = max(second, scores[event])
    return leader, second


def shared(heard: Heard, crowd: Crowd, index: int) -> list[str]:
    """Stems that speak most for this event, the weightiest first."""
    profile = crowd.profiles[index]
    found = [
        (_often(n) * crowd.words[word][1] * profile[word], word)
        for word, n in heard.words.items()
        if word in profile
    ]
    return [word for _, word in sorted(found, key=lambda pair: (-pair[0], pair[1]))]
