"""Stories are found by rare terms: the same ones that a look at every story finds."""

from __future__ import annotations

import random

import numpy as np
from msgspec import Raw

from processors.cluster import place
from processors.cluster.bag import hashed, terms_of
from processors.cluster.kernels import BLOCK, WIDTH
from processors.cluster.piece import Piece
from processors.cluster.place import Shelf
from processors.cluster.story import INDEXED_TERMS, Story, open_story

KEYS = hashed([f"term{n}" for n in range(40)]).tolist()


def piece(number: int, chance: random.Random) -> Piece:
    # Few different weights, without rounding, so that scores tie.
    said = np.zeros(BLOCK, dtype=np.uint32)
    said[:INDEXED_TERMS] = chance.sample(KEYS, INDEXED_TERMS)
    weights = [chance.choice((0.25, 0.5)) for _ in range(INDEXED_TERMS)]
    said.view(np.float32)[WIDTH : WIDTH + INDEXED_TERMS] = weights
    vector = np.eye(16, dtype="<f2")[number % 16].tobytes()
    return Piece(
        id=f"a{number}",
        revision="r",
        time=0.0,
        dated=False,
        lang="en",
        outlet="x.example",
        label="x",
        headline_only=False,
        vector=vector,
        said=said.tobytes(),
        sketch=b"",
    )


def by_looking_at_all(shelf: Shelf, wanted: Piece) -> list[str]:
    held = dict.fromkeys(KEYS, 0)
    for story in shelf.stories.values():
        for term in story.found_by:
            held[term] += 1
    terms = dict(zip(*(one.tolist() for one in terms_of(wanted.said)), strict=True))
    scored = [
        (sum(w for t, w in terms.items() if t in story.found_by), story)
        for story in shelf.stories.values()
    ]
    scored = [(score, story) for score, story in scored if score]
    scored.sort(key=lambda pair: (-pair[0], pair[1].row))
    assert max(held.values()) <= place.MAX_HOLDERS
    return [story.id for _, story in scored[: place.SHARING]]


def never(raw: Raw) -> Story:
    raise AssertionError("nothing was read from a snapshot")


def by_terms(shelf: Shelf, wanted: Piece) -> list[str]:
    by_row: dict[int, Story] = {story.row: story for story in shelf.stories.values()}
    return [by_row[row].id for row in shelf._sharing(wanted)]


def test_terms_find_the_stories_that_share_most_while_stories_come_grow_and_go() -> None:
    chance, shelf = random.Random(4), Shelf(never)
    for number in range(400):
        wanted = piece(number, chance)
        assert by_terms(shelf, wanted) == by_looking_at_all(shelf, wanted)
        known = list(shelf.stories.values())
        if len(known) > 60 or (known and chance.random() < 0.3):
            shelf.drop(chance.choice(known))
        elif known and chance.random() < 0.3:
            grown = chance.choice(known)
            grown.add(wanted)
            shelf.put(grown)
        else:
            shelf.put(open_story(f"s{number}", wanted, shelf.next_row()))


def test_a_term_that_too_many_stories_hold_finds_none() -> None:
    shelf = Shelf(never)
    wanted = piece(0, random.Random(1))
    for number in range(place.MAX_HOLDERS + 1):
        shelf.put(open_story(f"s{number}", wanted, shelf.next_row()))
    assert by_terms(shelf, wanted) == []
    shelf.drop(shelf.stories["s0"])
    assert by_terms(shelf, wanted) == ["s1", "s2", "s3"]
