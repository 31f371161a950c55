"""Opening the database, and what is said when that cannot be done."""

from __future__ import annotations

import socket
import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from store.connection import reading, translated
from store.engine import open_database
from store.tables import positions
from stream.errors import DatelineError, Unavailable, UsageError
from tests.postgres import MortalPostgres


def test_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("just some words, long enough for a header\n" * 100)
    with pytest.raises(UsageError, match=r"not an SQLite database"):
        open_database(tmp_path / "notes.txt", upgrade=True)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="folder"):
        open_database(tmp_path / "nowhere" / "news.db", upgrade=True)


@pytest.mark.parametrize("url", ["", "mysql://host/db", "sqlite://", "://", "postgresql://h:x/d"])
def test_a_url_that_cannot_be_used(url: str) -> None:
    with pytest.raises(UsageError):
        open_database(url)


def test_a_server_that_does_not_answer_is_unavailable_and_the_password_stays_secret() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(Unavailable) as caught:
            open_database(f"postgresql://anna:s3cret@127.0.0.1:{port}/news")
    assert "s3cret" not in str(caught.value)
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_database_or_user_is_a_usage_error(postgres_url: str) -> None:
    url = sa.make_url(postgres_url)
    for wrong in (url.set(database="nobody_made_this"), url.set(username="nobody")):
        with pytest.raises(UsageError, match="refused"):
            open_database(wrong.render_as_string(hide_password=False))


def test_a_server_that_became_a_standby_is_waited_for_and_left(
    mortal_postgres: MortalPostgres,
) -> None:
    open_database(mortal_postgres.url, upgrade=True).dispose()
    mortal_postgres.kill()
    mortal_postgres.start(standby=True)
    engine = open_database(mortal_postgres.url)
    row = {"topic": "t", "partition": 0, "log_id": "x", "next": 0}

    def write() -> None:
        with translated(), engine.begin() as connection:
            connection.execute(positions.insert(), row)

    made: list[object] = []
    sa.event.listen(engine, "connect", lambda connection, _: made.append(connection))
    with pytest.raises(Unavailable, match="recovery"):
        write()
    mortal_postgres.promote()
    write()
    # Those of before may lead to the old server for ever, whoever has its address by now.
    assert len(made) == 1
    engine.dispose()


def test_a_server_is_told_to_end_what_is_paused_and_the_operator_has_the_last_word(
    postgres_url: str,
) -> None:
    def told(url: str) -> tuple[str, ...]:
        engine = open_database(url)
        with reading(engine) as connection:
            names = ("idle_in_transaction_session_timeout", "statement_timeout")
            found = tuple(str(connection.exec_driver_sql(f"SHOW {n}").scalar()) for n in names)
        engine.dispose()
        return found

    open_database(postgres_url, upgrade=True).dispose()
    assert told(postgres_url) == ("30s", "1min")
    own = sa.make_url(postgres_url).update_query_dict({"options": "-c statement_timeout=5000"})
    assert told(own.render_as_string(hide_password=False)) == ("30s", "5s")


def test_two_writers_that_read_first_both_get_through(database_url: str) -> None:
    engine = open_database(database_url, upgrade=True)
    with engine.begin() as connection:
        connection.execute(
            positions.insert(), {"topic": "t", "partition": 0, "log_id": "x", "next": 0}
        )
    failures: list[BaseException] = []

    def count() -> None:
        own = open_database(database_url)
        try:
            for _ in range(25):
                with own.begin() as connection:
                    connection.execute(sa.select(positions.c.next).with_for_update()).scalar_one()
                    connection.execute(positions.update().values(next=positions.c.next + 1))
        except BaseException as error:
            failures.append(error)
        finally:
            own.dispose()

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with reading(engine) as connection:
        assert connection.execute(sa.select(positions.c.next)).scalar_one() == 75
    engine.dispose()


def test_a_reader_does_not_block_a_writer(database_url: str) -> None:
    engine = open_database(database_url, upgrade=True)
    with reading(engine) as reader:
        reader.execute(sa.select(positions)).all()
        with engine.begin() as writer:
            writer.execute(
                positions.insert(), {"topic": "t", "partition": 0, "log_id": "x", "next": 0}
            )
        assert reader.execute(sa.select(sa.func.count()).select_from(positions)).scalar() in (0, 1)
    engine.dispose()


def test_a_locked_file_is_unavailable(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "news.db", upgrade=True)
    holder = sqlite3.connect(tmp_path / "news.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with engine.connect() as connection:
        connection.connection.execute("PRAGMA busy_timeout = 1")
        with pytest.raises(Unavailable, match="locked"), translated("the database"):
            connection.execute(sa.text("SELECT 1"))
    holder.execute("ROLLBACK")
    holder.close()
    engine.dispose()


def test_a_new_file_that_another_process_is_writing_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "news.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    written = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    written.start()
    open_database(path, upgrade=True).dispose()
    written.join()
    other.close()


def test_a_missing_table_is_not_the_records_fault(database_url: str) -> None:
    engine = open_database(database_url, upgrade=True)
    with (
        pytest.raises(DatelineError, match="expected tables"),
        translated("the database"),
        reading(engine) as connection,
    ):
        connection.execute(sa.text("SELECT * FROM nothing_like_it"))
    engine.dispose()


def test_values_that_do_not_fit_stay_the_records_fault(database_url: str) -> None:
    engine = open_database(database_url, upgrade=True)
    row = {"topic": None, "partition": 0, "log_id": "x", "next": 0}
    with (
        pytest.raises(sa.exc.IntegrityError),
        translated("the database"),
        engine.connect() as connection,
    ):
        connection.execute(positions.insert(), row)
    engine.dispose()
