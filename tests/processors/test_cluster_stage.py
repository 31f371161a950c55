"""The cluster stage: records in, records out, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import Raw, structs

from processors.cluster.decision import load
from stream.errors import BadRecord, UsageError
from stream.records import Article, Embedded, encode
from tests.processors.cluster_world import (
    BUDGET,
    FERRY,
    START,
    article,
    changes,
    embedded,
    place,
    placed,
    record,
    records,
    settings,
    stage,
    three_stories,
)


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
    assert len(lane.shelf.by_row) <= week + 2  # rows are used again
    assert len(lane.seen) <= 30 * 4 + 2


def test_settings_refuse_unknown_keys() -> None:
    with pytest.raises(ValueError, match="quite_days"):
        settings(quite_days=3)


def test_article_without_any_optional_field_is_placed() -> None:
    bare = Article(id="x", revision="r", title="Ferry aground", text="", outlet="o", fetched=START)
    one = Embedded(article=Raw(encode(bare)), model="words@1", dims=2, vector=b"\x00\x3c\x00\x00")
    given = record(article(1, "x"), 0)._replace(value=encode(one))
    assert len(placed(stage(), [given])) == 1


def test_reading_a_batch_ahead_changes_nothing_and_a_bad_record_fails_in_its_turn() -> None:
    given = records(three_stories())
    broken = given[2]._replace(value=b"{}")
    batch = [*given[:2], broken, *given[3:]]
    on, ahead = stage(), stage()
    ahead.ahead(batch)
    for one in batch:
        if one is broken:
            for each in (on, ahead):
                with pytest.raises(BadRecord):
                    each.process([one])
                each.skip(one, BadRecord("broken"))
        else:
            found = [encode(each.process([one])[0].record) for each in (on, ahead)]
            assert found[0] == found[1]


def test_what_was_read_ahead_of_a_batch_that_was_handed_back_is_not_taken_for_another() -> None:
    on = stage()
    on.ahead([record(article(1, "Ferry aground", FERRY), 0)])
    other = record(article(2, "Parliament passes budget", BUDGET), 0)
    on.ahead([other])
    assert on.process([other])[0].key == "a2"
