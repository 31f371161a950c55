"""A long saga is a chain of stories: a new one says which closed one it continues."""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from processors.cluster import archive
from processors.cluster.archive import Archive
from processors.cluster.stage import ClusterStage
from stream.records import Article, Placed
from tests.processors.cluster_world import (
    ASHORE,
    BUDGET,
    FERRY,
    HULL,
    LANE,
    VOLCANO,
    article,
    placed,
    records,
    settings,
    stage,
)

DAY = 24.0
FREED = (
    "The ferry Solveig, aground off the island of Tarnholm, was pulled free by two tugs. The "
    "operator Nordlinjen said the rudder and the hull will be repaired in the harbour of Lund, "
    "and the coast guard will hear the captain and the passengers."
)


def saga(returns: float) -> list[Article]:
    """A ferry runs aground, other news passes, and the ferry is in the news again that day."""
    told = [
        article(1, "Ferry Solveig aground off Tarnholm", FERRY),
        article(2, "Ferry Solveig aground: 312 people brought to Lund", ASHORE, hours=2),
        article(3, "Ferry Solveig aground: divers inspect the hull off Tarnholm", HULL, hours=5),
    ]
    days = range(3, int(returns), 3)
    told += [
        article(10 + n, f"Parliament in Varsk: day {n}", BUDGET, hours=DAY * day)
        for n, day in enumerate(days)
    ]
    told.append(
        article(50, "Ferry Solveig aground off Tarnholm is pulled free", FREED, hours=DAY * returns)
    )
    told.append(article(51, "Ash of volcano Hekarra", VOLCANO, hours=DAY * returns + 1))
    return told


def created(found: list[Placed]) -> dict[str, str | None]:
    """Story -> what it continues."""
    return {c.story: c.continues for one in found for c in one.changes if c.kind == "created"}


def test_a_story_that_comes_back_is_a_new_one_that_continues_the_closed_one() -> None:
    given = saga(returns=12)
    found = dict(zip([one.id for one in given], placed(stage(), records(given)), strict=True))
    first, again = found["a1"].story, found["a50"].story
    assert found["a3"].story == first != again
    links = created(list(found.values()))
    assert links[again] == first
    # Nothing else continues anything: neither what is new nor what was open all the time.
    assert [story for story, link in links.items() if link] == [again]


def test_within_the_quiet_window_it_is_the_same_story() -> None:
    given = saga(returns=6)
    found = dict(zip([one.id for one in given], placed(stage(), records(given)), strict=True))
    assert found["a50"].story == found["a1"].story
    assert not any(created(list(found.values())).values())


def test_after_a_month_nothing_is_left_to_continue() -> None:
    found = placed(stage(), records(saga(returns=45)))
    assert not any(created(found).values())


def test_a_single_article_is_no_story_that_goes_on() -> None:
    given = [one for one in saga(returns=12) if one.id not in ("a2", "a3")]
    assert not any(created(placed(stage(), records(given))).values())


def test_chains_survive_a_restart(tmp_path: Path) -> None:
    given = records(saga(returns=12))
    expected = placed(stage(), given)
    on = stage(tmp_path)
    before = placed(on, given[:-2])
    on.committed({LANE: len(before)})
    on.close()
    again = ClusterStage(settings(), tmp_path)
    assert again.start(LANE, "log-1") == len(before)
    assert before + placed(again, given[-2:]) == expected
    assert any(created(expected).values())


def test_closed_stories_are_kept_in_bounded_number() -> None:
    on = stage()
    placed(on, records(saga(returns=6)))
    [open_story] = [one for one in on._lanes[0].shelf.stories.values() if one.originals == 4]
    held = Archive()
    for number in range(archive.MOST + 20):
        held.add(structs.replace(open_story, id=f"s{number:04}"))
    assert len(held.stories) == archive.MOST
    assert next(iter(held.stories)) == "s0020"
    assert len(held.near(open_story.centre)) == archive.CANDIDATES
