from __future__ import annotations

import math
import random
from datetime import UTC, datetime

import pytest

from processors.match import decision
from processors.match.decision import probability
from processors.match.judge import Judge
from processors.match.settings import MatchSettings
from processors.match.signals import MOST_OUTDONE, UNREADABLE
from processors.match.words import lines
from stream.errors import UsageError
from stream.records import Article, Definition, Example, Name
from tests.processors.matching import (
    CAKE,
    LIMA,
    OSLO,
    TEXT,
    about,
    article,
    decide,
    judge,
    lima,
    near,
    oslo,
    signal,
)


def articles() -> list[Article]:
    return [
        article(),
        article(text="", title="Berg in Oslo"),
        article(published=None, published_from="none"),
        article(lang="no"),
        article(title="", text=TEXT.replace("Oslo", "Lima")),
    ]


@pytest.mark.parametrize("one", articles())
def test_contributions_add_up_to_the_score_and_the_score_to_the_probability(one: Article) -> None:
    for found in judge().all(one, near()):
        total = found.base + math.fsum(signal.contribution for signal in found.signals)
        assert found.score == pytest.approx(total, abs=1e-9)
        assert found.probability == probability(found.score)
        assert found.matched == (found.probability >= 0.5)


def test_an_article_about_the_event_matches_and_its_predecessor_does_not() -> None:
    found = judge().all(article(), near())
    assert [(one.event_id, one.matched) for one in found] == [("oslo", True), ("lima", False)]
    assert found[0].rival == "lima"
    assert found[0].rival_probability == found[1].probability
    assert found[0].margin == pytest.approx(found[0].probability - found[1].probability, abs=1e-5)


