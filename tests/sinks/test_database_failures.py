"""The database sink when something fails: all of a batch or nothing, and the same again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
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
from stream.errors import PoisonStorm, Unavailable
from stream.log.contract import topics
from stream.log.sqlite import SqliteLog
from stream.records import EVENTS, MATCHED, Definition, StoryChange
from stream.stage import Loop, drain
from tests.sinks.world import (
    EVENT,
    LANE,
    OUTLETS,
    Feed,
    created,
    decision,
    history,
    matched,
    rows,
    view,
)


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
