"""Many registered events: each is judged by how far it is ahead of all others."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from processors.match import crowd, decision, signals
from processors.match.events import build
from processors.match.judge import Judge
from processors.match.settings import MatchSettings
from processors.text.words import terms
from stream.records import Article, Decision, Definition, DefinitionVectors, Example, Name
from tests.processors.matching import MODEL, signal

TOWNS = [f"{a}{b}" for a in ("North", "South", "East", "West", "Old") for b in (
    "bridge", "haven", "minster", "field", "mere", "combe")]  # fmt: skip
SIZE = 40
FIRE = np.eye(SIZE, dtype=np.float32)[-1]


def vector(town: int, share: float = 0.6) -> np.ndarray:
    """Fires are alike; `share` of one is its own."""
    found = (1 - share) * FIRE
    if town < len(TOWNS):
        found = found + share * np.eye(SIZE, dtype=np.float32)[town]
    return (found / np.linalg.norm(found)).astype(np.float32)


def text(town: str) -> str:
    return f"A fire broke out at the {town} warehouse. Crews from {town} fought it until dawn."


def definitions(count: int = len(TOWNS)) -> list[Definition]:
    return [
        Definition(
            id=town.lower(),
            version=1,
            title=f"Fire in {town}",
            examples=[Example(title=f"Blaze at warehouse in {town}", text=text(town), about=True)],
        )
        for town in TOWNS[:count]
    ]


def judge(*chosen: Definition) -> Judge:
    packed = {
        one.id: DefinitionVectors(
            event_id=one.id,
            version=1,
            model=MODEL,
            dims=SIZE,
            description=[vector(n).astype("<f2").tobytes()] * 2,
            examples=[vector(n).astype("<f2").tobytes()] * len(one.examples),
        )
        for n, one in enumerate(chosen)
    }
    return Judge(build(chosen, packed), decision.load(MODEL), MatchSettings())


def article(town: str) -> Article:
    return Article(
        id="a",
        revision="r",
        outlet="x.example",
        lang="en",
        title=f"Warehouse fire in {town} out after long night",
        text=text(town).replace("Crews", "Many crews"),
        fetched=datetime(2024, 6, 1, tzinfo=UTC),
    )


def matched(decisions: list[Decision]) -> list[str]:
    return [one.event_id for one in decisions if one.matched]


def test_each_of_many_look_alikes_gets_its_own_article_and_no_other() -> None:
    many = judge(*definitions())
    for n, town in enumerate(TOWNS):
        assert matched(many.all(article(town), vector(n))) == [town.lower()]


def test_an_incident_of_the_same_kind_that_is_none_of_them_matches_none() -> None:
    assert matched(judge(*definitions()).all(article("Ravenspur"), vector(len(TOWNS)))) == []


def test_the_lead_over_all_others_is_among_the_reasons_and_says_the_words_shared() -> None:
    best = judge(*definitions()).all(article("Oldmere"), vector(TOWNS.index("Oldmere")))[0]
    assert signal(best, "lead") > 0
    assert signal(best, "told") > 0
    assert "oldmere" in next(one.note for one in best.signals if one.name == "told")


def test_few_events_are_judged_by_themselves() -> None:
    few = judge(*definitions(crowd.CROWD - 1))
    assert few.table.crowd is None
    best = few.all(article("Northhaven"), vector(1))[0]
    assert signal(best, "lead") == signal(best, "told") == 0


def test_an_event_that_lists_people_is_judged_by_them_in_any_company() -> None:
    listed = definitions()
    listed[0].actors = [Name(name="Anna Berg")]
    decisions = judge(*listed).all(article(TOWNS[0]), vector(0))
    found = next(one for one in decisions if one.event_id == listed[0].id)
    assert signal(found, "lead") == signal(found, "told") == 0


def test_what_is_told_does_not_depend_on_the_order_of_words() -> None:
    many = judge(*definitions()).table.crowd
    assert many is not None
    words = dict.fromkeys(["fire", "eastm", "crews", "dawn"], 1)
    backwards = dict(reversed(words.items()))
    found = [crowd.told(crowd.hear(said, many)) for said in (words, backwards)]
    assert found[0].tobytes() == found[1].tobytes()
    assert found[0].any()


def test_an_article_that_differs_a_little_tells_what_it_would_tell_by_itself() -> None:
    many = judge(*definitions()).table.crowd
    assert many is not None
    words = {"fire": 3, "eastm": 2, "crews": 1, "dawn": 1, "unhea": 1}
    shorter = {"fire": 2, "eastm": 1, "wareh": 1, "unhea": 1, "other": 2}
    heard = crowd.instead(crowd.hear(words, many), shorter, many)
    assert np.array_equal(crowd.told(heard), crowd.told(crowd.hear(shorter, many)))
    assert not np.array_equal(crowd.told(heard), crowd.told(crowd.hear(words, many)))


@pytest.mark.parametrize(
    ("scores", "lead"), [([0.7, 0.5, 0.2], 0.2), ([0.5, 0.7, 0.2], -0.2), ([0.5, 0.1, 0.1], 0.05)]
)
def test_the_lead_is_over_the_nearest_rival_or_a_stranger(scores: list[float], lead: float) -> None:
    assert crowd.standing(np.array(scores), 0.45).lead(0) == pytest.approx(lead)


def test_words_are_the_same_when_they_begin_alike_and_are_told_as_the_article_has_them() -> None:
    assert crowd.counts({"samoan"}, [{"samoa"}]) == crowd.counts({"samoa"}, [{"samoans"}])
    many = judge(*definitions())
    told = article("Oldmere")
    told.title = "Warehouses in Oldmere"
    told.text = "Blazes are frequent at warehouses."
    best = many.all(told, vector(TOWNS.index("Oldmere")))[0]
    note = next(one.note for one in best.signals if one.name == "told")
    shared = note.removeprefix("shares the words ").replace(" and ", ", ").split(", ")
    assert "oldmere" in shared
    assert set(shared) <= set(f"{told.title} {told.text}".lower().replace(".", "").split())


def test_the_name_of_a_person_alone_says_nothing_but_in_another_language() -> None:
    text = "Mara Lindqvist entered a clinic on Friday. A judge had ordered it, her lawyer said."
    stay = Definition(
        id="stay",
        version=1,
        title="Mara Lindqvist in a clinic",
        examples=[Example(title="Mara Lindqvist enters a clinic", text=text, about=True)],
    )
    every = [*definitions(), stay]
    rows = np.array([vector(n) for n in range(len(every))], dtype=np.float64)
    many = crowd.gather(every, [[n] for n in range(len(every))], rows)

    def told(title: str, *, foreign: bool = False) -> float:
        heard = crowd.hear(crowd.counts(terms(title), []), many)
        return crowd.told(heard, np.full(len(every), foreign)).item(len(every) - 1)

    assert told("Mara Lindqvist returns to television") == 0
    assert told("Mara Lindqvist kehrt zum Fernsehen zurück", foreign=True) > 0
    assert told("Mara Lindqvist leaves the clinic") > told("A singer leaves the clinic") > 0


def test_the_name_of_the_outlet_behind_a_headline_is_no_word_of_it() -> None:
    many = judge(*definitions())
    plain, signed = article("Oldmere"), article("Oldmere")
    signed.title = f"{plain.title} | The Westfield Herald"
    near = vector(TOWNS.index("Oldmere"))
    assert many.all(signed, near)[0].score == many.all(plain, near)[0].score


def test_an_article_farther_from_the_examples_than_these_from_one_another_strays() -> None:
    pairs = [row for n in range(len(TOWNS)) for row in (vector(n), vector(n, 0.9))]
    rows = [[2 * n, 2 * n + 1] for n in range(len(TOWNS))]
    many = crowd.gather(definitions(), rows, np.array(pairs, dtype=np.float64))
    assert 0 < many.apart[0] == pytest.approx(float(vector(0) @ vector(0, 0.9)), abs=1e-3)
    one_each = crowd.gather(definitions(), [own[:1] for own in rows], np.array(pairs, np.float64))
    assert set(one_each.apart) == {0.0}

    packed = judge(*_known_by_two()).table
    first = [one.definition.id for one in packed.events].index(TOWNS[0].lower())
    for share, strays in ((0.6, False), (0.05, True)):
        (near,) = signals.near(vector(0, share)[np.newaxis], packed, 0.0)
        found = signals.dense(first, packed, near)
        assert (found["stray"] > 0) == strays


def _known_by_two() -> list[Definition]:
    found = definitions()
    for one in found:
        one.examples = one.examples * 2
    return found
