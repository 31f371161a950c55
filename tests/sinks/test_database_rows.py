"""The database sink's rows: what a record makes of them, and what a second one changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from sinks.database.rows import upsert
from store import tables
from store.compare import derived_rows
from store.engine import open_database
from stream.records import (
    DEAD,
    EVENTS,
    VERDICTS,
    AlertAck,
    Considered,
    Dead,
    Definition,
    DefinitionVectors,
    HistoryDone,
    StoryChange,
    Verdict,
)
from tests.sinks.world import EVENT, NOON, Feed, created, decision, matched, rows, view


def test_a_redelivered_duplicate_moves_only_the_position(feed: Feed, engine: sa.Engine) -> None:
    changes = [created("s1"), StoryChange(kind="relabelled", story="s1", label="Second label")]
    feed(matched("a", changes=[created("s1", "First label")]), matched("b", changes=changes[1:]))
    stored = derived_rows(engine)
    feed(matched("a", changes=[created("s1", "First label")]), matched("b", changes=changes[1:]))
    after = derived_rows(engine)
    assert after.pop("positions") != stored.pop("positions")
    assert after == stored


def test_a_decision_by_an_older_definition_never_replaces_a_newer_one(
    feed: Feed, engine: sa.Engine
) -> None:
    """A matcher that was paused wakes after its successor has decided by the new definition."""
    feed(matched("a", decisions=[decision(version=2, probability=0.8)]))
    stored = list(view(engine, "v_matches"))
    feed(matched("a", decisions=[decision(version=1, probability=0.2)]))
    assert view(engine, "v_matches") == stored
    feed(matched("a", decisions=[decision(version=3, probability=0.2)]))
    assert [row["definition_version"] for row in view(engine, "v_matches")] == [3]


@pytest.mark.parametrize("at_once", [True, False])
def test_what_a_newer_definition_found_nothing_in_an_older_one_does_not_match(
    feed: Feed, engine: sa.Engine, at_once: bool
) -> None:
    feed(
        matched("a", decisions=[decision(version=2)]),
        matched("b", decisions=[]),
        matched("b", decisions=[decision(version=1)]),
        at_once=at_once,
    )
    assert [row["ref"] for row in view(engine, "v_matches")] == ["ref-a"]
    feed(matched("b", decisions=[decision(version=2)]), at_once=at_once)
    assert [row["ref"] for row in view(engine, "v_matches")] == ["ref-a", "ref-b"]


def test_the_same_key_twice_in_a_batch(feed: Feed, engine: sa.Engine) -> None:
    feed(
        matched("a", title="One"),
        matched("a", title="Two", revision="r2"),
        matched("a", title="Two", revision="r2"),
        matched("a", title="One", revision="r3"),
    )
    [article] = view(engine, "v_articles")
    assert (article["title"], article["revision"]) == ("One", 3)
    assert [r["number"] for r in rows(engine, tables.revisions)] == [1, 2, 3]
    assert [f["fate"] for f in rows(engine, tables.fates)] == ["stored", "revised", "revised"]


def test_a_late_duplicate_of_an_older_revision_changes_nothing(
    feed: Feed, engine: sa.Engine
) -> None:
    feed(matched("a", title="One"), matched("a", title="Two", revision="r2"))
    feed(matched("a", title="One", decisions=[decision(probability=0.1)]))
    assert view(engine, "v_articles")[0]["title"] == "Two"
    assert view(engine, "v_matches")[0]["matched"] is True


def test_why_an_article_is_in_its_story_is_kept_through_small_edits(
    feed: Feed, engine: sa.Engine
) -> None:
    tried = Considered(story="s1", score=1.5, base=-3.0, parts={"words": 4.5})
    feed(
        matched("a", "s1", changes=[created("s1")]),
        matched("b", "s1", considered=[tried]),
        matched("b", "s1", revision="r2", title="An edit"),
    )
    stored = {row["id"]: row["considered"] for row in rows(engine, tables.articles)}
    assert stored["a"] == []
    assert stored["b"] == [{"story": "s1", "score": 1.5, "base": -3.0, "parts": {"words": 4.5}}]


def test_a_story_keeps_what_it_continues(feed: Feed, engine: sa.Engine) -> None:
    closed = StoryChange(kind="closed", story="s1")
    feed(
        matched("a", "s1", changes=[created("s1")]),
        matched("b", "s2", changes=[closed, created("s2", continues="s1")]),
        matched("c", "s2", changes=[StoryChange(kind="relabelled", story="s2", label="Later")]),
    )
    links = {row["story_id"]: row["continues"] for row in view(engine, "v_stories")}
    assert links == {"s1": None, "s2": "s1"}


def test_a_revision_keeps_the_first_story(feed: Feed, engine: sa.Engine) -> None:
    feed(matched("a", "s1", changes=[created("s1")]), matched("b", "s1"))
    split = StoryChange(kind="split", story="s1", into="s2", articles=["a"])
    feed(matched("a", "s2", revision="r2", changes=[split, created("s2")]))
    placed = {row["article_id"]: row for row in view(engine, "v_story_articles")}
    assert (placed["a"]["first_story_id"], placed["a"]["story_id"]) == ("s1", "s2")
    assert (placed["b"]["first_story_id"], placed["b"]["story_id"]) == ("s1", "s1")


@pytest.mark.parametrize("at_once", [True, False])
def test_stories_follow_merges_of_merges(feed: Feed, engine: sa.Engine, at_once: bool) -> None:
    feed(
        matched("a", "s1", changes=[created("s1", "One")]),
        matched("b", "s2", changes=[created("s2", "Two")]),
        matched("c", "s3", changes=[created("s3", "Three")]),
        matched("d", "s2", changes=[StoryChange(kind="merged", story="s1", into="s2")]),
        matched("e", "s3", changes=[StoryChange(kind="merged", story="s2", into="s3"),
                                    StoryChange(kind="closed", story="s3")]),
        matched("f", "s1", decisions=[]),
        at_once=at_once,
    )  # fmt: skip
    stories = {row["story_id"]: row for row in view(engine, "v_stories")}
    assert {id_: row["merged_into"] for id_, row in stories.items()} == {
        "s1": "s3", "s2": "s3", "s3": None
    }  # fmt: skip
    assert [stories[s]["articles"] for s in ("s1", "s2", "s3")] == [0, 0, 6]
    assert stories["s3"]["state"] == "closed"
    assert {row["story_id"] for row in view(engine, "v_story_articles")} == {"s3"}
    assert {row["story_id"] for row in view(engine, "v_articles")} == {"s3"}


def test_live_wins_over_backfill_whichever_comes_first(
    engine: sa.Engine, another_database: Callable[[], str]
) -> None:
    other = open_database(another_database(), upgrade=True)
    for target, order in ((engine, (0, 1)), (other, (1, 0))):
        feed = Feed(target)
        for lane in order:
            feed(matched("a", f"s{lane}", title=f"From lane {lane}", revision=f"r{lane}",
                         decisions=[]), partition=lane)  # fmt: skip
    assert view(engine, "v_articles")[0]["title"] == "From lane 0"
    assert view(engine, "v_articles")[0]["story_id"] == "s0"
    assert derived_rows(engine)["articles"] == derived_rows(other)["articles"]
    assert derived_rows(engine)["fates"] == derived_rows(other)["fates"]
    other.dispose()


def test_nul_characters_and_wild_text_are_stored_on_both_databases(
    feed: Feed, engine: sa.Engine
) -> None:
    wild = "a \\u0000 that is text, \\\x00 one that is not"
    feed(matched("a", title="NUL\x00 here", text=wild))
    feed(Definition(id=EVENT, version=1, title="a\x00b"), topic=EVENTS)
    [article] = rows(engine, tables.articles)
    assert article["title"] == "NUL here"
    assert article["text"] == "a \\u0000 that is text, \\ one that is not"
    assert view(engine, "v_events")[0]["title"] == "ab"


def test_definitions_answers_and_dead_letters(feed: Feed, engine: sa.Engine) -> None:
    feed(matched("a"))
    first = Definition(id=EVENT, version=1, title="Old", starts="2018-03-08", follows=["x"])
    feed(
        first,
        DefinitionVectors(event_id=EVENT, version=1, model="m", dims=2),
        HistoryDone(event_id=EVENT, version=1, model="m"),
        Definition(id=EVENT, version=2, title="New", follows=["x"]),
        Definition(id="gone", version=3, title="Gone", removed=True),
        topic=EVENTS,
    )
    feed(
        Verdict(event_id=EVENT, article_id="a", verdict="right", at=NOON),
        Verdict(event_id=EVENT, article_id="a", verdict="wrong", at=NOON + timedelta(hours=1)),
        AlertAck(alert_id=f"{EVENT}:s1", at=NOON),
        topic=VERDICTS,
    )
    letter = Dead(
        stage="match", topic="dateline.placed", partition=0, offset=7, error="ValueError",
        message="no", attempts=3, first_failed=NOON, article_id="z", revision="r1",
    )  # fmt: skip
    feed(letter, letter, topic=DEAD)
    events = {row["event_id"]: row for row in view(engine, "v_events")}
    assert (events[EVENT]["title"], events[EVENT]["version"]) == ("New", 2)
    assert events[EVENT]["follows"] == ["x"]
    assert (events[EVENT]["matches"], events[EVENT]["last_match"]) == (1, NOON)
    assert events["gone"]["removed"] is True
    [match] = view(engine, "v_matches")
    assert (match["verdict"], match["ref"], match["match_id"]) == ("wrong", "ref-a", f"{EVENT}:a")
    assert match["reasons"]["sentence"] == "The summit is on again."
    fates = {(f["stage"], f["fate"], f["reason"]): f["count"] for f in view(engine, "v_fates")}
    assert fates == {
        ("database", "stored", "joined a story"): 1, ("match", "dead", "ValueError"): 1
    }  # fmt: skip


@pytest.mark.parametrize("at_once", [True, False])
def test_since_when_a_record_fails_does_not_depend_on_batches(
    feed: Feed, engine: sa.Engine, at_once: bool
) -> None:
    letters = [
        Dead(stage="match", topic="dateline.placed", partition=0, offset=7, error=error,
             message="no", attempts=3, first_failed=NOON + timedelta(hours=hour))
        for hour, error in enumerate(("ValueError", "KeyError"))
    ]  # fmt: skip
    feed(*letters, topic=DEAD, at_once=at_once)
    [row] = rows(engine, tables.dead)
    assert (row["first_failed"], row["error"]) == (NOON, "KeyError")


@pytest.mark.parametrize(
    ("lane", "offset", "written"), [(0, 4, False), (0, 5, True), (0, 6, True), (1, 9, False)]
)
def test_a_row_is_replaced_by_later_positions_and_by_live_news_only(
    engine: sa.Engine, lane: int, offset: int, written: bool
) -> None:
    row = {"id": "s", "label": "before", "state": "open", "lane": 0, "log_offset": 5}
    with engine.begin() as connection:
        upsert(connection, tables.stories, [row], by_position=True)
        other = row | {"label": "after", "lane": lane, "log_offset": offset}
        upsert(connection, tables.stories, [other], by_position=True)
        (label,) = connection.execute(sa.select(tables.stories.c.label)).scalars()
        assert label == ("after" if written else "before")
        backfill = row | {"id": "b", "lane": 1}
        upsert(connection, tables.stories, [backfill], by_position=True)
        live = backfill | {"lane": 0, "log_offset": 0, "label": "live"}
        upsert(connection, tables.stories, [live], by_position=True)
        labels = sa.select(tables.stories.c.label).where(tables.stories.c.id == "b")
        assert connection.execute(labels).scalar() == "live"


def test_a_batch_costs_a_handful_of_statements(feed: Feed, engine: sa.Engine) -> None:
    counted: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def count(_c: object, _cursor: object, statement: str, *_: object) -> None:
        counted.append(statement.split("(")[0].strip()[:40])

    feed(*[matched(f"a{n}", f"s{n % 8}", outlet=f"o{n}.example") for n in range(64)])
    feed(*[matched(f"a{n}", f"s{n % 8}", revision="r2") for n in range(64)])
    event.remove(engine, "before_cursor_execute", count)
    assert len(counted) <= 2 * 22, counted
