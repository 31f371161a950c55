"""Copies: what counts as the same text, the index that finds them, what the stage says of them."""

from __future__ import annotations

import random

import pytest

from processors.cluster.bag import hashed
from processors.cluster.copies import MAX_HELD, Sketches, repeated, resemblance, sketch
from processors.text.words import terms
from tests.processors.cluster_world import FERRY, article, place

LEAD = (
    "The harbour of Tarnholm will stay closed for three more days after the grounding of the "
    "ferry Solveig, the port authority said on Monday, while divers look for cracks in the hull."
)
REST = (
    " Salvage crews pumped out fuel during the night and hope to pull the ship free at high "
    "tide. Shops on the island are short of bread, and the school has asked parents to keep "
    "children at home until the buses have diesel again."
)
TITLE = "Tarnholm harbour closed for three more days after ferry grounding"


def of(title: str, body: str = "") -> bytes:
    return sketch(hashed(terms(title)), hashed(terms(body)))


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


@pytest.mark.parametrize(
    ("title", "body"),
    [
        (TITLE, LEAD),
        ("Ferry wreck: divers search for cracks", LEAD),
        ("Island cut off", LEAD + REST),
        ("Island cut off", f"By Ola Lund, Coast News Agency. {LEAD}{REST}"),
        (TITLE, LEAD.replace("three more days", "some days").replace("Monday", "Tuesday")),
    ],
    ids=["whole", "other headline", "not cut", "credit before it", "edited"],
)
def test_a_text_taken_over_is_a_copy(title: str, body: str) -> None:
    assert repeated(of(TITLE, LEAD), of(title, body)) >= 0.55
    assert repeated(of(title, body), of(TITLE, LEAD)) == repeated(of(TITLE, LEAD), of(title, body))


@pytest.mark.parametrize(
    ("title", "body"),
    [
        (
            "Ferry Solveig still aground off Tarnholm",
            "Divers went down to the ferry Solveig on Monday and found no hole, but the port "
            "authority keeps the harbour shut because fuel might leak.",
        ),
        (TITLE, "No boat comes in or out, and bread is short on the island, our reporter found."),
        ("All you need to know", "All you need to know about what happens in town today."),
    ],
    ids=["same news", "same headline", "too short"],
)
def test_another_text_on_the_same_news_is_none(title: str, body: str) -> None:
    assert repeated(of(TITLE, LEAD), of(title, body)) == 0
    assert repeated(of(title, body), of("Today", "All you need to know about the races.")) == 0


def test_a_headline_alone_is_known_by_the_headline() -> None:
    assert repeated(of(TITLE), of("LIVE: " + TITLE, LEAD)) > 0.5
    assert repeated(of(TITLE), of("Harbour closed for three more days after fire")) == 0
    assert repeated(of("Ferry aground"), of("Ferry aground")) == 0  # too short to tell


def test_a_short_item_is_found_in_a_long_text() -> None:
    long = " ".join(f"w{i} v{i * 7} u{i * 13}" for i in range(60))
    text = of("B", f"{LEAD}{REST} {long}")
    index = Sketches({"long": text}.__getitem__)
    index.add("long", text)
    assert [name for _, name in index.like(of("A", LEAD))] == ["long"]
    assert index.like(of("A", REST.replace(" ", " x "))) == []


def test_an_edit_resembles_what_it_was_made_of_and_another_report_does_not() -> None:
    assert resemblance(of(TITLE, LEAD), of("New headline", LEAD)) == 1
    assert resemblance(of(TITLE, LEAD), of(TITLE, REST)) == 0
    assert resemblance(b"", of(TITLE, LEAD)) == 0


def test_the_index_finds_what_comparing_with_everything_finds() -> None:
    sketches = {name: sketch(hashed([]), hashed(terms)) for name, terms in texts(40, 6).items()}
    held, drawn = dict[str, bytes](), random.Random(5)
    index = Sketches(held.__getitem__)
    for turn in range(6):
        for name, one in sketches.items():
            if name not in held and drawn.random() < 0.5:
                index.add(name, one)
                held[name] = one
        for name in list(held):
            if drawn.random() < 0.4:
                index.remove(name, held.pop(name))
        found = {name: {other for _, other in index.like(one)} for name, one in sketches.items()}
        brute = {
            name: {other for other, held_one in held.items() if repeated(one, held_one)}
            for name, one in sketches.items()
        }
        assert found == brute, turn
    assert sum(len(one) for one in found.values()) > len(held)


def test_of_a_text_published_without_end_the_newest_are_found() -> None:
    one = sketch(hashed([]), hashed(next(iter(texts(1, 1).values()))))
    index = Sketches(lambda name: one)
    for number in range(3 * MAX_HELD):
        index.add(f"a{number:03d}", one)
    newest = [f"a{number:03d}" for number in range(2 * MAX_HELD, 3 * MAX_HELD)]
    assert [name for _, name in index.like(one)] == newest
    for name in newest:
        index.remove(name, one)
    index.remove(newest[0], one)  # not held any more: nothing happens
    assert [name for _, name in index.like(one)] == [
        f"a{number:03d}" for number in range(MAX_HELD, 2 * MAX_HELD)
    ]


def test_texts_too_short_to_tell_are_neither_held_nor_found() -> None:
    index = Sketches(lambda name: b"")
    index.add("a", b"")
    assert index.like(b"") == []
    index.remove("a", b"")


def test_a_copy_names_the_earliest_article_with_the_text() -> None:
    original = article(1, "Ferry Solveig runs aground", FERRY)
    again = article(2, "All safe after ferry accident", FERRY + " Contact our desk.", hours=1)
    third = article(3, "Passengers rescued at night", "LUND. " + FERRY, hours=2)
    found = place([original, again, third])
    assert [one.copy_of for one in found] == [None, "a1", "a1"]
    assert len({one.story for one in found}) == 1
    assert [one.novelty for one in found[1:]] == [0.0, 0.0]


def test_a_report_in_other_words_is_no_copy() -> None:
    retold = (
        "More than three hundred people were saved at night when the Solveig struck rocks near "
        "Tarnholm. Its rudder did not answer, according to the coast guard, and the anchor came "
        "too late. Nordlinjen stops its crossings for now; the hull is to be looked at by divers."
    )
    found = place([article(1, "Ferry aground", FERRY), article(2, "Ferry rescue", retold, hours=1)])
    assert [one.copy_of for one in found] == [None, None]


def test_the_same_outlet_sending_a_text_again_is_no_copy_of_another_outlet() -> None:
    again = article(2, "Ferry aground (update)", FERRY, hours=1, outlet="outlet1.example")
    found = place([article(1, "Ferry aground", FERRY), again])
    assert found[1].copy_of is None
    assert found[1].story == found[0].story


@pytest.mark.parametrize("text", ["", "Follow our live coverage here."])
def test_short_texts_are_never_copies(text: str) -> None:
    found = place([article(1, "Live: latest news", text), article(2, "Live: latest news", text)])
    assert found[1].copy_of is None
