"""The schema: what migrations make is what the code expects, on both databases."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from store import schema, views
from store.connection import reading
from store.engine import open_database
from store.tables import metadata
from stream.errors import UsageError

HEAD = "0003"


def test_migrated_schema_equals_the_tables(database_url: str) -> None:
    engine = open_database(database_url, upgrade=True)
    with reading(engine) as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "version_table": schema.VERSION_TABLE}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_second_upgrade_changes_nothing(database_url: str) -> None:
    engine = open_database(database_url, upgrade=True)
    assert schema.upgrade(engine) == []
    assert schema.current(engine) == HEAD
    engine.dispose()


def test_views_have_the_promised_columns_and_can_be_made_again(database_url: str) -> None:
    engine = open_database(database_url, upgrade=True)
    with engine.begin() as connection:
        views.drop(connection)
        views.create(connection)
        for view in views.VIEWS:
            result = connection.execute(sa.text(f"SELECT * FROM {view.name}"))
            assert list(result.keys()) == list(view.columns), view.name
    engine.dispose()


def _upgrade(url: str, results: multiprocessing.Queue[object]) -> None:
    try:
        open_database(url, upgrade=True).dispose()
        results.put("ok")
    except BaseException as error:
        results.put(repr(error))


def test_replicas_that_start_together_do_not_race(database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[object] = context.Queue()
    processes = [context.Process(target=_upgrade, args=(database_url, results)) for _ in range(4)]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in processes] == ["ok"] * 4
    for process in processes:
        process.join()
    engine = open_database(database_url)
    assert schema.current(engine) == HEAD
    engine.dispose()


def test_an_empty_database_names_the_command_to_run(database_url: str) -> None:
    with pytest.raises(UsageError, match="dateline db upgrade"):
        open_database(database_url)


def test_a_schema_from_a_newer_release_is_refused(database_url: str) -> None:
    engine = open_database(database_url, upgrade=True)
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'"))
        connection.execute(sa.text("UPDATE schema_reach SET oldest = '9999'"))
    engine.dispose()
    for upgrade in (False, True):
        with pytest.raises(UsageError, match="newer Dateline"):
            open_database(database_url, upgrade=upgrade)


def test_a_release_still_starts_on_a_newer_schema_that_leaves_it_what_it_needs(
    database_url: str,
) -> None:
    """In the middle of a rolling upgrade: migrated, and a process of the older release restarts."""
    open_database(database_url, upgrade=True).dispose()
    newer = sa.create_engine(sa.make_url(database_url))
    with newer.begin() as connection:
        connection.execute(sa.text(f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'"))
        connection.execute(sa.text("ALTER TABLE articles ADD COLUMN of_the_next TEXT"))
    for upgrade in (False, True):
        engine = open_database(database_url, upgrade=upgrade)
        assert schema.current(engine) == "9999"
        engine.dispose()
    with newer.begin() as connection:
        connection.execute(sa.text("UPDATE schema_reach SET oldest = '9998'"))
    newer.dispose()
    with pytest.raises(UsageError, match="newer Dateline"):
        open_database(database_url)


def test_tables_of_another_program_are_left_alone(database_url: str) -> None:
    engine = open_database(database_url, upgrade=True)
    with engine.begin() as connection:
        connection.execute(sa.text(f"DROP TABLE {schema.VERSION_TABLE}"))
    engine.dispose()
    with pytest.raises(UsageError, match="another program"):
        open_database(database_url, upgrade=True)


def test_a_failed_migration_leaves_nothing_behind(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: sa.Connection) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(views, "create", fail)
    with pytest.raises(RuntimeError):
        open_database(database_url, upgrade=True)
    monkeypatch.undo()
    with pytest.raises(UsageError, match="no Dateline tables"):
        open_database(database_url)
    open_database(database_url, upgrade=True).dispose()


def test_a_path_is_as_good_as_a_url(tmp_path: Path) -> None:
    open_database(tmp_path / "news.db", upgrade=True).dispose()
    open_database(f"sqlite:///{tmp_path / 'news.db'}").dispose()