def test_closer_in_meaning_is_more_probable() -> None:
    chances = [decide(vector=near(OSLO, *[CAKE] * n)).probability for n in range(4)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > chances[-1]


def test_the_day_of_publication_is_evidence_that_fades_and_never_a_filter() -> None:
    days = ["2024-06-30", "2024-07-05", "2024-09-01", "2029-01-01"]
    found = [decide(published=datetime.fromisoformat(day + "T00:00Z")) for day in days]
    chances = [one.probability for one in found]
    assert chances == sorted(chances, reverse=True)
    assert len(set(chances)) == 4
    assert chances[-1] > 0


@pytest.mark.parametrize(
    "date",
    [
        {"published": None, "published_from": "none"},
        # A date that nobody gave: ingest put it there to keep an order.
        {"published": datetime(2024, 5, 20, tzinfo=UTC), "published_from": "none"},
    ],
)
def test_an_undated_article_has_no_date_evidence(date: dict[str, object]) -> None:
    found = decide(**date)
    assert [signal(found, name) for name in ("inside", "outside", "apart", "days")] == [0, 0, 0, 0]
    assert found.probability == decide(**date, fetched=datetime(1999, 1, 1, tzinfo=UTC)).probability


def test_the_best_sentence_is_verbatim_and_without_it_the_event_is_less_probable() -> None:
    found = decide()
    assert found.sentence
    assert found.sentence in TEXT
    without = decide(text=TEXT.replace(found.sentence, "").strip())
    assert without.probability < found.probability


def test_shared_names_stand_in_the_article_as_reported() -> None:
    found = decide(
        text="ANNA BERG arrived in Oslo. Anna  Berg and Berg, that is all there was here."
    )
    assert found.shared
    assert all(name in TEXT or name in "ANNA BERG Anna  Berg" for name in found.shared)
    assert "ANNA BERG" in found.shared


def test_a_name_of_one_word_written_apart_is_found() -> None:
    by = judge(oslo(places=[Name(name="Hanoi")]))
    assert "Hà Nội" in decide(by=by, title="Talks end in Hà Nội").shared


def test_somebody_else_of_the_same_surname_is_not_the_actor() -> None:
    other = decide(
        title="", text="Lena Berg Hansen spoke. Berg Hansen left the hall again at noon."
    )
    assert other.shared == []


def test_opening_on_the_other_event_speaks_against_this_one() -> None:
    first = "Negotiators met in Oslo and argued about dams for hours. "
    then = "An earlier round in Lima had failed after two days. "
    filler = "Nothing else of note was said by the people there. " * 3
    here = decide(title="", text=first + filler + then)
    there = decide(title="", text=then + filler + first)
    assert signal(here, "own") + signal(here, "opening") > signal(there, "own") + signal(
        there, "opening"
    )
    assert here.probability > there.probability


def test_what_a_related_event_is_ahead_is_taken_from_this_one_and_it_is_named() -> None:
    ahead, behind = judge().all(article(), near())
    told = next(one for one in behind.signals if one.name == "outdone")
    lead = ahead.score - (behind.score - told.contribution)
    assert told.value == pytest.approx(min(MOST_OUTDONE, lead), abs=1e-3)
    assert told.contribution < 0
    assert told.note == "“River conference in Oslo”, a related event, fits better"
    assert not signal(ahead, "outdone")
    # Nothing is taken where nobody is ahead, or the events have nothing to do with each other.
    alone = about("lima", judge(lima(), oslo(actors=[], follows=[])).all(article(), near()))
    assert not signal(alone, "outdone")


def test_what_the_event_is_not_about_speaks_against_it() -> None:
    festival = decide(title="Oslo film festival begins")
    assert signal(festival, "excluded") < 0
    assert signal(decide(), "excluded") == 0


def test_a_language_the_model_does_not_read_is_matched_by_names_and_says_so() -> None:
    found = decide(lang="zh", title="奥斯陆", text="会议在奥斯陆举行。", vector=near(CAKE))
    assert not [one for one in found.signals if one.name in UNREADABLE and one.contribution]
    assert found.shared == ["奥斯陆"]
    assert (
        found.probability
        == decide(
            lang="zh", title="奥斯陆", text="会议在奥斯陆举行。", vector=near(OSLO)
        ).probability
    )
    assert any("names and aliases only" in line for line in lines(found))


def examples_only(**more: object) -> Definition:
    example = Example(title="Dams divide Oslo conference", text=TEXT)
    return Definition(id="oslo", version=1, title="Rivers", examples=[example], **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "definition",
    [
        examples_only(),
        Definition(id="oslo", version=1, title="River conference in Oslo"),
        Definition(id="oslo", version=1, title="Conference", description="On rivers, in Oslo."),
    ],
)
def test_definitions_without_lists_windows_or_descriptions_work(definition: Definition) -> None:
    by = judge(definition, lima())
    close = decide(by=by, vector=near(OSLO))
    far = decide(by=by, vector=near(CAKE), title="A cake", text="Bake it for an hour in the oven.")
    assert close.matched
    assert far.probability < 0.05


def test_counter_examples_do_not_make_an_article_closer() -> None:
    example = Example(title="Cake", about=False)
    by = judge(oslo(examples=[example]))
    assert all(math.isfinite(one.contribution) for one in decide(by=by).signals)
    assert decide(by=by).base == decide(by=judge(oslo())).base


def test_kept_are_likely_decisions_and_their_best_rival() -> None:
    kept = judge().kept(article(), near())
    assert [one.event_id for one in kept] == ["oslo", "lima"]
    assert kept[1].probability < 0.05
    assert all(one.signals for one in kept)
    assert judge().kept(article(title="A cake", text="Bake it.", lang="en"), near(CAKE)) == []


def test_a_decision_does_not_depend_on_the_order_of_articles_or_definitions() -> None:
    many = articles()
    order = list(range(len(many)))
    random.Random(3).shuffle(order)
    one, other = judge(oslo(), lima()), judge(lima(), oslo())
    expected = [one.kept(each, near(LIMA, OSLO)) for each in many]
    shuffled = {i: other.kept(many[i], near(LIMA, OSLO)) for i in order}
    assert [shuffled[i] for i in range(len(many))] == expected


def test_many_events_are_searched_by_nearness_and_names() -> None:
    crowd = [
        Definition(id=f"e{n:03}", version=1, title=f"Matter {n}", places=[Name(name=f"Town{n}")])
        for n in range(60)
    ]
    by = judge(oslo(), *crowd)
    found = by.kept(article(text=TEXT + " Town59 was named."), near(OSLO))
    assert found[0].event_id == "oslo"
    assert found[0].matched


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "\0" * 1000,
        "Oslo" * 250_000,
        "Oslo " * 200_000,
        "Anna " * 200_000,
        " ",
        "\ud800",
    ],
    ids=["no spaces", "nul", "glued", "repeated", "half a name", "blank", "surrogate"],
)
def test_hostile_text_is_safe(text: str) -> None:
    for found in judge().all(article(title=text[:5000], text=text), near()):
        assert math.isfinite(found.score)
        assert all(name in text for name in found.shared)


def test_a_model_without_a_decision_file_is_refused_unless_marked() -> None:
    with pytest.raises(UsageError, match="decision_file"):
        decision.load("other-model@1234")
    marked = decision.load("other-model@1234", uncalibrated=True)
    assert not marked.calibrated
    table = judge().table
    found = Judge(table, marked, MatchSettings()).all(article(), near())
    assert not any(one.calibrated for one in found)
    assert "uncalibrated" in lines(found[0])[0]


def test_reasons_are_two_to_six_lines_and_name_what_decided() -> None:
    for found in [*judge().all(article(), near()), *judge().all(article(lang="no"), near())]:
        told = lines(found, "Some event")
        assert 2 <= len(told) <= 6 - found.matched
        assert "Some event" in told[0]
    text = "\n".join(lines(decide()))
    assert "best rival: lima" in text
    assert decide().sentence in text
