"""Serving the desk: as a thread of a process that does more, or as its main loop."""

from __future__ import annotations

import socket
import threading

import structlog
import uvicorn
from starlette.types import ASGIApp

from dashboard.settings import DashboardSettings
from stream.errors import UsageError

_say = structlog.get_logger("dateline.desk")


class Server:
    """The desk on one address. The socket is bound here, so a port in use is known at once.

    `run()` serves until SIGTERM or SIGINT; or `start()` and later `close()`. Port 0 takes any free
    one, told by `port` and `url`. Raises UsageError when the address cannot be had.
    """

    # Enough for the slowest page to finish; nobody waits longer for a restart.
    STOP_S = 5

    def __init__(self, app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> None:
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        shown = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host  # noqa: S104
        self.url = (
            f"http://[{shown}]:{self.port}" if ":" in shown else f"http://{shown}:{self.port}"
        )
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=self.STOP_S,
            )
        )
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Serve in this thread until told to stop."""
        try:
            self._uvicorn.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def start(self) -> Server:
        """Serve in a thread of its own. Connections are accepted from now on."""
        self._thread = threading.Thread(target=self.run, name="desk", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        self._uvicorn.should_exit = True
        if self._thread is None:
            self._socket.close()
        else:
            self._thread.join(self.STOP_S + 2)

    def __enter__(self) -> Server:
        return self.start() if self._thread is None else self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(app: ASGIApp, settings: DashboardSettings, stop: threading.Event) -> None:
    """Serve as the settings say until `stop` is set: the desk as one worker of a process."""
    with Server(app, settings.host, settings.port) as server:
        _say.info("desk.open", url=server.url)
        stop.wait()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            # Bound and listening before anyone is told the address: the first request waits
            # for the loop to start instead of being refused.
            listening.listen(128)
        except BaseException:
            listening.close()
            raise
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"the desk cannot listen on {host}:{port} ({reason}); "
            "choose another with desk.port, or 0 for any free one"
        ) from error
    return listening
