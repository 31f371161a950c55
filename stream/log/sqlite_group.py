"""Members of a group on the SQLite log: who owns which partition, and where it reads on."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from stream.errors import PartitionsLost, UsageError
from stream.log.contract import LogRecord, Partition
from stream.log.keys import outside
from stream.log.sqlite_file import SHIFT, LogFile, transaction

# How often a waiting poll looks for records and for free partitions: a look costs some tens of
# microseconds, so even a dozen idle stages stay far below one per cent of a core.
LOOK_S = 0.02
# A poll hands over no more than this, lest 256 records of a MiB each fill the memory.
POLL_BYTES = 16 * 1024 * 1024

_headers = msgspec.msgpack.Decoder(dict[str, bytes])


def fetch(
    db: sqlite3.Connection, source: Partition, part: int, start: int, end: int
) -> list[LogRecord]:
    """The records of `[start, end)`; fewer when they pass POLL_BYTES."""
    base = part << SHIFT
    size, found = 0, []
    for at, milliseconds, key, value, headers in db.execute(
        "SELECT at, time, key, value, headers FROM records WHERE at >= ? AND at < ? ORDER BY at",
        (base + start, base + end),
    ):
        found.append(
            LogRecord(
                source.topic,
                source.number,
                at - base,
                key,
                value,
                _headers.decode(headers) if headers else {},
                datetime.fromtimestamp(milliseconds / 1000, UTC),
            )
        )
        size += len(value)
        if size >= POLL_BYTES:
            break
    return found


class SqliteConsumer:
    """Implements `stream.log.contract.Consumer`; made by `SqliteLog.consumer`."""

    def __init__(
        self,
        file: LogFile,
        connection: sqlite3.Connection,
        group: str,
        wanted: Mapping[Partition, int],
        on_assigned: Callable[[Partition], int | None] | None,
        on_revoked: Callable[[Partition], None] | None,
    ) -> None:
        self._file, self._db, self._group = file, connection, group
        self._ids = wanted
        self._on_assigned, self._on_revoked = on_assigned, on_revoked
        self._next: dict[Partition, int] = {}  # owned partitions, and where each reads on
        self._last: Partition | None = None  # the one that was served last
        self._closed = False
        folder = file.locks / quote(group, safe="")
        folder.mkdir(exist_ok=True)
        # One descriptor a partition, opened here: two members in one process exclude each other
        # as well. The files stay for ever; removing one would let two members lock "it".
        self._locks = {
            p: os.open(folder / f"{quote(p.topic, safe='')}.{p.number}", os.O_RDWR | os.O_CREAT)
            for p in wanted
        }

    def poll(self, max_records: int, timeout: float) -> Sequence[LogRecord]:
        deadline = time.monotonic() + timeout
        while True:
            self._file.check_present()
            self.take_free()
            with self._file.errors():
                batch = self._fetch(max_records)
            left = deadline - time.monotonic()
            if batch or left <= 0:
                return batch
            time.sleep(min(LOOK_S, left))

    def assigned(self) -> frozenset[Partition]:
        return frozenset(self._next)

    def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        for partition in next_offsets:
            self._check_owned(partition)
        with self._file.errors(), transaction(self._db):
            self._db.executemany(
                "INSERT INTO commits (name, partition, next) VALUES (?, ?, ?) "
                "ON CONFLICT (name, partition) DO UPDATE SET next = excluded.next",
                [(self._group, self._ids[p], at) for p, at in next_offsets.items()],
            )

    def seek(self, partition: Partition, offset: int) -> None:
        self._check_owned(partition)
        self._next[partition] = offset

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            if self._on_revoked:
                for partition in sorted(self._next):
                    self._on_revoked(partition)
        finally:
            self._next.clear()
            for descriptor in self._locks.values():
                os.close(descriptor)  # and with it the lock
            self._db.close()

    def _check_owned(self, partition: Partition) -> None:
        if partition not in self._next:
            raise PartitionsLost(
                f"partition {partition.number} of {partition.topic} is not owned by this member "
                f"of group {self._group}; its owner does the batch again"
            )

    def take_free(self) -> None:
        """Own every partition that no live member owns."""
        for partition, descriptor in self._locks.items():
            if partition in self._next:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            try:
                start = self._on_assigned(partition) if self._on_assigned else None
                self._next[partition] = self._resume(partition) if start is None else start
            except BaseException:
                fcntl.flock(descriptor, fcntl.LOCK_UN)
                raise

    def _resume(self, partition: Partition) -> int:
        """Where the group committed, else the first kept record."""
        part = self._ids[partition]
        with self._file.errors():
            row = self._db.execute(
                "SELECT next FROM commits WHERE name = ? AND partition = ?", (self._group, part)
            ).fetchone()
            first, _ = self._bounds(part)
        return first if row is None else row[0]

    def _fetch(self, max_records: int) -> list[LogRecord]:
        """Serves the partitions in turn, so that a full one does not starve the others."""
        batch: list[LogRecord] = []
        owned = sorted(self._next)
        if self._last in self._next:
            turn = owned.index(self._last) + 1
            owned = owned[turn:] + owned[:turn]
        for partition in owned:
            position = self._next[partition]
            first, after = self._bounds(self._ids[partition])
            if not first <= position <= after:
                raise outside(self._group, partition, position, first, after)
            if position == after:
                continue
            room = max_records - len(batch)
            found = fetch(
                self._db, partition, self._ids[partition], position, min(after, position + room)
            )
            batch += found
            self._next[partition] = found[-1].offset + 1
            self._last = partition
            if len(batch) >= max_records or sum(len(r.value) for r in found) >= POLL_BYTES:
                break
        return batch

    def _bounds(self, part: int) -> tuple[int, int]:
        row = self._db.execute(
            "SELECT first, next FROM partitions WHERE id = ?", (part,)
        ).fetchone()
        if row is None:
            raise UsageError(f"the log {self._file.path} has lost a partition; restore the file")
        first, after = row
        return first, after
