"""Opening the database: SQLite for one host, PostgreSQL for a team.

Transactions of the engine are writing ones: on SQLite they begin with BEGIN IMMEDIATE, because a
transaction that reads first and writes later fails at once when another process wrote in between,
however long it is willing to wait. Whoever only reads uses `store.connection.reading(engine)`.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from store import schema
from store.connection import describe, reading, translated
from stream.errors import UsageError

# Longer than any transaction of ours takes (a batch is well under a second); beyond it the
# database is in trouble and the stage should say so and try again.
SQLITE_BUSY_S = 15
# A host that does not answer a SYN within 5 s is away.
CONNECT_S = 5
# One whose network does not even acknowledge what we send for this long is away too: well within
# the length of a poller's lease.
SILENCE_MS = 30_000
# The slowest statement, a count over a million articles for the desk, takes seconds.
STATEMENT_MS = 60_000
# A write in a transaction that may only read; one that cannot be begun, as a standby answers.
_STANDBY = ("25006", "0A000")
# A paused writer must not hold the row of its position for ever: its successor waits for it.
IDLE_IN_TRANSACTION_MS = 30_000


def open_database(url: str | Path, *, upgrade: bool = False) -> sa.Engine:
    """The engine for a URL or the path of an SQLite file, with a schema of this release.

    `upgrade` creates or migrates the schema first; without it no file is made. Raises UsageError
    when the URL, the password, the file or the schema is not right, Unavailable when the server
    does not answer.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        if not upgrade and not os.path.exists(parsed.database or ""):
            raise UsageError(
                f"there is no database file {parsed.database}; `dateline run` and `dateline db "
                "upgrade` make one, or name another with --db"
            )
        engine = _sqlite(parsed)
    else:
        engine = _postgresql(parsed)
    try:
        with translated(describe(engine)), reading(engine) as connection:
            connection.execute(
                sa.text("SELECT 1 FROM sqlite_master")
                if engine.dialect.name == "sqlite"
                else sa.text("SELECT 1")
            )
        if upgrade:
            schema.upgrade(engine)
        schema.check(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _parse(url: str | Path) -> sa.URL:
    text = str(url).strip()
    if "://" not in text:
        if not text:
            raise UsageError("expected a database URL or a file, got nothing; set database.url")
        return sa.URL.create("sqlite+pysqlite", database=text)
    try:
        parsed = sa.make_url(text)
    except (exc.ArgumentError, ValueError) as error:
        raise UsageError(
            "the database URL cannot be read; expected sqlite:///file or "
            "postgresql://user:password@host/name"
        ) from error
    backend = parsed.drivername.partition("+")[0]
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise UsageError("the database must be a file: several processes share it")
        return parsed.set(drivername="sqlite+pysqlite")
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise UsageError(f"expected an sqlite or postgresql database, got {backend!r}")


def _sqlite(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"timeout": SQLITE_BUSY_S})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself; we do, below
        # WAL: readers and a writer do not wait for each other. NORMAL: a power cut may undo the
        # last transactions, never half of one; their positions go back with them.
        _write_ahead(connection)
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        only_reads = connection.get_execution_options().get("dateline_reading")
        connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """The driver's patience does not cover this statement: of processes that open a new file at
    the same moment one changes it, and the others are told at once that it is locked."""
    until = time.monotonic() + SQLITE_BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.01)


def _postgresql(url: sa.URL) -> sa.Engine:
    options = " ".join(
        f"-c {name}={value}"
        for name, value in {
            "statement_timeout": STATEMENT_MS,
            "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_MS,
        }.items()
    )
    if isinstance(url.query.get("options"), str):  # the operator's come last and win
        options += f" {url.query['options']}"
    engine = sa.create_engine(
        url,
        connect_args={
            "connect_timeout": CONNECT_S,
            # A server that vanished without a word would hold a statement for hours otherwise.
            "tcp_user_timeout": SILENCE_MS,
            "keepalives_idle": SILENCE_MS // 3000,
            "keepalives_interval": SILENCE_MS // 3000,
            "keepalives_count": 2,
            "options": options,
            "application_name": "dateline",
        },
        pool_size=5,  # a stage uses one; the desk a few
        max_overflow=5,
        pool_timeout=CONNECT_S,
        pool_pre_ping=True,  # after a restart of the server the first use of each would fail
    )

    @event.listens_for(engine, "handle_error")
    def leave_a_standby(context: sa.engine.ExceptionContext) -> None:
        # After a failover the old server may go on as a standby, which answers but takes no
        # writes: its connections must not stay in the pool, and it is no record's fault.
        if getattr(context.original_exception, "sqlstate", None) in _STANDBY:
            context.is_disconnect = True

    @event.listens_for(engine, "after_cursor_execute")
    def count_as_idle(*call: Any) -> None:
        _, cursor, *_, executemany = call
        if executemany:
            # The driver sends many rows as a pipeline and asks for a flush at its end, which stops
            # the server's clock of idle transactions: it would never free the locks of a writer
            # that is paused here. Any statement starts the clock again.
            cursor.connection.execute("SELECT 1")

    return engine
