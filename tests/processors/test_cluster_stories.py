"""Stories as the cluster stage makes them: who shares one, when it closes, what it is called."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from msgspec import structs

from processors.cluster.clock import Clock
from processors.cluster.decision import regime
from processors.cluster.piece import DAY, Piece, as_float32, read
from processors.cluster.story import open_story
from processors.cluster.vocabulary import Vocabulary
from stream.records import encode
from tests.processors.cluster_world import (
    BUDGET,
    FERRY,
    START,
    VOLCANO,
    article,
    changes,
    embedded,
    place,
    placed,
    record,
    records,
    stage,
    three_stories,
)


def test_reports_of_one_happening_share_a_story_and_others_do_not() -> None:
    found = place(three_stories())
    stories = [one.story for one in found]
    assert all(len(set(stories[at::3])) == 1 for at in range(3))
    assert len(set(stories)) == 3
    assert changes(found, "created") == stories[:3]


def test_a_story_closes_after_the_quiet_window_of_event_time() -> None:
    ferry = article(1, "Ferry Solveig aground off Tarnholm", FERRY)
    soon = article(2, "Ferry Solveig aground off Tarnholm: inquiry", FERRY, hours=24 * 6)
    budget = article(3, "Parliament in Varsk passes budget", BUDGET, hours=24 * 12)
    late = article(4, "Ferry Solveig aground off Tarnholm: inquiry ends", FERRY, hours=24 * 14)
    found = place([ferry, soon, budget, late])
    assert found[1].story == found[0].story
    assert changes(found[:3], "closed") == []
    assert changes(found[3:], "closed") == [found[0].story]
    assert found[3].story != found[0].story


def test_closed_changes_come_sorted_on_the_next_placement() -> None:
    fairs = [article(9, "Harvest fair opens", hours=24 * 5)]
    fairs += [article(10, "Harvest fair ends", hours=24 * 9)]
    found = place([*three_stories(1), *fairs])
    assert changes(found[:4], "closed") == []
    assert changes(found[4:], "closed") == sorted(one.story for one in found[:3])


def test_an_undated_stream_never_closes_anything() -> None:
    given = [structs.replace(one, published=None, fetched=START) for one in three_stories(8)]
    found = place(given)
    assert changes(found, "closed") == []
    assert len({one.story for one in found}) == 3


def test_one_date_far_ahead_closes_nothing() -> None:
    given = three_stories()
    wrong = given[4].fetched + timedelta(days=900)
    given[4] = structs.replace(given[4], published=wrong, fetched=wrong)
    found = place(given)
    assert changes(found, "closed") == []
    assert len({one.story for one in found}) == 3


def test_the_clock_believes_a_gap_that_several_articles_confirm() -> None:
    clock = Clock(leap=7 * DAY)
    assert [clock.advance(day * DAY) / DAY for day in (0, 100, 1, 101, 102)] == [0, 0, 1, 1, 100]
    assert clock.advance(50 * DAY) == 100 * DAY  # never back


def test_a_late_article_still_finds_its_open_story() -> None:
    given = three_stories(3)
    found = place([*given[1:], given[0]])
    assert found[-1].story == found[2].story  # the second report of the ferry


def test_a_minor_revision_keeps_its_place() -> None:
    given = three_stories(2)
    edited = structs.replace(given[0], revision="r2", text=given[0].text + " Updated at noon.")
    on = stage()
    first = placed(on, records(given))
    [again] = placed(on, [record(edited, 6)])
    assert again.story == first[0].story
    assert again.changes == []


def test_a_page_reused_for_another_story_moves_by_a_logged_change() -> None:
    given = three_stories(3)
    reused = structs.replace(given[3], revision="r2", title=given[2].title, text=given[2].text)
    on = stage()
    first = placed(on, records(given))
    [moved] = placed(on, [record(reused, 9)])
    assert moved.story == first[2].story
    [split] = [change for change in moved.changes if change.kind == "split"]
    assert (split.story, split.into, split.articles) == (first[0].story, moved.story, ["a3"])


def test_a_story_left_by_its_only_article_is_merged_into_the_other() -> None:
    given = three_stories(2)
    alone = article(50, "Harvest fair opens in Mellby", "Apples, cider and a brass band. " * 8)
    reused = structs.replace(alone, revision="r2", title=given[2].title, text=given[2].text)
    on = stage()
    first = placed(on, records([*given, alone]))
    [moved] = placed(on, [record(reused, 7)])
    assert moved.story == first[2].story
    [merged] = [change for change in moved.changes if change.kind == "merged"]
    assert (merged.story, merged.into) == (first[6].story, first[2].story)


def test_the_label_is_the_headline_nearest_the_centre() -> None:
    given = three_stories(5)
    on = stage()
    found = placed(on, records(given))
    labels = {c.story: c.label for one in found for c in one.changes if c.label is not None}
    for at in range(3):
        own = given[at::3]
        vectors = np.stack([as_float32(embedded(one).vector) for one in own])
        nearest = own[int((vectors @ vectors.sum(axis=0)).argmax())]
        assert labels[found[at].story] == nearest.title


def test_a_label_changes_only_from_the_third_article_on() -> None:
    found = place(three_stories(5))
    sizes: Counter[str] = Counter()
    for one in found:
        sizes[one.story] += 1
        for change in one.changes:
            if change.kind == "relabelled":
                assert change.story == one.story
                assert sizes[one.story] >= 3


def test_novelty_falls_from_the_first_report_to_the_repeated_one() -> None:
    ferry = article(1, "Ferry Solveig aground", FERRY)
    again = article(2, "Ferry Solveig aground", FERRY, hours=1, outlet="outlet1.example")
    other = article(3, "Volcano Hekarra closes airports", VOLCANO, hours=2)
    found = place([ferry, again, other])
    assert found[0].novelty == 1.0
    assert found[1].novelty < 0.05
    assert found[2].novelty > 0.5


def test_text_in_a_language_the_model_does_not_read_is_told_apart_by_its_words() -> None:
    strike = "Los maestros de Quillota siguen en huelga por los salarios y cierran las escuelas"
    fire = "Un incendio forestal obliga a evacuar tres pueblos cerca de Los Andes"
    told = [
        f"{strike}, dice el sindicato de maestros",
        f"{fire}, dicen los bomberos",
        f"Huelga: {strike}",
        f"Incendio forestal: {fire}",
    ]
    # One vector for all of them: what a model makes of a language that it does not read.
    same = embedded(article(0, "x")).vector
    given = []
    for i, title in enumerate(told):
        one = structs.replace(embedded(article(i, title, lang="es", hours=i)), vector=same)
        given.append(record(article(i, title), i)._replace(value=encode(one)))
    stories = [one.story for one in placed(stage(), given)]
    assert stories[0] == stories[2]
    assert stories[1] == stories[3]
    assert stories[0] != stories[1]


@pytest.mark.parametrize(
    ("lang_of_it", "members", "expected"),
    [
        ("en", ["en"], "headline"),
        ("fr", ["en"], "across"),
        ("fr", ["en", "fr"], "headline"),
        ("fr", ["en", ""], "headline"),  # perhaps it is French
        ("", ["en"], "headline"),
        ("xx", ["xx"], "unread"),
        ("xx", ["en"], "across"),
        ("en", ["xx"], "across"),
    ],
)
def test_two_languages_have_weights_of_their_own_even_when_both_are_read(
    lang_of_it: str, members: list[str], expected: str
) -> None:
    def in_language(number: int, lang: str) -> Piece:
        one = structs.replace(article(number, "Ferry aground"), lang=lang or None)
        reading = read(embedded(one), one)
        reading.weigh(Vocabulary())
        return reading.piece

    opened = open_story("s", in_language(0, members[0]), 0)
    for number, lang in enumerate(members[1:], 1):
        opened.add(in_language(number, lang))
    assert regime(in_language(9, lang_of_it), opened, frozenset({"en", "fr"})) == expected
