"""The signals between an article and the stories in question, beside plain arithmetic."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from processors.cluster import bag, signals
from processors.cluster.bag import hashed
from processors.cluster.kernels import NAMED, TERMS, WIDTH
from processors.cluster.piece import Piece
from processors.cluster.story import Story, open_story
from processors.cluster.vocabulary import Vocabulary

WORDS = [f"w{n}" for n in range(150)]
NAMES = [f"Name {n}" for n in range(12)]
DIMS = 16


def piece(number: int, chance: random.Random, known: Vocabulary) -> Piece:
    names = bag.named(chance.sample(NAMES, chance.randrange(4)), ["12", "7"][: chance.randrange(3)])
    heading, body = hashed(chance.choices(WORDS, k=6)), hashed(chance.choices(WORDS, k=30))
    said, distinct = bag.block(heading, body, names, known)
    known.add(distinct)
    vector = np.array([chance.gauss(0, 1) for _ in range(DIMS)])
    return Piece(
        id=f"a{number}",
        revision="r",
        time=0.0,
        dated=False,
        lang=chance.choice(("en", "de")),
        outlet="x.example",
        label="x",
        headline_only=chance.random() < 0.5,
        vector=(vector / np.linalg.norm(vector)).astype("<f2").tobytes(),
        said=said,
        sketch=b"",
    )


def halves(one: Piece) -> tuple[dict[int, float], dict[int, float]]:
    keys, weights = (
        np.frombuffer(one.said, "<u4")[:WIDTH],
        np.frombuffer(one.said, "<f4")[WIDTH:NAMED],
    )
    pairs = list(zip(keys.tolist(), weights.tolist(), strict=True))
    return dict(p for p in pairs[:TERMS] if p[0]), dict(p for p in pairs[TERMS:] if p[0])


def vector(one: Piece) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.frombuffer(one.vector, "<f2").astype(np.float64)


def overlap(kind: int, new: Piece, others: list[Piece]) -> tuple[float, float]:
    """Of names (0) or numbers (1)."""
    ours = set(bag.names_of(new.said)[kind].tolist())
    theirs = set().union(*(bag.names_of(one.said)[kind].tolist() for one in others))
    if not ours or not theirs:
        return 0.0, 0.0
    same = len(ours & theirs)
    return (math.log1p(same), 0.0) if same else (0.0, 1.0)


def expected(new: Piece, members: list[Piece], background: float) -> dict[str, float]:
    """Of a story of these (at most as many as it keeps as its newest), by dicts."""
    terms, title = halves(new)
    total = sum(vector(one) for one in members)
    cosines = [float(vector(one) @ vector(new)) for one in members]
    sums: dict[int, float] = {}
    counts: dict[int, int] = {}
    for one in members:
        for key, weight in halves(one)[0].items():
            sums[key] = sums.get(key, 0.0) + weight
            counts[key] = counts.get(key, 0) + 1
    core = sums
    if len(members) > 2:
        core = {key: w for key, w in sums.items() if 2 * counts[key] >= len(members)}
    length = math.sqrt(sum(w * w for w in sums.values()))
    centre = float(total @ vector(new)) / float(np.linalg.norm(total))
    near_terms = max(
        sum(w * halves(one)[0].get(key, 0.0) for key, w in terms.items()) for one in members
    )
    headlines = sum(one.headline_only for one in members) / len(members)
    nearest = max(0.0, *cosines)
    names, numbers = overlap(0, new, members), overlap(1, new, members)
    return {
        "centre": centre,
        "nearest": nearest,
        "average": sum(cosines) / len(cosines),
        "apart": centre - background,
        "terms": sum(w * sums.get(key, 0.0) for key, w in terms.items()) / length,
        "terms_nearest": near_terms,
        "title_known": sum(w for key, w in title.items() if key in sums),
        "core_kept": sum(w for key, w in core.items() if key in terms) / sum(core.values()),
        "names_shared": names[0],
        "names_differ": names[1],
        "numbers_shared": numbers[0],
        "numbers_differ": numbers[1],
        "size": math.log1p(len(members)),
        "foreign": float(new.lang not in {one.lang for one in members}),
        "mixed": abs(new.headline_only - headlines),
        "both": nearest * near_terms,
        "title_nearest": max(
            sum(min(w, halves(one)[1].get(key, 0.0)) for key, w in title.items()) for one in members
        ),
        "rare_shared": math.log1p(sum(w for key, w in terms.items() if key in sums)),
    }


def against(rows: list[dict[str, float]]) -> None:
    """What follows from the rivals."""
    for name, column in signals.AHEAD.items():
        values = [row[column] for row in rows]
        for at, row in enumerate(rows):
            others = values[:at] + values[at + 1 :]
            row[name] = row[column] - max(others) if others else 0.0
    for name, (slope, level, mixed) in signals.SHARES.items():
        odds = [math.exp(slope * (sum(row[one] for one in mixed) - level)) for row in rows]
        for row, one in zip(rows, odds, strict=True):
            row[name] = one / (1 + sum(odds))


@pytest.mark.parametrize("stories", [1, 2, 9])
def test_signals_are_what_the_bags_the_vectors_and_the_rivals_say(stories: int) -> None:
    chance, known = random.Random(stories), Vocabulary()
    number = iter(range(1000))
    for _ in range(40):
        known.add(hashed(list(dict.fromkeys(chance.choices(WORDS, k=30)))))
    for _ in range(20):
        grown: list[tuple[Story, list[Piece]]] = []
        for row in range(stories):
            members = [piece(next(number), chance, known) for _ in range(chance.randrange(1, 6))]
            story = open_story(f"s{row}", members[0], row)
            for one in members[1:]:
                story.add(one)
            if len(members) > 3:  # one whose text was replaced
                story.remove(members.pop(1))
            grown.append((story, members))
        new = piece(next(number), chance, known)
        towards, found = vector(new).astype(np.float32), [story for story, _ in grown]
        centres = np.array([story.cosine(towards) for story in found])
        rows = signals.measure(new, towards, found, centres, 0.25, (0.5, 0.75))
        wanted = [expected(new, members, 0.25) for _, members in grown]
        against(wanted)
        for row, one in zip(rows, wanted, strict=True):
            one |= {"scattered": 0.5, "varied": 0.75}
            assert dict(zip(signals.NAMES, row, strict=True)) == pytest.approx(one, abs=2e-4)


def test_an_article_without_words_shares_none() -> None:
    chance, known = random.Random(1), Vocabulary()
    empty, _ = bag.block(hashed([]), hashed([]), bag.named([], []), known)
    wordless = piece(1, chance, known)
    wordless.said = empty
    story = open_story("s", wordless, 0)
    story.add(wordless)
    towards = np.zeros(DIMS, np.float32)
    (row,) = signals.measure(wordless, towards, [story], np.zeros(1), 0.2, (0.0, 0.0))
    found = dict(zip(signals.NAMES, row, strict=True))
    silent = ("terms", "terms_nearest", "title_known", "core_kept", "names_shared", "names_differ")
    assert [found[name] for name in silent] == [0.0] * len(silent)
