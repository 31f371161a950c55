"""Where stages go on: shown, and set when a log or a database was replaced."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dateline import app, fence, offsets
from dateline.config import Settings, load
from store import tables
from store.connection import reading
from store.engine import open_database
from stream import records
from stream.errors import LogChanged, UsageError
from stream.log.contract import Partition, topics
from stream.log.sqlite import SqliteLog
from stream.offsets import at_time
from stream.role import Output, Stage
from stream.stage import Loop, drain
from tests.dateline.program import dateline
from tests.sinks.world import created, matched

LANE = Partition(records.MATCHED, 0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    flags = {
        "database.url": str(tmp_path / "news.db"),
        "log.url": str(tmp_path / "news.log.db"),
        "cluster.state_dir": str(tmp_path / "news.state"),
    }
    config = load(None, flags, {})
    app.prepare(config)
    return config


@pytest.fixture
def log(settings: Settings) -> Iterator[SqliteLog]:
    opened = SqliteLog(settings.log.url)
    yield opened
    opened.close()


def put(log: SqliteLog, *ids: str) -> None:
    producer = log.producer()
    for id_ in ids:
        record = matched(id_, f"s-{id_}", changes=[created(f"s-{id_}")])
        producer.send(records.MATCHED, records.encode(record), partition=0)
    producer.close()


def sink(settings: Settings) -> Loop:
    return Loop(app.make_stage("database", settings, deliver=False), app.open_log(settings))


def store_all(settings: Settings) -> None:
    loop = sink(settings)
    try:
        drain([loop])
    finally:
        loop.close()


def stored(settings: Settings) -> list[str]:
    engine = open_database(settings.database.url)
    with reading(engine) as connection:
        found = connection.execute(sa.select(tables.articles.c.id)).scalars().all()
    engine.dispose()
    return sorted(found)


def later(settings: Settings, *, offset: int, hours: float) -> None:
    """The records from `offset` on were appended some hours later."""
    with closing(sqlite3.connect(settings.log.url)) as connection, connection:
        connection.execute(
            "UPDATE records SET time = time + ? WHERE at >= ?"
            " AND at >> 40 = (SELECT p.id FROM partitions p JOIN topics t ON t.id = p.topic"
            " WHERE t.name = ? AND p.number = 0)",
            (int(hours * 3_600_000), _at(connection) + offset, records.MATCHED),
        )


def _at(connection: sqlite3.Connection) -> int:
    (part,) = connection.execute(
        "SELECT p.id FROM partitions p JOIN topics t ON t.id = p.topic"
        " WHERE t.name = ? AND p.number = 0",
        (records.MATCHED,),
    ).fetchone()
    return int(part) << 40


def line(settings: Settings, stage: str) -> dict[str, object]:
    rows = offsets.show(settings)
    return next(r for r in rows if r["stage"] == stage and r["partition"] == 0)


def test_a_time_is_found_in_the_log(settings: Settings, log: SqliteLog) -> None:
    assert at_time(log, LANE, datetime.now(UTC)) == 0, "an empty partition"
    put(log, *(f"a{n}" for n in range(40)))
    for offset in range(40):  # each an hour after the one before
        later(settings, offset=offset, hours=1)
    times = [record.time for record in log.read(LANE)]
    for offset, time in enumerate(times):
        assert at_time(log, LANE, time) == offset
        assert at_time(log, LANE, time + timedelta(minutes=1)) == offset + 1
    assert at_time(log, LANE, times[0] - timedelta(days=1)) == 0


def test_shown_are_what_waits_and_where_the_database_is(settings: Settings, log: SqliteLog) -> None:
    put(log, "a", "b")
    store_all(settings)
    put(log, "c")
    found = line(settings, "database")
    assert (found["first"], found["next"], found["saved"], found["end"]) == (0, 2, 2, 3)
    assert found["waiting"] == 1
    assert line(settings, "match")["next"] is None


def test_a_stage_that_runs_keeps_its_offsets(settings: Settings, log: SqliteLog) -> None:
    put(log, "a", "b")
    loop = sink(settings)
    drain([loop])
    with pytest.raises(UsageError, match=r"the stage database is running .*stop it and try again"):
        offsets.reset(settings, "database", "start")
    assert line(settings, "database")["saved"] == 2
    loop.close()
    offsets.reset(settings, "database", "start")
    assert line(settings, "database")["saved"] == 0


def test_reading_again_changes_nothing(settings: Settings, log: SqliteLog) -> None:
    put(log, "a", "b", "c")
    store_all(settings)
    for _ in range(2):  # setting it twice is setting it once
        rows = offsets.reset(settings, "database", "start")
        moved = next(r for r in rows if (r["topic"], r["partition"]) == LANE)
        assert moved["now"] == 0
    store_all(settings)
    assert stored(settings) == ["a", "b", "c"]
    assert line(settings, "database")["waiting"] == 0


def test_records_are_left_out_only_on_purpose(settings: Settings, log: SqliteLog) -> None:
    put(log, "a")
    store_all(settings)
    put(log, "b", "c")
    with pytest.raises(UsageError, match=r"2 records .* left out for ever .*--skip"):
        offsets.reset(settings, "database", "end")
    assert line(settings, "database")["saved"] == 1
    offsets.reset(settings, "database", "end", skip=True)
    store_all(settings)
    assert stored(settings) == ["a"]


def test_an_older_copy_of_the_database_stops_the_stage_and_can_be_brought_up_to_date(
    settings: Settings, log: SqliteLog, tmp_path: Path
) -> None:
    put(log, "a", "b")
    store_all(settings)
    copy = tmp_path / "copy.db"
    shutil.copy(settings.database.url, copy)
    put(log, "c", "d")
    store_all(settings)
    shutil.copy(copy, settings.database.url)
    store_all(settings)
    assert stored(settings) == ["a", "b", "c", "d"], "as after a power cut: it was only seconds"

    shutil.copy(copy, settings.database.url)
    later(settings, offset=3, hours=3)
    with pytest.raises(LogChanged, match=r"up to 2, .* come to 4, 3\.0 h later.*--to saved"):
        store_all(settings)
    assert stored(settings) == ["a", "b"]
    offsets.reset(settings, "database", "saved")
    store_all(settings)
    assert stored(settings) == ["a", "b", "c", "d"]


def test_a_new_database_on_a_log_that_was_read_stops_the_stage(
    settings: Settings, log: SqliteLog
) -> None:
    put(log, "a", "b", "c")
    store_all(settings)
    later(settings, offset=1, hours=2)
    for path in Path(settings.database.url).parent.glob("news.db*"):
        path.unlink()
    app.prepare(settings)
    with pytest.raises(LogChanged, match=r"an older copy, or another database"):
        store_all(settings)
    offsets.reset(settings, "database", "saved")
    store_all(settings)
    assert stored(settings) == ["a", "b", "c"]


def test_records_that_the_log_dropped_unread_stop_the_stage(
    settings: Settings, log: SqliteLog
) -> None:
    put(log, "a")
    store_all(settings)
    put(log, "b")
    log.prune(datetime.now(UTC) + timedelta(days=41))
    put(log, "c")
    with pytest.raises(LogChanged, match=r"only keeps records from 2: 1 were never .*--skip"):
        store_all(settings)
    with pytest.raises(UsageError, match=r"1 records .*--skip"):
        offsets.reset(settings, "database", "start")
    offsets.reset(settings, "database", "start", skip=True)
    store_all(settings)
    assert stored(settings) == ["a", "c"]


def test_a_database_of_another_log_is_rebuilt_and_not_reset(
    settings: Settings, log: SqliteLog
) -> None:
    put(log, "a")
    store_all(settings)
    engine = open_database(settings.database.url)
    with engine.begin() as connection:
        connection.execute(tables.positions.update().values(log_id="another"))
    engine.dispose()
    with pytest.raises(LogChanged, match="deleted and made again"):
        store_all(settings)
    with pytest.raises(UsageError, match="`dateline db rebuild` into an empty database"):
        offsets.reset(settings, "database", "start")


class Reader(Stage):
    name = "match"
    inputs = (records.PLACED,)
    tables = (records.EVENTS,)

    def process(self, batch: object) -> list[Output]:
        return []


def test_a_topic_made_again_while_a_stage_was_down_stops_it(
    settings: Settings, log: SqliteLog, tmp_path: Path
) -> None:
    engine = open_database(settings.database.url)
    fence.check(engine, log, Reader())
    fence.check(engine, log, Reader())
    other = SqliteLog(tmp_path / "other.log.db")
    other.create_topics(topics(1))
    with pytest.raises(LogChanged, match=r"dateline\.events is not .* `dateline offsets reset ma"):
        fence.check(engine, other, Reader())
    offsets.reset(settings.model_copy(update={"log": settings.log.model_copy(
        update={"url": str(tmp_path / "other.log.db")})}), "match", "start")  # fmt: skip
    fence.check(engine, other, Reader())
    other.close()
    engine.dispose()


def test_without_its_database_a_stage_that_needs_none_goes_on(
    log: SqliteLog, tmp_path: Path
) -> None:
    engine = open_database(tmp_path / "another.db", upgrade=True)
    with closing(sqlite3.connect(tmp_path / "another.db", isolation_level=None)) as connection:
        engine.dispose()
        locked = sa.create_engine(f"sqlite:///{tmp_path / 'another.db'}",
                                  connect_args={"timeout": 0.05})  # fmt: skip
        connection.execute("BEGIN EXCLUSIVE")
        fence.check(locked, log, Reader())
        locked.dispose()


def test_what_the_command_says(settings: Settings, log: SqliteLog, tmp_path: Path) -> None:
    put(log, "a", "b")
    store_all(settings)
    done = dateline(tmp_path, "offsets", "show", "--db", "news.db", "--json")
    assert done.returncode == 0, done.stderr
    assert next(r["saved"] for r in json.loads(done.stdout) if r["stage"] == "database") == 2
    done = dateline(tmp_path, "offsets", "reset", "database", "--to", "soon", "--db", "news.db")
    assert done.returncode == 2
    assert "expected start, end, saved or a time such as" in done.stderr
    done = dateline(tmp_path, "offsets", "reset", "desk", "--to", "start", "--db", "news.db")
    assert done.returncode == 2
    assert "embed, cluster, match, database" in done.stderr
    done = dateline(tmp_path, "offsets", "reset", "database", "--to", "2018-06-12",
                    "--db", "news.db")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert line(settings, "database")["saved"] == 0
