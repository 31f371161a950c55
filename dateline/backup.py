"""Backup and restore of the one-host default: the database first, then the log.

In this order the copy of the log is never behind the copy of the database, so a restored database
finds in the log everything that it has not seen, and writes it again from its own positions.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from dateline import app, offsets
from dateline.config import Settings
from store import backup
from stream.errors import UsageError

DATABASE, LOG = "dateline.db", "dateline.log.db"
_ELSEWHERE = (
    "on PostgreSQL use its own tools: `pg_dump -Fc -d NAME -f FILE` and `pg_restore --clean "
    "--if-exists -d NAME FILE`, then `dateline offsets reset database --to saved`"
)


class Restored(NamedTuple):
    log: bool  # the log was put back, too
    again: int  # records that are written again from the log


def take(settings: Settings, folder: Path) -> dict[str, int]:
    """Copies in `folder`, while everything runs: name -> bytes."""
    database = _file(settings)
    app.open_engine(settings).dispose()  # that it is one of ours
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror}") from error
    sizes = {DATABASE: backup.copy(database, folder / DATABASE)}
    if log := _log_file(settings):
        sizes[LOG] = backup.copy(log, folder / LOG)
    return sizes


def put_back(settings: Settings, folder: Path) -> Restored:
    """Put the database back; the log only where there is none, for a log that is there holds more.

    Raises UsageError while the database stage runs, and when the copy is not of this log.
    """
    database, log = _file(settings), _log_file(settings)
    with_log = log is not None and not log.exists()
    if log is not None and with_log:
        backup.put_back(folder / LOG, log)
    else:
        offsets.refuse_running(settings, "database")
    backup.put_back(folder / DATABASE, database)
    app.open_engine(settings, upgrade=True).dispose()  # the copy may be of an older release
    offsets.reset(settings, "database", "saved")
    shown = (row for row in offsets.show(settings) if row["stage"] == "database")
    return Restored(with_log, sum(row["waiting"] for row in shown))


def _file(settings: Settings) -> Path:
    url = settings.database.url
    if "://" not in url:
        return Path(url)
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise UsageError(f"expected an SQLite database, got {settings.public_database()}; "
                         + _ELSEWHERE)  # fmt: skip
    return Path(parsed.database)


def _log_file(settings: Settings) -> Path | None:
    return Path(settings.log.url.removeprefix("sqlite:///")) if settings.embedded else None
