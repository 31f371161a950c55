"""Two writers on one PostgreSQL: they wait for each other, and a deadlock is no end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from structlog.testing import capture_logs

from sinks.alerts.policy import AlertPolicy
from sinks.database.rows import Row, upsert
from sinks.database.stage import DatabaseSink
from store import tables
from store.compare import differences
from store.engine import open_database
from stream import records
from stream.log.contract import LogRecord, Partition, topics
from stream.log.sqlite import SqliteLog
from stream.records import BACKFILL_LANE, LIVE_LANE, MATCHED, Decision
from stream.stage import Loop
from tests.sinks.world import OUTLETS, decision, matched, on_log, view

PATIENCE_S = 60.0
IDS = [f"a{number}" for number in range(6)]


@pytest.fixture
def engine(postgres_url: str) -> Iterator[sa.Engine]:
    engine = open_database(postgres_url, upgrade=True)
    yield engine
    engine.dispose()


@pytest.fixture
def slow_rows(engine: sa.Engine) -> None:
    """A row that is written holds its lock for a moment before the next one is asked for: two that
    go through the same rows in opposite order are sure to meet."""
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END $$"
        )
        for table in ("articles", "stories"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER linger BEFORE INSERT OR UPDATE ON {table}"
                " FOR EACH ROW EXECUTE FUNCTION linger()"
            )


def at_once(*works: Callable[[], object]) -> list[BaseException]:
    """What went wrong in any of them."""
    failed: list[BaseException] = []
    begin = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        begin.wait(PATIENCE_S)
        try:
            work()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    return failed


@pytest.mark.usefixtures("slow_rows")
def test_an_upsert_of_the_same_rows_in_opposite_order_does_not_deadlock(engine: sa.Engine) -> None:
    """Anchor 7: rows are written in the order of their keys."""

    def story(id_: str) -> Row:
        return {"id": id_, "label": id_, "state": "open", "lane": 0, "log_offset": 1}

    def put(ids: Sequence[str]) -> None:
        with engine.begin() as connection:
            upsert(connection, tables.stories, [story(id_) for id_ in ids])

    put(IDS)
    assert at_once(lambda: put(IDS), lambda: put(IDS[::-1])) == []


@pytest.mark.usefixtures("slow_rows")
def test_two_lanes_with_the_same_articles_in_opposite_order_do_not_deadlock(
    engine: sa.Engine, another_postgres: Callable[[], str]
) -> None:
    """Anchor 7, and that what one lane reads of an article is not overtaken by the other: the
    rows are those of one lane written after the other."""
    lanes = [
        made(LIVE_LANE, IDS, "today", [decision()]),
        made(BACKFILL_LANE, IDS[::-1], "last week", [decision(), decision("other")]),
    ]
    assert at_once(*[partial(write, engine, lane) for lane in lanes]) == []
    other = open_database(another_postgres(), upgrade=True)
    for lane in lanes:
        write(other, lane)
    assert differences(engine, other) == []
    assert {row["title"] for row in view(engine, "v_articles")} == {"As of today"}
    other.dispose()


def made(
    number: int, ids: Sequence[str], when: str, decisions: Sequence[Decision]
) -> list[LogRecord]:
    values = [
        matched(id_, f"s{number}", title=f"As of {when}", revision=when, decisions=decisions)
        for id_ in ids
    ]
    return on_log(values, Partition(MATCHED, number))


def write(engine: sa.Engine, lane: Sequence[LogRecord]) -> None:
    sink = DatabaseSink(engine, AlertPolicy(), OUTLETS)
    sink.start(lane[0].source, "log-1")
    sink.process(lane)


def test_a_deadlock_is_waited_out_and_the_batch_written_again(
    engine: sa.Engine, tmp_path: Path
) -> None:
    """Somebody else, with a hand-written statement, holds what we need and needs what we hold."""
    log = SqliteLog(tmp_path / "log.db")
    log.create_topics(topics(1))
    append(log, "first")
    sink = DatabaseSink(engine, AlertPolicy(), OUTLETS, log)
    loop = Loop(sink, log)
    loop.step()
    somebody = engine.connect()
    somebody.exec_driver_sql("SET deadlock_timeout = '1h'")  # so that it is we who are chosen
    somebody.exec_driver_sql("UPDATE articles SET lang = 'en'")
    wants = threading.Thread(
        target=somebody.exec_driver_sql, args=("UPDATE positions SET next = next",)
    )
    met, stop = threading.Event(), threading.Event()

    @event.listens_for(engine, "before_cursor_execute")
    def meet(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO articles") and not wants.ident:
            wants.start()
            wait_for_a_waiting_one(engine)
            met.set()

    append(log, "second")
    running = threading.Thread(target=loop.run, args=(stop,))
    with capture_logs() as logs:
        running.start()
        try:
            assert met.wait(PATIENCE_S)
            wants.join(PATIENCE_S)  # it gets what it wants when our transaction is ended
            assert not wants.is_alive()
            somebody.rollback()
            while {row["title"] for row in view(engine, "v_articles")} != {"second"}:
                assert running.is_alive()
                threading.Event().wait(0.02)
        finally:
            somebody.close()
            stop.set()
            running.join(PATIENCE_S)
    [waited] = [line["error"] for line in logs if line["event"] == "stage.waiting"]
    assert "deadlock detected" in waited
    log.close()


def append(log: SqliteLog, title: str) -> None:
    producer = log.producer()
    record = matched("a", title=title, revision=title)
    producer.send(MATCHED, records.encode(record), partition=0)
    producer.close()


def wait_for_a_waiting_one(engine: sa.Engine) -> None:
    query = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with engine.connect() as connection:
        while not connection.execute(query).scalar():
            threading.Event().wait(0.01)
