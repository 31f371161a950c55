"""The log in one SQLite file, for one host: the embedded default.

This uses the standard library's sqlite3 and not SQLAlchemy on purpose: the file is a transport
with four private tables, not the database that dashboards read. WAL mode lets readers go on while
one producer writes; many threads and processes may share the file.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from stream.errors import UsageError
from stream.log.contract import LogRecord, Partition, Topic
from stream.log.keys import Chooser, check_size, in_use, missing_topic
from stream.log.sqlite_file import SHIFT, LogFile, transaction
from stream.log.sqlite_group import SqliteConsumer, fetch

# Records a query of `read`: no read transaction stays open while the caller works on them,
# since one that does keeps the write-ahead log growing.
PAGE = 500


class _TopicRow(NamedTuple):
    id: int
    log_id: str
    partitions: int


class SqliteLog:
    """Implements `stream.log.contract.Log` on the file at `path` (created when missing).

    Group members own partitions through file locks in `<path>.locks/`, which the system releases
    however a member ends. The first member takes every partition; others stand by.
    Raises UsageError when the path cannot be used.
    """

    def __init__(self, path: Path | str) -> None:
        self._file = LogFile(Path(path))
        self._lock = threading.RLock()  # one connection for all short questions
        with self._file.errors():
            self._connection = self._file.connect(durable=True)

    def create_topics(self, topics: Sequence[Topic]) -> list[str]:
        created = []
        with self._use() as db, transaction(db):
            for topic in topics:
                row = db.execute(
                    "INSERT INTO topics (name, log_id, partitions, kept_for_days) "
                    "VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
                    (topic.name, str(uuid.uuid4()), topic.partitions, topic.kept_for_days),
                ).fetchone()
                if row is not None:
                    created.append(topic.name)
                    db.executemany(
                        "INSERT INTO partitions (topic, number) VALUES (?, ?)",
                        [(row[0], number) for number in range(topic.partitions)],
                    )
        return created

    def log_id(self, topic: str) -> str:
        return self._topic(topic).log_id

    def partitions(self, topic: str) -> int:
        return self._topic(topic).partitions

    def producer(self) -> SqliteProducer:
        with self._file.errors():
            return SqliteProducer(self._file, self._file.connect(durable=True), self.partitions)

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        *,
        on_assigned: Callable[[Partition], int | None] | None = None,
        on_revoked: Callable[[Partition], None] | None = None,
    ) -> SqliteConsumer:
        wanted = {
            Partition(topic, number): self._partition(Partition(topic, number))
            for topic in topics
            for number in range(self.partitions(topic))
        }
        with self._file.errors():
            connection = self._file.connect(durable=False)
        return SqliteConsumer(self._file, connection, group, wanted, on_assigned, on_revoked)

    def read(
        self, partition: Partition, start: int = 0, end: int | None = None
    ) -> Iterator[LogRecord]:
        first, after = self.bounds(partition)
        start, end = max(start, first), after if end is None else min(end, after)
        return self._pages(partition, self._partition(partition), start, end)

    def follow(self, topics: Sequence[str]) -> SqliteFollower:
        return SqliteFollower(self, topics)

    def bounds(self, partition: Partition) -> tuple[int, int]:
        with self._use() as db:
            first, after = db.execute(
                "SELECT first, next FROM partitions WHERE id = ?", (self._partition(partition),)
            ).fetchone()
        return first, after

    def committed(self, group: str, partition: Partition) -> int | None:
        with self._use() as db:
            row = db.execute(
                "SELECT next FROM commits WHERE name = ? AND partition = ?",
                (group, self._partition(partition)),
            ).fetchone()
        return None if row is None else row[0]

    def set_committed(self, group: str, next_offsets: Mapping[Partition, int]) -> None:
        wanted = {partition: self._partition(partition) for partition in next_offsets}
        with self._file.errors():
            connection = self._file.connect(durable=True)
        member = SqliteConsumer(self._file, connection, group, wanted, None, None)
        try:
            member.take_free()
            if member.assigned() != frozenset(wanted):
                raise in_use(group)
            member.commit(next_offsets)
        finally:
            member.close()

    def prune(self, now: datetime) -> int:
        gone = 0
        with self._use() as db:
            kept = db.execute(
                "SELECT p.id, kept_for_days FROM partitions p JOIN topics t ON p.topic = t.id "
                "WHERE kept_for_days IS NOT NULL"
            ).fetchall()
            for part, days in kept:
                cutoff = int((now - timedelta(days=days)).timestamp() * 1000)
                with transaction(db):
                    (after,) = db.execute(
                        "SELECT next FROM partitions WHERE id = ?", (part,)
                    ).fetchone()
                    low, high = part << SHIFT, (part << SHIFT) + after
                    young = db.execute(
                        "SELECT at FROM records WHERE at >= ? AND at < ? AND time >= ? "
                        "ORDER BY at LIMIT 1",
                        (low, high, cutoff),
                    ).fetchone()
                    keep = young[0] if young else high
                    gone += db.execute(
                        "DELETE FROM records WHERE at >= ? AND at < ?", (low, keep)
                    ).rowcount
                    db.execute("UPDATE partitions SET first = ? WHERE id = ?", (keep - low, part))
        return gone

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def _use(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._file.errors():
            self._file.check_present()
            yield self._connection

    def _topic(self, topic: str) -> _TopicRow:
        with self._use() as db:
            row = db.execute(
                "SELECT id, log_id, partitions FROM topics WHERE name = ?", (topic,)
            ).fetchone()
        if row is None:
            raise missing_topic(topic, f"the log {self._file.path}")
        return _TopicRow(*row)

    def _partition(self, partition: Partition) -> int:
        topic = self._topic(partition.topic)
        with self._use() as db:
            row = db.execute(
                "SELECT id FROM partitions WHERE topic = ? AND number = ?",
                (topic.id, partition.number),
            ).fetchone()
        if row is None:
            raise UsageError(
                f"topic {partition.topic} has {topic.partitions} partition(s), "
                f"none with the number {partition.number}"
            )
        number: int = row[0]
        return number

    def _pages(self, source: Partition, part: int, start: int, end: int) -> Iterator[LogRecord]:
        while start < end:
            with self._use() as db:
                page = fetch(db, source, part, start, min(end, start + PAGE))
            if not page:
                return
            yield from page
            start = page[-1].offset + 1


class SqliteFollower:
    """Asks each partition for its end, one row: some tens of microseconds when nothing came."""

    def __init__(self, log: SqliteLog, topics: Sequence[str]) -> None:
        self._log = log
        self._next = {Partition(t, n): 0 for t in topics for n in range(log.partitions(t))}

    def poll(self) -> Sequence[LogRecord]:
        found: list[LogRecord] = []
        for partition, start in self._next.items():
            new = list(self._log.read(partition, start))
            found += new
            if new:
                self._next[partition] = new[-1].offset + 1
        return found

    def close(self) -> None:
        """Nothing of its own is open."""


class SqliteProducer:
    """Queues records in memory; `flush` writes them in one transaction that assigns offsets."""

    def __init__(
        self, file: LogFile, connection: sqlite3.Connection, partitions: Callable[[str], int]
    ) -> None:
        self._file, self._db = file, connection
        self._partitions_of = partitions
        self._counts: dict[str, int] = {}
        self._chooser = Chooser()
        self._queue: dict[Partition, list[tuple[bytes | None, bytes, bytes | None]]] = {}
        self._closed = False

    def send(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        check_size(topic, value)
        if topic not in self._counts:
            self._counts[topic] = self._partitions_of(topic)
        number = self._chooser.choose(topic, self._counts[topic], key, partition)
        packed = msgspec.msgpack.encode(dict(headers)) if headers else None
        self._queue.setdefault(Partition(topic, number), []).append((key, value, packed))

    def flush(self) -> None:
        queue, self._queue = self._queue, {}
        if not queue:
            return
        self._file.check_present()
        with self._file.errors(), transaction(self._db):
            now = time.time_ns() // 1_000_000
            for source, rows in queue.items():
                part, after = self._db.execute(
                    "UPDATE partitions SET next = next + ? WHERE number = ? AND "
                    "topic = (SELECT id FROM topics WHERE name = ?) RETURNING id, next",
                    (len(rows), source.number, source.topic),
                ).fetchone()
                at = (part << SHIFT) + after - len(rows)
                self._db.executemany(
                    "INSERT INTO records (at, time, key, value, headers) VALUES (?, ?, ?, ?, ?)",
                    ((at + i, now, *row) for i, row in enumerate(rows)),
                )

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            try:
                self.flush()
            finally:
                self._db.close()
