"""Copies of an SQLite file that others go on using, taken and put back by SQLite itself.

Never by copying files: what was committed last is in the write-ahead log beside the file, and one
that is left beside a restored file would spoil it. PostgreSQL has pg_dump.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from store.engine import SQLITE_BUSY_S
from stream.errors import Unavailable, UsageError


def copy(source: Path, target: Path) -> int:
    """Write one state of `source` to `target`, a single file of so many bytes, replacing what was
    there only when the copy is whole and on disk."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        _copy(source, part)
        with closing(sqlite3.connect(part, isolation_level=None)) as made:
            made.execute("PRAGMA journal_mode = DELETE")  # one file, to be moved as one pleases
            [(verdict,)] = made.execute("PRAGMA quick_check(1)").fetchall()
            if verdict != "ok":
                raise UsageError(f"{source} is damaged ({verdict}); restore an earlier copy of it")
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def put_back(source: Path, target: Path) -> None:
    """Make `target` say what the copy `source` says, in one transaction on it."""
    if not source.is_file():
        raise UsageError(f"there is no copy {source}; name the folder that `db backup` wrote")
    _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as given,
            closing(sqlite3.connect(target, timeout=SQLITE_BUSY_S)) as taken,
        ):
            given.backup(taken)
    except sqlite3.OperationalError as error:
        raise Unavailable(f"cannot copy {source} to {target} ({error})") from error
    except sqlite3.DatabaseError as error:
        raise UsageError(f"{source} is no SQLite database ({error}); name another") from error
    except OSError as error:
        raise UsageError(f"cannot copy {source} to {target}: {error.strerror}") from error
