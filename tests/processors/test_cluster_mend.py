"""Stories that turn out to be two part, and two that turn out to be one become one."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from bench.stories import follow
from processors.cluster import mend, pairs
from processors.cluster.decision import Decision, load
from stream.log.contract import LogRecord
from stream.records import PLACED, Article, Placed, StoryChange, encode
from tests.processors.cluster_world import (
    DECISION,
    LANE,
    START,
    article,
    place,
    placed,
    records,
    stage,
)

WORDS = {
    "ferry": "Solveig Tarnholm harbour rudder rocks captain anchor hull divers coastguard lifeboat "
    "passengers island Nordlinjen crossing tide storm deck engine tug pilot cargo quay winch "
    "beacon keel mast rope chart swell reef buoy dock sailor bridge lantern port cabin wreck",
    "fire": "Brandel warehouse flames smoke hydrant ladder brigade roof sparks timber arson ashes "
    "alarm hose Kestrel sprinkler insurer evacuation furnace embers chemical foam watchman depot "
    "pallets blaze heat soot chimney electrician fuse short circuit wall stairs exit siren pump",
}


DRAWN = 34  # of 38 or 39


def reports(subject: str, count: int, first: int = 0) -> list[Article]:
    """Articles about one happening that share most of its words, and no sentence."""
    made = []
    for number in range(first, first + count):
        draw = random.Random(f"{subject}{number}")
        words = draw.sample(WORDS[subject].split(), DRAWN)
        two = zip(words[: DRAWN // 2], words[DRAWN // 2 :], strict=True)
        text = " ".join(f"The {one} and the {other} of report {number}." for one, other in two)
        title = " ".join(words[:5])
        made.append(article(number, title, text, hours=number, id=f"{subject}{number}"))
    return made


def in_turn(*streams: list[Article]) -> list[Article]:
    return [one for several in zip(*streams, strict=True) for one in several]


def leaning(folder: Path, by: float) -> Path:
    """A decision file that joins stories more readily by so much log-odds."""
    content = json.loads(DECISION.read_text())
    for regime in content["regimes"].values():
        regime["bias"] += by
    path = folder / f"leaning{by}.json"
    path.write_text(json.dumps(content))
    return path


# Everything is thrown into one story at first; a part that was split off too early comes back.
BOTH = in_turn(reports("ferry", 12), reports("fire", 12))


@pytest.fixture
def found(tmp_path: Path) -> list[Placed]:
    return place(BOTH, decision_file=leaning(tmp_path, 6))


def changes(found: list[Placed], kind: str) -> list[tuple[Placed, StoryChange]]:
    return [(one, change) for one in found for change in one.changes if change.kind == kind]


def in_the_end(found: list[Placed]) -> dict[str, str]:
    articles = [one.read_embedded().read_article() for one in found]
    last = follow(zip(articles, found, strict=True)).last
    return {article.id: story for article, story in zip(articles, last, strict=True)}


def test_two_happenings_thrown_together_part(found: list[Placed]) -> None:
    assert len({one.story for one in found[:9]}) == 1
    [(placement, split)] = changes(found, "split")
    assert placement.source_offset == 9
    assert split.story == found[0].story
    assert split.into == placement.story  # the article in hand is placed there at once
    assert split.articles == [f"fire{n}" for n in range(4)]
    ends = in_the_end(found)
    assert len(set(ends.values())) == 2
    assert len({ends[f"ferry{n}"] for n in range(12)}) == 1
    assert len({ends[f"fire{n}"] for n in range(12)}) == 1


def test_the_story_that_others_leave_keeps_its_id(found: list[Placed]) -> None:
    assert in_the_end(found)["ferry0"] == found[0].story


def test_a_split_off_story_is_created_before_anything_moves_into_it(found: list[Placed]) -> None:
    for placement, split in changes(found, "split"):
        kinds = [(change.kind, change.story) for change in placement.changes]
        created = kinds.index(("created", str(split.into)))
        assert created < kinds.index(("split", split.story))
        assert placement.changes[created].label


def torn(given: list[LogRecord], *, by: int = 3) -> list[LogRecord]:
    """A log on which every `by`th report on the ferry stands in a story of its own kind."""
    facts = []
    for n, one in enumerate(placed(stage(), given)):
        article_id = one.read_embedded().read_article().id
        if article_id.startswith("ferry"):
            name = "s-small" if int(article_id[5:]) % by == 1 else "s-large"
            one = structs.replace(one, story=name, changes=[])
        facts.append(LogRecord(PLACED, 0, n, b"", encode(one), {}, START))
    return facts


def test_two_parts_of_one_happening_become_one_and_the_larger_one_stays() -> None:
    given = records([*in_turn(reports("ferry", 8), reports("fire", 8)), *reports("ferry", 3, 8)])
    on = stage()
    on.restore(LANE, iter(torn(given[:16])))
    found = placed(on, given)
    [(placement, merged)] = changes(found, "merged")
    assert (merged.story, merged.into) == ("s-small", "s-large")
    assert placement is found[0]
    assert {one.story for one in found} == {"s-large"}
    assert "s-small" not in on._lanes[0].shelf.stories
    whole = on._lanes[0].shelf.stories["s-large"]
    assert whole.size == len(on._lanes[0].members(whole)) == 11


def test_an_edit_of_an_article_whose_story_was_merged_stays_with_it() -> None:
    given = [*in_turn(reports("ferry", 8), reports("fire", 8)), *reports("ferry", 1, 8)]
    edit = structs.replace(given[2], revision="r2", text=given[2].text + " Corrected.")
    every = records([*given, edit])
    on = stage()
    on.restore(LANE, iter(torn(every[:16])))
    found = placed(on, every)
    assert [one.story for one in found] == ["s-large", "s-large"]


def test_copies_leave_with_what_they_copy(tmp_path: Path) -> None:
    told = in_turn(reports("ferry", 5), reports("fire", 5))
    copy = structs.replace(told[1], id="copy", outlet="other.example")
    found = place([*told[:3], copy, *told[3:]], decision_file=leaning(tmp_path, 6))
    assert found[3].copy_of == "fire0"
    [(_, split)] = changes(found, "split")
    assert split.articles == ["fire0", "fire1", "fire2", "fire3", "copy"]
    ends = in_the_end(found)
    assert ends["copy"] == ends["fire0"] == ends["fire1"] != ends["ferry0"]


@pytest.mark.parametrize(
    ("alike", "gone"), [([10, 2], [10, 11]), ([11, 1], []), ([6, 6], [6, 7, 8, 9, 10, 11])]
)
def test_the_smaller_part_leaves_unless_it_is_one_article(
    monkeypatch: pytest.MonkeyPatch, alike: list[int], gone: list[int]
) -> None:
    on = stage()
    placed(on, records(reports("ferry", 12)))
    [story] = on._lanes[0].shelf.stories.values()
    members = on._lanes[0].originals(story)
    side = np.repeat([0, 1], alike)
    chances = np.where(side[:, None] == side[None, :], 0.9, 0.1)
    monkeypatch.setattr(Decision, "chances", lambda *_: chances)
    decision = load("words@1", DECISION)
    assert mend.leaving(members, [], decision) == [members[n] for n in gone]


def test_of_headlines_alone_stories_are_compared_where_news_is_varied() -> None:
    on = stage()
    on.restore(LANE, iter(torn(given := records(reports("ferry", 8)))))
    placed(on, given)
    small, large = (on._lanes[0].shelf.stories[name] for name in ("s-small", "s-large"))
    for one in (*small.newest, *large.newest):
        one.headline_only = True
    ranked = [(2.0, large), (-1.0, small)]
    assert list(mend.likely(ranked, large, large.newest[0], varied=0.4)) == []
    assert list(mend.likely(ranked, large, large.newest[0], varied=0.6)) == [small]


def test_headlines_on_one_subject_are_never_merged() -> None:
    told = [*in_turn(reports("ferry", 8), reports("fire", 8)), *reports("ferry", 3, 8)]
    given = records([structs.replace(one, text="") for one in told])
    on = stage()
    on.restore(LANE, iter(torn(given[:16])))
    found = placed(on, given)
    assert {"s-small", "s-large"} & {one.story for one in found}
    assert changes(found, "merged") == []


def test_without_weights_for_two_articles_stories_stay_as_they_were_placed(tmp_path: Path) -> None:
    path = leaning(tmp_path, 6)
    content = json.loads(path.read_text())
    del content["pairs"]
    path.write_text(json.dumps(content))
    found = place(BOTH, decision_file=path)
    assert changes(found, "split") == changes(found, "merged") == []


def test_mended_stories_are_the_same_in_batches_from_the_log_and_from_a_snapshot(
    tmp_path: Path,
) -> None:
    given = records(BOTH)
    path = leaning(tmp_path, 6)
    whole = stage(decision_file=path)
    expected = [encode(one) for one in placed(whole, given)]
    batches = [output.record for output in stage(decision_file=path).process(given)]
    assert [encode(one) for one in batches] == expected
    for cut in range(1, len(given)):
        adopting = stage(decision_file=path)
        log = [LogRecord(PLACED, 0, n, b"", v, {}, START) for n, v in enumerate(expected[:cut])]
        adopting.restore(LANE, iter(log))
        assert [encode(one) for one in placed(adopting, given)] == expected[cut:]
        folder = tmp_path / str(cut)
        kept = stage(folder, decision_file=path, snapshot_every=1)
        placed(kept, given[:cut])
        kept.committed({LANE: cut})
        kept.close()
        again = stage(folder, decision_file=path, snapshot_every=1)
        assert again._lanes[0].next == cut
        assert [encode(one) for one in placed(again, given[cut:])] == expected[cut:]


def test_members_are_compared_often_while_they_are_few() -> None:
    assert [n for n in range(40) if pairs.due(n)] == [5, 7, 10, 14, 19, 27, 38]


def test_average_linkage_parts_what_is_unlike() -> None:
    chances = np.full((5, 5), 0.1)
    chances[:3, :3] = chances[3:, 3:] = 0.9
    assert pairs.parts(chances) == ([0, 1, 2], [3, 4], pytest.approx(0.1))


def test_a_story_whose_first_members_are_forgotten_goes_on(tmp_path: Path) -> None:
    """It grows for weeks; what is compared is what is still known."""
    path = leaning(tmp_path, 6)
    days = [
        structs.replace(one, published=when, fetched=when)
        for n, one in enumerate(reports("ferry", 24))
        for when in [START + timedelta(days=6 * n)]
    ]
    found = place(days, decision_file=path)
    assert len({one.story for one in found}) == 1
