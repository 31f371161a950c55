"""The index of sketches: what came and went leaves no trace in what is found."""

from __future__ import annotations

import random

from processors.cluster.copies import MAX_HELD, RESEMBLANCE, Sketches, resemblance, sketch


def texts(families: int, each: int) -> dict[str, list[str]]:
    """Families of texts that share most of their words."""
    drawn = random.Random(3)
    made = {}
    for family in range(families):
        base = [f"w{drawn.randrange(5000)}" for _ in range(60)]
        for number in range(each):
            terms = list(base)
            for _ in range(number):
                terms[drawn.randrange(60)] = f"x{drawn.randrange(5000)}"
            made[f"a{family}-{number}"] = terms
    return made


def brute(held: dict[str, bytes], asked: bytes) -> set[str]:
    return {name for name, one in held.items() if resemblance(asked, one) >= RESEMBLANCE}


def test_the_index_finds_what_comparing_with_everything_finds() -> None:
    sketches = {name: sketch([], terms) for name, terms in texts(40, 6).items()}
    index, held, drawn = Sketches(), dict[str, bytes](), random.Random(5)
    for turn in range(6):
        for name, one in sketches.items():
            if name not in held and drawn.random() < 0.5:
                index.add(name, one)
                held[name] = one
        for name in list(held):
            if drawn.random() < 0.4:
                index.remove(name)
                del held[name]
        found = {name: {other for _, other in index.like(one)} for name, one in sketches.items()}
        assert found == {name: brute(held, one) for name, one in sketches.items()}, turn
    assert sum(len(one) for one in found.values()) > len(held)


def test_of_a_text_published_without_end_the_newest_are_found() -> None:
    one = sketch([], next(iter(texts(1, 1).values())))
    index = Sketches()
    for number in range(3 * MAX_HELD):
        index.add(f"a{number:03d}", one)
    newest = [f"a{number:03d}" for number in range(2 * MAX_HELD, 3 * MAX_HELD)]
    assert [name for _, name in index.like(one)] == newest
    for name in newest:
        index.remove(name)
    index.remove(newest[0])  # not held any more: nothing happens
    assert [name for _, name in index.like(one)] == [
        f"a{number:03d}" for number in range(MAX_HELD, 2 * MAX_HELD)
    ]


def test_texts_too_short_to_tell_are_neither_held_nor_found() -> None:
    index = Sketches()
    index.add("a", b"")
    assert index.like(b"") == []
    index.remove("a")
