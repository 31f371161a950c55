"""The books: does every article have a fate, and does the database say what the log says?"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import sqlalchemy as sa

from dateline import app
from dateline.config import Settings
from store import tables
from store.connection import reading
from stream.errors import UsageError
from stream.stage import Loop, drain

if TYPE_CHECKING:
    from store.audit import Report


def reconcile(settings: Settings) -> Report:
    """The audit; articles still on their way count as in flight only while a stage has lag."""
    from dateline.status import lag
    from store.audit import audit

    engine = app.open_engine(settings)
    try:
        return audit(engine, in_flight_allowed=lag(settings) > 0)
    finally:
        engine.dispose()


def rebuild(settings: Settings, into: str) -> int:
    """Write all derived rows of `into`, an empty database, from the log; records read."""
    from store.engine import open_database

    log = app.open_log(settings)  # before a database is made for it
    engine = open_database(into, upgrade=True)
    with reading(engine) as connection:
        if connection.execute(sa.select(sa.func.count()).select_from(tables.positions)).scalar():
            raise UsageError(f"{into} is not empty; name a new file or an empty database")
    # A group of its own: the running pipeline keeps its positions.
    sink = app.database_sink(engine, settings, log, deliver=False)
    limit = settings.stages.dead_in_a_row
    loop = Loop(sink, log, group=f"dateline.rebuild.{uuid4().hex}", dead_in_a_row=limit)
    try:
        return drain([loop])
    finally:
        loop.close()
        log.close()
        engine.dispose()
