"""What only the SQLite log can do wrong."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stream.errors import LogChanged, Unavailable, UsageError
from stream.log import sqlite_file
from stream.log.contract import Partition, Topic
from stream.log.sqlite import SqliteLog
from tests.conftest import ROOT
from tests.stream.transports import append, make_topic, take

ONE = Partition("t", 0)


def test_a_path_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory"):
        SqliteLog(tmp_path / "missing" / "log.db")
    with pytest.raises(UsageError, match="is a folder"):
        SqliteLog(tmp_path)
    text = tmp_path / "notes.txt"
    text.write_text("these are not records, but notes")
    with pytest.raises(UsageError, match="not a Dateline log"):
        SqliteLog(text)
    assert text.read_text().startswith("these")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notes.txt"], "nothing is left behind"


def test_another_database_is_not_taken_for_a_log(tmp_path: Path) -> None:
    path = tmp_path / "dateline.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE articles (id TEXT)")
    other.close()
    with pytest.raises(UsageError, match="a database, but not a Dateline log"):
        SqliteLog(path)


def test_a_log_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    SqliteLog(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 2")
    newer.close()
    with pytest.raises(UsageError, match="has format 2, this release reads 1"):
        SqliteLog(path)


def test_a_locked_file_is_unavailable_and_usable_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_S", 0.05)
    log = SqliteLog(tmp_path / "log.db")
    make_topic(log, "t")
    producer = log.producer()
    producer.send("t", b"during")
    holder = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="database is locked"):
        producer.flush()
    holder.execute("ROLLBACK")
    holder.close()
    producer.send("t", b"after")
    producer.close()
    producer.close()
    assert [record.value for record in log.read(ONE)] == [b"after"]
    log.close()


def test_a_full_disk_is_unavailable_and_leaves_no_half_flush(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    make_topic(log, "t")
    producer = log.producer()
    pages = producer._db.execute("PRAGMA page_count").fetchone()[0]
    producer._db.execute(f"PRAGMA max_page_count = {pages + 5}")
    for _ in range(50):
        producer.send("t", bytes(4000))
    with pytest.raises(Unavailable, match="full"):
        producer.flush()
    assert log.bounds(ONE) == (0, 0)
    producer.send("t", b"small")
    producer.close()
    assert log.bounds(ONE) == (0, 1)
    log.close()


def test_what_is_appended_is_synced_and_what_is_only_done_again_is_not(tmp_path: Path) -> None:
    """No kill shows it: only a power cut tells the two apart."""
    log = SqliteLog(tmp_path / "log.db")
    make_topic(log, "t")
    producer, consumer = log.producer(), log.consumer("g", ["t"])
    full, normal = 2, 1
    assert producer._db.execute("PRAGMA synchronous").fetchone() == (full,)
    assert consumer._db.execute("PRAGMA synchronous").fetchone() == (normal,)
    producer.close()
    consumer.close()
    log.close()


def test_a_flush_that_fails_in_the_middle_stores_nothing(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    make_topic(log, "t")
    producer = log.producer()
    producer.send("t", b"one")
    producer.send("t", ["not bytes"])  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        producer.flush()
    assert log.bounds(ONE) == (0, 0)
    assert list(log.read(ONE)) == []
    producer.send("t", b"small")
    producer.close()
    assert [record.offset for record in log.read(ONE)] == [0]
    log.close()


def test_a_file_removed_while_in_use_stops_everyone(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    make_topic(log, "t")
    before = log.log_id("t")
    producer, consumer = log.producer(), log.consumer("g", ["t"])
    producer.send("t", b"into the void")
    (tmp_path / "log.db").unlink()
    again = SqliteLog(tmp_path / "log.db")
    make_topic(again, "t")
    assert again.log_id("t") != before
    for ask in (producer.flush, lambda: log.log_id("t"), lambda: log.read(ONE)):
        with pytest.raises(LogChanged, match="removed or replaced"):
            ask()
    with pytest.raises(LogChanged, match="removed or replaced"):
        consumer.poll(1, 0)


def test_pruning_drops_what_is_too_old_and_a_late_reader_is_told(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    log.create_topics([Topic("t", 1, 40), Topic("kept", 1, None)])
    append(log, "t", [b"old"] * 3)
    append(log, "kept", [b"old"] * 3)
    late = log.consumer("late", ["t"])
    assert len(take(late, 1)) == 1
    assert log.prune(datetime.now(UTC) + timedelta(days=39)) == 0
    assert log.prune(datetime.now(UTC) + timedelta(days=41)) == 3
    assert (log.bounds(ONE), log.bounds(Partition("kept", 0))) == ((3, 3), (0, 3))
    append(log, "t", [b"new"])
    assert [(r.offset, r.value) for r in log.read(ONE)] == [(3, b"new")]
    with pytest.raises(LogChanged, match=r"goes on at 1 .* holds 3 to 4"):
        late.poll(1, 0)
    fresh = log.consumer("fresh", ["t"])
    assert take(fresh, 1)[0].offset == 3, "a new group starts at the first kept record"
    for closing in (late, fresh, log):
        closing.close()


def test_several_writers_share_one_dense_numbering(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log = SqliteLog(path)
    make_topic(log, "t")
    program = (
        "import sys; from tests.stream.transports import append, open_log\n"
        "log = open_log(f'sqlite:{sys.argv[1]}')\n"
        "[append(log, 't', [sys.argv[2].encode()] * 5) for _ in range(20)]\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(path), name], cwd=ROOT)
        for name in ("a", "b")
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    found = list(log.read(ONE))
    assert [record.offset for record in found] == list(range(200))
    assert sorted(record.value for record in found) == [b"a"] * 100 + [b"b"] * 100
    fives = [{r.value for r in found[i : i + 5]} for i in range(0, 200, 5)]
    assert all(len(five) == 1 for five in fives), "a flush is one piece"
    log.close()


def test_two_processes_may_create_the_file_together(tmp_path: Path) -> None:
    program = "import sys; from stream.log.sqlite import SqliteLog; SqliteLog(sys.argv[1]).close()"
    openers = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "log.db")], cwd=ROOT)
        for _ in range(4)
    ]
    assert [opener.wait() for opener in openers] == [0] * 4


def test_one_full_partition_does_not_starve_the_others(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    make_topic(log, "t", partitions=2)
    append(log, "t", [b"many"] * 100, partition=0)
    append(log, "t", [b"one"], partition=1)
    consumer = log.consumer("g", ["t"])
    first, second = consumer.poll(10, 0), consumer.poll(10, 0)
    assert [record.value for record in first] == [b"many"] * 10
    assert second[0].value == b"one"
    consumer.close()
    log.close()


def test_a_poll_is_bounded_in_bytes(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    make_topic(log, "t")
    append(log, "t", [bytes(1_000_000)] * 30)
    consumer = log.consumer("g", ["t"])
    assert len(consumer.poll(256, 0)) == 17
    assert len(consumer.poll(256, 0)) == 13
    consumer.close()
    log.close()


def test_opening_the_log_twice_keeps_the_locks_of_the_first(tmp_path: Path) -> None:
    """A process that closes the log must see that others still use it, else it would delete the
    write-ahead log under them."""
    path = tmp_path / "log.db"
    first = SqliteLog(path)
    first.create_topics([Topic("t", 1, None)])
    consumer = first.consumer("g", ["t"])
    consumer.poll(1, 0)
    SqliteLog(path)  # the same process looks at the file once more
    elsewhere = (
        "import sys; from stream.log.sqlite import SqliteLog\n"
        "log = SqliteLog(sys.argv[1]); p = log.producer(); p.send('t', b'x', partition=0)\n"
        "p.close(); log.close()"
    )
    subprocess.run([sys.executable, "-c", elsewhere, str(path)], check=True)
    assert path.with_name("log.db-wal").exists()
    assert [record.value for record in consumer.poll(5, 0)] == [b"x"]
    consumer.close()
    first.close()
