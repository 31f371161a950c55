"""The database goes away in mid write and comes back: a real server killed, a real file locked."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from structlog.testing import capture_logs

from sinks.alerts.channels.contract import Channel, Message
from sinks.alerts.deliver import Deliverer
from sinks.alerts.policy import AlertPolicy
from sinks.alerts.settings import AlertSettings
from sinks.database.stage import DatabaseSink
from store import tables
from store.compare import differences
from store.connection import reading
from store.engine import open_database
from stream import records
from stream.log.contract import Partition, topics
from stream.log.sqlite import SqliteLog
from stream.records import MATCHED
from stream.stage import Loop, drain
from tests.postgres import MortalPostgres
from tests.sinks.world import OUTLETS, Feed, created, matched

LANE, GROUP = Partition(MATCHED, 0), "dateline.database"
PATIENCE_S = 60.0


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    opened = SqliteLog(tmp_path / "log.db")
    opened.create_topics(topics(1))
    yield opened
    opened.close()


def append(log: SqliteLog, first: int, count: int) -> None:
    producer = log.producer()
    for n in range(first, first + count):
        changes = [created(f"s{n // 4}")] if n % 4 == 0 else []
        record = matched(f"a{n}", f"s{n // 4}", changes=changes, minute=n)
        producer.send(MATCHED, records.encode(record), partition=0)
    producer.close()


def wait_until(there: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not there():
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.02)


@contextmanager
def running(sink: DatabaseSink, log: SqliteLog, batch: int = Loop.BATCH) -> Iterator[Loop]:
    loop, stop = Loop(sink, log), threading.Event()
    loop.BATCH = batch
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    try:
        yield loop
    finally:
        stop.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def pauses_in(logs: list[Any]) -> list[float]:
    return [line["retry_in_s"] for line in logs if line["event"] == "stage.waiting"]


def rebuilt(log: SqliteLog, engine: sa.Engine, url: str) -> list[str]:
    other = open_database(url, upgrade=True)
    loop = Loop(DatabaseSink(other, AlertPolicy(["console"]), OUTLETS, log), log, group="rebuild")
    drain([loop])
    found = differences(engine, other, outbox=True)
    loop.close()
    return found


def test_a_server_killed_in_mid_write_is_waited_for_and_nothing_is_lost_or_doubled(
    mortal_postgres: MortalPostgres, another_postgres: Callable[[], str], log: SqliteLog
) -> None:
    """Faults of delivery: the database is killed and restarted."""
    engine = open_database(mortal_postgres.url, upgrade=True)
    append(log, 0, 200)
    in_the_middle, killed = threading.Event(), threading.Event()

    @event.listens_for(engine, "before_cursor_execute")
    def pause(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO matches") and log.committed(GROUP, LANE):
            in_the_middle.set()  # of the second batch, with half of its rows written
            assert killed.wait(PATIENCE_S)

    sink = DatabaseSink(engine, AlertPolicy(["console"]), OUTLETS, log, GROUP)
    with capture_logs() as logs, running(sink, log, batch=64) as loop:
        assert in_the_middle.wait(PATIENCE_S)
        mortal_postgres.kill()
        killed.set()
        wait_until(lambda: len(pauses_in(logs)) >= 3, "it waits, and asks again")
        assert "does not answer" in str(loop.metrics.last_error)
        append(log, 200, 100)  # the log takes what comes meanwhile
        assert log.committed(GROUP, LANE) == 64
        mortal_postgres.start()
        wait_until(lambda: log.committed(GROUP, LANE) == 300, "all is stored")
        assert loop.metrics.last_error is None
    assert pauses_in(logs)[:3] == [0.2, 0.4, 0.8]
    assert not [line for line in logs if line["event"] == "stage.dead_letter"]

    engine = open_database(mortal_postgres.url)
    assert rebuilt(log, engine, another_postgres()) == []
    engine.dispose()


def test_a_file_locked_in_mid_run_is_waited_for_and_nothing_is_lost_or_doubled(
    tmp_path: Path, log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.engine.SQLITE_BUSY_S", 0.05)
    engine = open_database(tmp_path / "news.db", upgrade=True)
    append(log, 0, 40)
    holder = sqlite3.connect(tmp_path / "news.db", isolation_level=None)
    sink = DatabaseSink(engine, AlertPolicy(["console"]), OUTLETS, log, GROUP)
    with capture_logs() as logs, running(sink, log) as loop:
        wait_until(lambda: log.committed(GROUP, LANE) == 40, "it runs")
        holder.execute("BEGIN IMMEDIATE")
        append(log, 40, 40)
        wait_until(lambda: len(pauses_in(logs)) >= 3, "it waits, and asks again")
        assert "locked" in str(loop.metrics.last_error)
        assert log.committed(GROUP, LANE) == 40
        holder.execute("ROLLBACK")
        wait_until(lambda: log.committed(GROUP, LANE) == 80, "all is stored")
    holder.close()
    assert pauses_in(logs)[:3] == [0.2, 0.4, 0.8]
    engine = open_database(tmp_path / "news.db")
    assert rebuilt(log, engine, str(tmp_path / "again.db")) == []
    engine.dispose()


class Receiver(Channel):
    """Remembers what it got; the test may stop it in mid sending."""

    name, wants_page = "receiver", False

    def __init__(self, *, idempotent: bool) -> None:
        self.idempotent = idempotent
        self.got: list[str] = []
        self.sending, self.go_on = threading.Event(), threading.Event()

    def send(self, message: Message) -> None:
        self.got.append(message.key)
        self.sending.set()
        assert self.go_on.wait(PATIENCE_S)


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_server_killed_while_an_alert_is_sent_leaves_it_sent_again_only_where_that_is_harmless(
    mortal_postgres: MortalPostgres, monkeypatch: pytest.MonkeyPatch, idempotent: bool
) -> None:
    monkeypatch.setattr("sinks.alerts.deliver.MARGIN_S", 0.0)
    engine = open_database(mortal_postgres.url, upgrade=True)
    Feed(engine, channels=["receiver"])(matched("a", changes=[created("s1")]))
    channel = Receiver(idempotent=idempotent)
    settings = AlertSettings(deadline=1, poll=0.05)
    deliverer = Deliverer(engine, settings, channels=[channel])
    stop = threading.Event()
    thread = threading.Thread(target=deliverer.run, args=(stop,))
    thread.start()

    def state() -> object:
        o = tables.outbox.c
        with reading(engine) as connection:
            return connection.execute(sa.select(o.state, o.attempts)).one()

    try:
        assert channel.sending.wait(PATIENCE_S)
        mortal_postgres.kill()
        channel.go_on.set()  # it arrives, and that cannot be written down
        mortal_postgres.start()
        wait_until(lambda: state()[0] in ("sent", "unknown"), "an outcome")
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert state() == (("sent", 2) if idempotent else ("unknown", 2))
    assert len(channel.got) == (2 if idempotent else 1)
    assert len(set(channel.got)) == 1
    engine.dispose()
