"""Bags of words as numbers say what the same bags say as dicts."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest

from processors.cluster import bag, kernels, vocabulary
from processors.cluster.bag import hashed
from processors.cluster.kernels import NAMED, NAMES, NUMBERS, TERMS, TITLE, TITLE_TIMES, WIDTH
from processors.cluster.vocabulary import Vocabulary

WORDS = [f"{stem}{n}" for stem in ("a", "kjell", "ferry", "straße", "海") for n in range(60)]


NONE = bag.named([], [])


def block(title: list[str], text: list[str], known: Vocabulary) -> bytes:
    return bag.block(hashed(title), hashed(text), NONE, known)[0]


def drawn(chance: random.Random, count: int) -> list[str]:
    return chance.choices(WORDS, k=count)


def taught(chance: random.Random, articles: int = 300) -> tuple[Vocabulary, Counter[str]]:
    known, counts = Vocabulary(), Counter[str]()
    for _ in range(articles):
        said = list(dict.fromkeys(drawn(chance, 40)))
        known.add(hashed(said))
        counts.update(said)
    return known, counts


def idf(word: str, counts: Counter[str], articles: int) -> float:
    short = len(word) <= vocabulary.SHORT and word.isascii()
    prior = vocabulary.PRIOR_SHORT if short else vocabulary.PRIOR_LONG
    total = articles + vocabulary.PRIOR_ARTICLES
    return max(0.0, math.log(total / (counts[word] + prior)))


def heaviest(weights: dict[str, float], most: int) -> list[str]:
    found = sorted(weights, key=lambda word: (-weights[word], int(hashed([word])[0])))
    return [word for word in found if weights[word] > 0][:most]


def halves(said: bytes) -> tuple[dict[int, float], dict[int, float]]:
    """The terms and the headline of a block."""
    keys, weights = np.frombuffer(said, "<u4")[:WIDTH], np.frombuffer(said, "<f4")[WIDTH:NAMED]
    pairs = list(zip(keys.tolist(), weights.tolist(), strict=True))
    return dict(p for p in pairs[:TERMS] if p[0]), dict(p for p in pairs[TERMS:] if p[0])


@pytest.mark.parametrize(("heading", "body"), [(8, 150), (30, 12), (0, 40), (5, 0), (0, 0)])
def test_a_block_is_tf_idf_of_the_heaviest_terms_and_shares_of_the_headline(
    heading: int, body: int
) -> None:
    chance = random.Random(heading + body)
    known, counts = taught(chance)
    title, text = drawn(chance, heading), drawn(chance, body)
    said, distinct = bag.block(hashed(title), hashed(text), NONE, known)
    times = Counter(text)
    for word in title:
        times[word] += TITLE_TIMES
    assert distinct.tolist() == hashed(list(times)).tolist()
    rare = {word: idf(word, counts, 300) for word in times}
    weights = {word: (1 + math.log(n)) * rare[word] for word, n in times.items()}
    chosen = heaviest(weights, TERMS)
    length = math.sqrt(sum(weights[word] ** 2 for word in chosen))
    terms, headline = halves(said)
    assert list(terms) == hashed(chosen).tolist(), "heaviest first"
    assert list(terms.values()) == pytest.approx([weights[w] / length for w in chosen], abs=1e-6)
    named = {word: rare[word] for word in (title or text[: kernels.OPENING])}
    first = heaviest(named, TITLE)
    total = sum(named[word] for word in first)
    assert list(headline) == hashed(first).tolist()
    assert list(headline.values()) == pytest.approx([named[w] / total for w in first], abs=1e-6)


def test_a_block_tells_names_and_numbers_once_and_of_too_many_the_first() -> None:
    names, numbers = [f"Name {n}" for n in range(30)], [str(n) for n in range(20)]
    for many, few in ((names, []), ([], numbers), (names[:3] * 2, numbers[:2]), (names, numbers)):
        said, _ = bag.block(hashed([]), hashed([]), bag.named(many, few), Vocabulary())
        told = [found.tolist() for found in bag.names_of(said)]
        wanted = list(dict.fromkeys(many))[:NAMES], list(dict.fromkeys(few))[:NUMBERS]
        assert told == [hashed(one).tolist() for one in wanted]


def test_the_vocabulary_counts_like_a_dict_while_it_grows() -> None:
    chance, known, counts = random.Random(3), Vocabulary(), Counter[str]()
    for number in range(400):
        said = [f"word{chance.randrange(200 + 10 * number)}" for _ in range(30)]
        said = list(dict.fromkeys(said))
        wanted = [idf(word, counts, number) for word in said]
        assert known.idf(hashed(said)) == pytest.approx(wanted, abs=1e-6)
        known.add(hashed(said))
        counts.update(said)
    assert known.held == len(counts) > vocabulary.SMALLEST / 2
    assert 2 * known.held <= len(known.keys)


def test_a_full_vocabulary_forgets_what_is_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "MAX_TERMS", 100)
    known = Vocabulary()
    often = hashed([f"often{n}" for n in range(20)])
    for number in range(9):
        known.add(np.concatenate([often, hashed([f"once{number}-{n}" for n in range(9)])]))
    assert known.held == 20
    assert known.articles == 4.5
    assert known.counts[known.keys > 0].tolist() == [4.5] * 20


Sums = dict[int, tuple[float, int]]


def told(sums: bytes) -> Sums:
    keys, weights, counts = np.frombuffer(sums, "<u4").reshape(3, -1)
    found = zip(keys.tolist(), weights.view("<f4").tolist(), counts.tolist(), strict=True)
    return {key: (weight, count) for key, weight, count in found}


def test_sums_are_those_of_the_members_however_they_came_and_went() -> None:
    chance = random.Random(5)
    known, _ = taught(chance)
    members: list[bytes] = []
    sums = b""
    for _ in range(60):
        if members and chance.random() < 0.3:
            said, sign = members.pop(chance.randrange(len(members))), -1
        else:
            said, sign = block(drawn(chance, 6), drawn(chance, 30), known), 1
            members.append(said)
        sums = bag.grown(sums, *bag.terms_of(said), sign)
        wanted: Counter[int] = Counter()
        counts: Counter[int] = Counter()
        for one in members:
            terms, _ = halves(one)
            counts.update(terms.keys())
            wanted.update(terms)  # type: ignore[arg-type]  # a Counter of weights
        found = told(sums)
        assert {key: count for key, (_, count) in found.items()} == dict(counts)
        for key, (weight, _) in found.items():
            assert weight == pytest.approx(wanted[key], abs=1e-4)


def test_two_sums_joined_are_the_sums_of_all_and_are_cut_back_to_the_heaviest() -> None:
    def sums(words: list[str], weight: float) -> bytes:
        keys = hashed(words)
        return bag.grown(b"", keys, np.full(len(keys), weight, np.float32), 1)

    both = told(bag.joined(sums(["oslo", "ferry"], 0.5), sums(["ferry", "rock"], 0.25)))
    oslo, ferry, rock = hashed(["oslo", "ferry", "rock"]).tolist()
    assert both == {oslo: (0.5, 1), ferry: (0.75, 2), rock: (0.25, 1)}
    assert list(both) == [oslo, ferry, rock]
    assert bag.joined(b"", sums(["oslo"], 0.5)) == sums(["oslo"], 0.5)
    light = [f"light{n}" for n in range(2 * bag.KEPT)]
    heavy = [f"heavy{n}" for n in range(bag.KEPT)]
    cut = told(bag.joined(sums(light, 0.1), sums(heavy, 0.2)))
    assert set(cut) == set(hashed(heavy).tolist())


def test_products_are_those_of_the_bags() -> None:
    chance = random.Random(7)
    known, _ = taught(chance)
    said = [block(drawn(chance, 9), drawn(chance, 50), known) for _ in range(6)]
    for first, most, half in ((0, TERMS, 0), (TERMS, TITLE, 1)):
        found = bag.products(b"".join(said), 4, first, most)
        assert found.shape == (4, 6)
        bags = [halves(one)[half] for one in said]
        for one, row in zip(bags, found.tolist(), strict=False):
            wanted = [sum(w * other.get(key, 0.0) for key, w in one.items()) for other in bags]
            assert row == pytest.approx(wanted, abs=1e-6)


def test_a_key_tells_short_words_and_is_never_the_free_one() -> None:
    keys = hashed(["the", "ferry", "日本", ""])
    assert (keys & 1).tolist() == [1, 0, 0, 1]
    assert len(set(keys.tolist())) == 4
    assert (keys > 0).all()
