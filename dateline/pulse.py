"""What each process says of its stages, in the database, so that `dateline status` can tell."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

from dateline import app
from dateline.config import Settings
from dateline.worker import Worker
from sinks.database.rows import upsert
from store.connection import describe, translated
from store.tables import pulses
from stream.errors import DatelineError

# An operator who asks after a crash should not have to wait, and a row in ten seconds is nothing.
EVERY_S = 10.0
# A process that missed this many is gone, or cannot reach the database.
LIVE_S = 3 * EVERY_S
# How long the last words of a process that is gone are kept.
KEPT = timedelta(days=7)


def process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


@contextmanager
def pulsing(settings: Settings, workers: Sequence[Worker]) -> Iterator[None]:
    """Writes a row for each worker at times, and a last one at the end. A database that is away
    is no trouble of the stages: the rows are then old."""
    ended = threading.Event()
    started = datetime.now(UTC)
    say = structlog.get_logger("dateline.run")

    def beat() -> None:
        engine: sa.Engine | None = None
        while True:
            last = ended.wait(EVERY_S if engine is not None else 0.5)
            try:
                engine = engine or app.open_engine(settings)
                write(engine, settings, workers, started)
            except DatelineError as error:
                say.debug("run.pulse_not_written", error=str(error))
            if last:
                break
        if engine is not None:
            engine.dispose()

    thread = threading.Thread(target=beat, name="pulse", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=EVERY_S)


def write(
    engine: sa.Engine, settings: Settings, workers: Sequence[Worker], started: datetime
) -> None:
    now = datetime.now(UTC)
    rows = [_row(settings, worker, started, now) for worker in workers]
    with translated(describe(engine)), engine.begin() as connection:
        connection.execute(pulses.delete().where(pulses.c.seen < now - KEPT))
        upsert(connection, pulses, rows)


def _row(settings: Settings, worker: Worker, started: datetime, now: datetime) -> dict[str, Any]:
    loop = worker.loop
    waits = worker.waiting_for()
    error = loop.metrics.error if loop is not None else None
    if worker.error is not None:
        error = error or (now, str(worker.error))
    elif error is None and waits and (loop is None or loop.metrics.began):
        error = (now, waits)
    return {
        "stage": worker.name,
        "process": process(),
        "started": started,
        "seen": now,
        "state": "stopped" if worker.error is not None else "waiting" if waits else "running",
        "owns": " ".join(f"{p.topic}/{p.number}" for p in loop.owns()) if loop is not None else "",
        "error": error[1][:1000] if error else None,
        "error_at": error[0] if error else None,
        "snapshot": _snapshot(settings) if worker.name == "cluster" else None,
    }


def _snapshot(settings: Settings) -> datetime | None:
    """When the newest snapshot was written."""
    folder = settings.cluster.state_dir or Path("dateline.state")
    written = [path.stat().st_mtime for path in folder.glob("*.snapshot")]
    return datetime.fromtimestamp(max(written), UTC) if written else None
