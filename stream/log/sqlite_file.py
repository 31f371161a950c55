"""The file under the SQLite log: opening it, its tables, and what its errors mean."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream.errors import DatelineError, LogChanged, Unavailable, UsageError

# Marks the file as a Dateline log ("DLog"), so that `dateline.db` is not taken for one.
APPLICATION_ID = 0x444C6F67
FORMAT = 1
# A record's rowid is partition << SHIFT | offset: one B-tree, no second index, and a partition's
# records lie side by side. 2^40 offsets last a thousand years at thirty a second.
SHIFT = 40
# How long a writer waits for another's transaction. A flush takes milliseconds; ten seconds
# means a stuck disk, and the stage loop then waits and tries again.
BUSY_S = 10.0

_SCHEMA = """
CREATE TABLE topics (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, log_id TEXT NOT NULL,
    partitions INTEGER NOT NULL, kept_for_days INTEGER
);
CREATE TABLE partitions (
    id INTEGER PRIMARY KEY, topic INTEGER NOT NULL REFERENCES topics, number INTEGER NOT NULL,
    first INTEGER NOT NULL DEFAULT 0, next INTEGER NOT NULL DEFAULT 0, UNIQUE (topic, number)
);
CREATE TABLE records (
    at INTEGER PRIMARY KEY, time INTEGER NOT NULL, key BLOB, value BLOB NOT NULL, headers BLOB
);
CREATE TABLE commits (
    name TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
    PRIMARY KEY (name, partition)
) WITHOUT ROWID;
"""
_AWAY = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL,
}  # fmt: skip


class LogFile:
    """One SQLite file with its folder of locks; opens connections to it.

    Raises UsageError when the path cannot be written or holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.locks = self.path.with_name(self.path.name + ".locks")
        try:
            self._check_kind()
            self.locks.mkdir(exist_ok=True)
            # Two processes that start together must not both create the tables.
            with (self.locks / "create").open("w") as gate:
                fcntl.flock(gate, fcntl.LOCK_EX)
                self._create()
            self._inode = self.path.stat().st_ino
        except OSError as error:
            raise UsageError(
                f"cannot use {self.path} as the log ({error.strerror}); "
                "give a path in a folder that can be written"
            ) from error

    def connect(self, *, durable: bool) -> sqlite3.Connection:
        """A connection in autocommit mode, to be used by one thread at a time.

        Durable connections sync at every commit (synchronous=FULL): an article's feed is marked
        as read, and a position is saved, in another file, which must never get ahead of this one,
        not even when the power fails. The others (NORMAL) write group commits only; one that
        a power cut takes back is a batch done again.
        """
        connection = sqlite3.connect(
            self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        return connection

    def check_present(self) -> None:
        """A file that was removed while open would swallow records unseen."""
        try:
            here = self.path.stat().st_ino
        except OSError:
            here = -1
        if here != self._inode:
            raise LogChanged(
                f"the log {self.path} was removed or replaced while in use; "
                "stop every stage, then start them again"
            )

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turns SQLite's errors into Dateline's."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._meaning(error) from error

    def _meaning(self, error: sqlite3.Error) -> DatelineError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code
        if code in _AWAY:
            return Unavailable(f"the log {self.path} cannot be used now ({error})")
        if code == sqlite3.SQLITE_READONLY:
            return UsageError(f"the log {self.path} cannot be written; check its permissions")
        return UsageError(f"the file {self.path} is not a sound log ({error}); give another path")

    def _check_kind(self) -> None:
        """Before anything is made beside it: is this a file that may become, or be, a log?"""
        if self.path.is_dir():
            raise UsageError(f"{self.path} is a folder; give the path of a file for the log")
        if self.path.exists():
            # Asked through SQLite, never by opening the file: POSIX drops all locks of a process
            # on a file when it closes any descriptor of it, and SQLite's other connections here
            # would lose theirs. Another process then takes itself for the last one and deletes
            # the write-ahead log under them.
            if not os.access(self.path, os.R_OK | os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            connection = sqlite3.connect(self.path, timeout=BUSY_S)
            try:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB:
                    raise UsageError(
                        f"{self.path} is not a Dateline log; give another path"
                    ) from error
                raise self._meaning(error) from error
            finally:
                connection.close()

    def _create(self) -> None:
        with self.errors():
            connection = self.connect(durable=True)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                application = connection.execute("PRAGMA application_id").fetchone()[0]
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
                if application == 0 and empty:
                    connection.executescript(
                        f"BEGIN; {_SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
                        f"PRAGMA user_version = {FORMAT}; COMMIT;"
                    )
                elif application != APPLICATION_ID:
                    raise UsageError(
                        f"{self.path} is a database, but not a Dateline log; give another path"
                    )
                elif version != FORMAT:
                    raise UsageError(
                        f"the log {self.path} has format {version}, this release reads {FORMAT}; "
                        "use the release that wrote it"
                    )
            finally:
                connection.close()


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, as the only writer from its first statement on."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk has already rolled back
            db.execute("ROLLBACK")
        raise
