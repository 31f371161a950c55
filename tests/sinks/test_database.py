"""The database sink: everything of a batch or nothing, once, and the same from the same log."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from sinks.alerts.policy import AlertPolicy
from sinks.database.stage import DatabaseSink
from store import tables
from store.compare import derived_rows, differences
from store.engine import open_database
from stream import records
from stream.errors import LogChanged, PartitionsLost, PoisonStorm, Unavailable
from stream.log.contract import Partition, topics
from stream.log.sqlite import SqliteLog
from stream.records import (
    DEAD,
    EVENTS,
    MATCHED,
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
from stream.stage import Loop, drain
from tests.sinks.world import (
    EVENT,
    NOON,
    OUTLETS,
    Feed,
    created,
    decision,
    history,
    matched,
    rows,
    view,
)  # fmt: skip

LANE = Partition(MATCHED, 0)


# -- position ------------------------------------------------------------------------------------


def test_a_paused_owner_that_wakes_changes_nothing(engine: sa.Engine) -> None:
    one, two = Feed(engine), DatabaseSink(engine, AlertPolicy(), OUTLETS)
    batch = one.made(matched("a"), matched("b"))
    one.sink.start(LANE, "log-1")
    two.start(LANE, "log-1")
    two.process(batch)
    stored = derived_rows(engine)
    with pytest.raises(PartitionsLost, match="another process"):
        one.sink.process(batch)
    assert derived_rows(engine) == stored
    assert one.sink.start(LANE, "log-1") == 2, "it joins again where the other is"


def test_an_owner_that_has_lost_its_partition_writes_nothing(feed: Feed) -> None:
    batch = feed.made(matched("a"))
    feed.sink.start(LANE, "log-1")
    feed.sink.lost(LANE)
    with pytest.raises(PartitionsLost):
        feed.sink.process(batch)


def test_only_one_of_many_stores_a_batch(engine: sa.Engine) -> None:
    feed = Feed(engine)
    batch = feed.made(*[matched(f"a{n}") for n in range(5)])
    sinks = [DatabaseSink(engine, AlertPolicy(["console"]), OUTLETS) for _ in range(4)]
    for sink in sinks:
        sink.start(LANE, "log-1")
    outcomes: list[str] = []

    def work(sink: DatabaseSink) -> None:
        try:
            sink.process(batch)
            outcomes.append("stored")
        except PartitionsLost:
            outcomes.append("lost")

    threads = [threading.Thread(target=work, args=(sink,)) for sink in sinks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost", "lost", "lost", "stored"]
    assert len(view(engine, "v_articles")) == 5


def test_records_below_the_position_are_passed_over(feed: Feed, engine: sa.Engine) -> None:
    batch = feed(matched("a"), matched("b"))
    stored = derived_rows(engine)
    feed.sink.process(batch)
    assert derived_rows(engine) == stored


def test_a_recreated_or_shortened_log_stops_the_stage(engine: sa.Engine, tmp_path: Path) -> None:
    feed = Feed(engine)
    feed(matched("a"), matched("b"))
    with pytest.raises(LogChanged, match="deleted and made again"):
        feed.sink.start(LANE, "log-2")
    log = SqliteLog(tmp_path / "log.db")
    log.create_topics(topics(1))
    with pytest.raises(LogChanged, match="ends at 0"):
        DatabaseSink(engine, AlertPolicy(), OUTLETS, log).start(LANE, "log-1")
    log.close()


# -- rows ------------------------------------------------------------------------------------------


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


# -- failures --------------------------------------------------------------------------------------


def _log(path: Path) -> SqliteLog:
    log = SqliteLog(path)
    log.create_topics(topics(1))
    return log


def _append(log: SqliteLog, *values: object, topic: str = MATCHED, lane: int = 0) -> None:
    producer = log.producer()
    for value in values:
        data = value if isinstance(value, bytes) else records.encode(value)  # type: ignore[arg-type]
        producer.send(topic, data, partition=lane)
    producer.close()


def _sink(engine: sa.Engine, log: SqliteLog) -> DatabaseSink:
    return DatabaseSink(engine, AlertPolicy(["console"]), OUTLETS, log)


def test_a_bad_row_is_isolated_and_the_rest_is_stored(engine: sa.Engine, tmp_path: Path) -> None:
    log = _log(tmp_path / "log.db")
    too_big = matched("c", decisions=[decision(version=2**70)])
    good = [matched(f"a{n}") for n in range(9)]
    _append(log, *good[:4], b"not a record", *good[4:7], too_big, *good[7:])
    drain([Loop(_sink(engine, log), log)])
    assert len(view(engine, "v_articles")) == 9
    dead = [f for f in rows(engine, tables.fates) if f["fate"] == "dead"]
    assert [(f["record"], f["reason"]) for f in dead][1:] == [("dateline.matched/0/4", "BadRecord")]
    assert dead[0]["record"] == "c@r1"
    assert len(rows(engine, tables.dead)) == 2
    assert rows(engine, tables.positions)[1]["next"] == 11
    log.close()


def test_a_writer_that_fails_on_every_record_stops_where_it_is(
    engine: sa.Engine, tmp_path: Path
) -> None:
    log = _log(tmp_path / "log.db")
    _append(log, matched("a"), *[b"not a record"] * 60, matched("b"))
    for _ in range(2):  # also when it is started again
        loop = Loop(_sink(engine, log), log)
        with pytest.raises(PoisonStorm, match=r"dateline\.matched/0/20"):
            drain([loop])
        loop.close()
        assert _position(engine) == 20
    loop = Loop(_sink(engine, log), log, dead_in_a_row=0)
    drain([loop])
    loop.close()
    assert len(rows(engine, tables.dead)) == 60
    assert [row["article_id"] for row in view(engine, "v_articles")] == ["a", "b"]
    log.close()


def test_a_database_that_is_away_is_not_the_records_fault(
    database_url: str, engine: sa.Engine, feed: Feed
) -> None:
    batch = feed.made(matched("a"))
    feed.sink.start(LANE, "log-1")

    @event.listens_for(engine, "before_cursor_execute")
    def fail(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO articles"):
            raise sa.exc.OperationalError(statement, {}, Exception("server closed the connection"))

    with pytest.raises(Unavailable):
        feed.sink.process(batch)
    event.remove(engine, "before_cursor_execute", fail)
    feed.sink.process(batch)
    assert len(view(engine, "v_articles")) == 1


def _story(number: int) -> list[object]:
    """A dozen records that touch every table."""
    s, other = f"s{number}", f"s{number}b"
    n = f"{number}-"
    split = StoryChange(kind="split", story=s, into=f"{s}c", articles=[n + "b"])
    return [
        matched(n + "a", s, changes=[created(s)], minute=number),
        matched(n + "b", s, outlet="harbor.example", minute=number + 1),
        matched(n + "c", s, outlet="hangang.example", copy_of=n + "a", minute=number + 2),
        matched(n + "d", other, changes=[created(other)], outlet="courier.example"),
        matched(n + "e", s, changes=[StoryChange(kind="merged", story=other, into=s)]),
        matched(n + "a", s, title="Edited", revision="r2", minute=number + 5),
        matched(n + "a", s, title="Edited", revision="r2", minute=number + 5),
        matched(n + "b", f"{s}c", revision="r2", changes=[split, created(f"{s}c")],
                outlet="harbor.example"),
        matched(n + "c", s, revision="r2", decisions=[], outlet="hangang.example"),
        matched(n + "f", s, decisions=[], minute=number + 6),
        history(n + "f"),
        matched(n + "f", s, title="New words", decisions=[decision(version=2)], revision="r2"),
    ]  # fmt: skip


def _run_until_killed(url: str, path: str, batches: int) -> None:
    """A sink process that is killed inside a transaction, with half of its rows written."""
    engine, log = open_database(url), SqliteLog(path)
    written = 0

    @event.listens_for(engine, "before_cursor_execute")
    def count(_c: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal written
        written += statement.startswith("INSERT INTO fates")
        if written > batches:
            os.kill(os.getpid(), signal.SIGKILL)

    Loop(_sink(engine, log), log).run(threading.Event())


def test_kill_9_in_mid_batch_then_the_rows_equal_a_rebuild(
    database_url: str, engine: sa.Engine, another_database: Callable[[], str], tmp_path: Path
) -> None:
    log = _log(tmp_path / "log.db")
    for number in range(40):
        _append(log, *_story(number))
    _append(log, *[v for number in range(40, 44) for v in _story(number)], lane=1)
    _append(log, Definition(id=EVENT, version=1, title="S"), topic=EVENTS)
    context = multiprocessing.get_context("spawn")
    for batches, stored in ((2, 128), (4, 384)):
        process = context.Process(
            target=_run_until_killed, args=(database_url, str(tmp_path / "log.db"), batches)
        )
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        assert _position(engine) == stored
        assert len(rows(engine, tables.fates)) > 0
    drain([Loop(_sink(engine, log), log)])
    assert _position(engine) == 480

    rebuilt = open_database(another_database(), upgrade=True)
    loop = Loop(_sink(rebuilt, log), log, group="rebuild")
    loop.BATCH = 7  # cut elsewhere
    drain([loop])
    assert differences(engine, rebuilt, outbox=True) == []
    assert len(derived_rows(rebuilt)["alerts"]) > 40
    with rebuilt.begin() as connection:
        connection.execute(tables.matches.update().values(probability=0.5))
        connection.execute(tables.stories.delete().where(tables.stories.c.id == "s1"))
    lines = differences(engine, rebuilt)
    assert [line.split(":")[0] for line in lines] == ["stories", "matches"]
    rebuilt.dispose()
    log.close()


def _position(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        p = tables.positions.c
        found = connection.execute(
            sa.select(p.next).where(p.topic == MATCHED, p.partition == 0)
        ).scalar()
    return int(found or 0)


def test_a_batch_costs_a_handful_of_statements(feed: Feed, engine: sa.Engine) -> None:
    counted: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def count(_c: object, _cursor: object, statement: str, *_: object) -> None:
        counted.append(statement.split("(")[0].strip()[:40])

    feed(*[matched(f"a{n}", f"s{n % 8}", outlet=f"o{n}.example") for n in range(64)])
    feed(*[matched(f"a{n}", f"s{n % 8}", revision="r2") for n in range(64)])
    event.remove(engine, "before_cursor_execute", count)
    assert len(counted) <= 2 * 22, counted
