"""A database of every released revision, with what its release wrote, is brought to this one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from ingest.archive import replay
from store import schema, tables
from store.connection import reading
from store.engine import open_database
from stream.errors import UsageError
from stream.log.contract import Topic
from stream.log.sqlite import SqliteLog
from tests.sinks.world import Feed
from tests.store import remembered

REVISIONS = sorted(path.stem for path in remembered.GOLDEN.glob("*.json"))
# What a migration changes on purpose: (revision that has it, view, column, was, is).
MEANT = [("0001", "v_feeds", "state", "gone", "active")]


def old_database(url: str, revision: str, golden: dict[str, Any]) -> None:
    """An empty database migrated to `revision` only, with the rows that its release wrote."""
    parsed = sa.make_url(url)
    engine = sa.create_engine(parsed)
    with engine.begin() as connection:
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    remembered.load(engine, golden)
    engine.dispose()


def as_then(now: list[dict[str, Any]], then: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a view in the columns that it had then, in a fixed order."""
    columns = list(then[0]) if then else []
    return sorted(({name: row[name] for name in columns} for row in now if columns), key=repr)


@pytest.mark.parametrize("revision", REVISIONS)
def test_views_say_the_same_after_the_upgrade(database_url: str, revision: str) -> None:
    golden, _ = remembered.read(revision)
    old_database(database_url, revision, golden)
    with pytest.raises(UsageError, match=f"schema {revision}, older than this release"):
        open_database(database_url)
    engine = open_database(database_url, upgrade=True)
    now = remembered.said(engine)
    for view, rows in golden["views"].items():
        for had, of, column, was, is_ in MEANT:
            if (had, of) == (revision, view):
                assert any(row[column] == was for row in rows), "the case is in the file"
                rows = [row | {column: is_} if row[column] == was else row for row in rows]
        assert as_then(now[view], rows) == sorted(rows, key=repr), view
    assert {view for view, rows in golden["views"].items() if not rows} <= {"v_notices"}
    with reading(engine) as connection:
        for name, rows in golden["tables"].items():
            count = sa.select(sa.func.count()).select_from(tables.metadata.tables[name])
            assert connection.execute(count).scalar() == len(rows), name
    engine.dispose()


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_sink_goes_on_as_if_it_had_always_been_this_release(
    database_url: str, another_database: Callable[[], str], revision: str
) -> None:
    golden, log = remembered.read(revision)
    old_database(database_url, revision, golden)
    upgraded = open_database(database_url, upgrade=True)
    remembered.later(remembered.continued(upgraded, log))

    fresh = open_database(another_database(), upgrade=True)
    feed = Feed(fresh, channels=("console", "webhook"))
    for record in log:
        feed.sink.start(record.source, feed.log_id)
        feed.sink.process([record])
    remembered.later(remembered.continued(fresh, log))

    one, other = remembered.said(upgraded), remembered.said(fresh)
    for view, rows in golden["views"].items():
        if view not in ("v_feeds", "v_ledger", "v_notices"):  # of ingest, not of the log
            assert _derived(view, one[view], rows) == _derived(view, other[view], rows), view
    upgraded.dispose()
    fresh.dispose()


def _derived(view: str, now: list[dict[str, Any]], then: list[dict[str, Any]]) -> list[Any]:
    rows = as_then(now, then)
    if view == "v_fates":
        return [row for row in rows if row["stage"] != "ingest"]
    if view == "v_deliveries":  # the rest is what delivery did with them
        return sorted((row["alert_id"], row["channel"], row["sequence"]) for row in rows)
    return rows


@pytest.mark.parametrize("revision", REVISIONS)
def test_ingest_knows_what_the_older_release_stored(
    database_url: str, revision: str, tmp_path: Path
) -> None:
    golden, _ = remembered.read(revision)
    old_database(database_url, revision, golden)
    engine = open_database(database_url, upgrade=True)
    log = SqliteLog(tmp_path / "log.db")
    log.create_topics([Topic("dateline.articles", 1, None)])
    report = replay(remembered.archive(tmp_path), log, engine)
    assert (report.stored, report.revised, report.dead) == (0, 0, 1)
    assert report.duplicate == report.seen - 1
    log.close()
    engine.dispose()
