"""What the cluster stage does with articles."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from msgspec import Raw, structs

from processors.cluster.clock import Clock
from processors.cluster.decision import load, regime
from processors.cluster.piece import DAY, Piece, as_float32, read
from processors.cluster.story import open_story
from processors.cluster.vocabulary import Vocabulary
from stream.errors import BadRecord, UsageError
from stream.records import Article, Embedded, Placed, encode
from tests.processors.cluster_world import (
    BUDGET,
    FERRY,
    START,
    VOLCANO,
    article,
    embedded,
    place,
    placed,
    record,
    records,
    settings,
    stage,
    three_stories,
)


def changes(found: list[Placed], kind: str) -> list[str]:
    return [change.story for one in found for change in one.changes if change.kind == kind]


def test_reports_of_one_happening_share_a_story_and_others_do_not() -> None:
    found = place(three_stories())
    stories = [one.story for one in found]
    assert all(len(set(stories[at::3])) == 1 for at in range(3))
    assert len(set(stories)) == 3
    assert changes(found, "created") == stories[:3]


def test_the_placement_forwards_the_embedded_record_byte_for_byte() -> None:
    given = record(article(1, "Ferry aground", FERRY), 0)
    widened = given._replace(value=given.value[:-1] + b',"added_later":{"x":[1,2]}}')
    [found] = placed(stage(), [widened])
    assert bytes(found.embedded) == widened.value


def test_outputs_go_to_the_lane_and_key_of_the_article() -> None:
    on = stage()
    [output] = on.process([record(article(7, "Ferry aground", FERRY), 0)])
    assert (output.topic, output.partition, output.key) == ("dateline.placed", 0, "a7")


def test_story_ids_depend_on_lane_article_and_revision_only() -> None:
    one, other = article(1, "Ferry aground", FERRY), article(1, "Something else", BUDGET)
    assert place([one])[0].story == place([other])[0].story
    revised = structs.replace(one, revision="r2")
    assert place([one])[0].story != place([revised])[0].story
    assert place([one])[0].story.startswith("s")


def test_a_redelivered_record_produces_nothing() -> None:
    given = three_stories()
    on = stage()
    first = placed(on, records(given))
    assert len(first) == len(given)
    again = [record(one, len(given) + i) for i, one in enumerate(given)]
    assert placed(on, again) == []


def test_ids_are_forgotten_after_the_seen_window() -> None:
    first = article(1, "Ferry aground", FERRY)
    later = [article(i, f"Budget news {i}", BUDGET, hours=24 * 6 * i) for i in range(2, 9)]
    on = stage(seen_days=30)
    placed(on, records([first, *later]))
    assert len(placed(on, [record(first, 20)])) == 1


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
    "title",
    [
        "",
        " ",
        "\x00\x01",
        "\u202e" * 50,
        "💥" * 300,
        "a" * 100_000,
        "1 " * 50_000,
        "的" * 20_000,
        "<b>&#0;",
    ],
)
def test_hostile_text_is_placed_like_any_other(title: str) -> None:
    on = stage()
    given = [article(1, title), article(2, "", title), article(3, title, title)]
    assert len(placed(on, records(given))) == 3
    assert len(placed(on, [record(article(4, "Ferry aground", FERRY), 3)])) == 1


@pytest.mark.parametrize("broken", ["short", "nan", "other length"])
def test_a_broken_vector_is_the_records_fault_and_changes_nothing(broken: str) -> None:
    given = three_stories()
    on, undisturbed = stage(), stage()
    placed(on, records(given[:6]))
    bad = embedded(article(90, "Ferry", FERRY))
    if broken == "short":
        bad = structs.replace(bad, vector=bad.vector[:-2])
    elif broken == "nan":
        bad = structs.replace(bad, vector=b"\xff\x7f" * bad.dims)
    else:
        bad = structs.replace(bad, vector=bad.vector[:64], dims=32)
    failing = record(given[0], 6)._replace(value=encode(bad))
    with pytest.raises(BadRecord, match="vector"):
        on.process([failing])
    on.skip(failing, BadRecord("x"))
    rest = [record(one, 7 + i) for i, one in enumerate(given[6:])]
    expected = placed(undisturbed, [*records(given[:6]), *rest])[6:]
    assert placed(on, rest) == expected


def test_another_model_starts_new_stories() -> None:
    given = three_stories(2)
    on = stage()
    first = placed(on, records(given[:3]))
    second = placed(on, [record(one, 3 + i, model="words@2") for i, one in enumerate(given[3:])])
    assert changes(second[:1], "closed") == sorted(one.story for one in first)
    assert not {one.story for one in first} & {one.story for one in second}


def test_a_model_without_a_decision_file_is_refused_in_one_sentence() -> None:
    on = stage(decision_file=None)
    with pytest.raises(UsageError, match="no story decision for the model words"):
        on.process([record(article(1, "Ferry"), 0)])


@pytest.mark.parametrize(
    ("content", "says"), [(b"{", "not a decision file"), (b"{}", "not a decision file")]
)
def test_a_broken_decision_file_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says):
        load("words@1", path)
    with pytest.raises(UsageError, match=r"cannot read .*absent\.json"):
        load("words@1", tmp_path / "absent.json")


def test_memory_is_bounded_by_the_window() -> None:
    given = [
        article(i, f"Village number{i} opens bridge{i} across river{i}", hours=6 * i)
        for i in range(300)
    ]
    on = stage()
    placed(on, records(given))
    lane = on._lanes[0]
    week = 7 * 4 + 2
    assert len(lane.shelf.stories) <= week
    assert len(lane.known) <= week
    assert len(lane.shelf._by_row) <= week + 2  # rows are used again
    assert len(lane.seen) <= 30 * 4 + 2


def test_settings_refuse_unknown_keys() -> None:
    with pytest.raises(ValueError, match="quite_days"):
        settings(quite_days=3)


def test_article_without_any_optional_field_is_placed() -> None:
    bare = Article(id="x", revision="r", title="Ferry aground", text="", outlet="o", fetched=START)
    one = Embedded(article=Raw(encode(bare)), model="words@1", dims=2, vector=b"\x00\x3c\x00\x00")
    given = record(article(1, "x"), 0)._replace(value=encode(one))
    assert len(placed(stage(), [given])) == 1


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
        return read(embedded(one), one, Vocabulary())[0]

    opened = open_story("s", in_language(0, members[0]), 0)
    for number, lang in enumerate(members[1:], 1):
        opened.add(in_language(number, lang))
    assert regime(in_language(9, lang_of_it), opened, frozenset({"en", "fr"})) == expected
