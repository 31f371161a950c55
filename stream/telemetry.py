"""JSON logs, Prometheus metrics, and the small HTTP server with /metrics, /livez and /readyz."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TextIO, cast

import structlog
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

from stream.errors import UsageError
from stream.log.contract import LogRecord
from stream.records import event_time_of

_records = Counter("dateline_stage_records_total", "Records handled", ["stage"])
_dead = Counter(
    "dateline_stage_dead_letters_total", "Records made dead letters", ["stage", "error"]
)
_failures = Counter("dateline_stage_failures_total", "Rounds ended by an error", ["stage", "error"])
_seconds = Histogram(
    "dateline_stage_batch_seconds",
    "Time from a batch in hand to its commit",
    ["stage"],
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300),
)
_lag = Gauge("dateline_stage_lag_records", "Records waiting for this stage", ["stage"])
_progress = Gauge(
    "dateline_stage_progress_timestamp_seconds", "When the stage last did or found nothing to do",
    ["stage"],
)  # fmt: skip


_fresh = Gauge(
    "dateline_stage_freshness_timestamp_seconds",
    "Event time of the last article handled", ["stage"],
)  # fmt: skip


class StageMetrics:
    """The metrics of one stage, and what liveness and `dateline status` need to know of it.

    `last_round` and `last_progress` are of the monotonic clock; `last_error` is of the last round,
    `error` the last one that there was, with its time.
    """

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.last_round = self.last_progress = time.monotonic()
        self.began = False  # a first round went well
        self.last_error: str | None = None
        self.error: tuple[datetime, str] | None = None
        self.waiting = 0  # records of the group that wait, as last asked
        self._done_when_asked: int | None = None

    def beat(self) -> None:
        """Something was done within a round."""
        self.last_round = self.last_progress = time.monotonic()

    def alive(self) -> None:
        """A round went well, be it with nothing to do."""
        self.last_round = time.monotonic()
        self.last_error, self.began = None, True
        _progress.labels(self.stage).set_to_current_time()

    def done(self, batch: Sequence[LogRecord], seconds: float) -> None:
        self.alive()
        self.last_progress = time.monotonic()
        if batch and (at := event_time_of(batch[-1].value)) is not None:
            _fresh.labels(self.stage).set(at.timestamp())
        _records.labels(self.stage).inc(len(batch))
        _seconds.labels(self.stage).observe(seconds)

    def failed(self, error: BaseException) -> None:
        """A round failed. The stage is alive all the same: waiting for a broker is no reason to
        restart it."""
        self.last_round = self.last_progress = time.monotonic()
        self.last_error = str(error)
        self.error = (datetime.now(UTC), self.last_error)
        _failures.labels(self.stage, type(error).__name__).inc()

    def dead(self, error: BaseException) -> None:
        _dead.labels(self.stage, type(error).__name__).inc()

    def lag(self, records: int) -> None:
        _lag.labels(self.stage).set(records)

    def watch(self, done: int, waiting: int) -> None:
        """How far the whole group has come, asked at times. No matter who does it: while something
        waits, something must be done."""
        if not waiting or done != self._done_when_asked:
            self.last_progress = time.monotonic()
        self._done_when_asked, self.waiting = done, waiting

    def stuck(self, after_s: float) -> str | None:
        """Why this stage is not getting on, None = it is. Waiting for a broker or a database that
        is away is no reason; a restart would not bring it back."""
        now = time.monotonic()
        if now - self.last_round > after_s:
            return f"no round finished for {now - self.last_round:.0f} s"
        if self.waiting and self.last_error is None and now - self.last_progress > after_s:
            return (
                f"{self.waiting:,} records wait and none was handled for "
                f"{now - self.last_progress:.0f} s"
            )
        return None


class _Lossy:
    """Where log lines go. When nobody reads them any more (a closed pipe), they are lost: no stage
    may die of what it says."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._out.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._out.flush()


def configure_logs(
    level: str = "info", json_lines: bool | None = None, out: TextIO | None = None
) -> None:
    """Logs go to `out` (default: standard error): JSON lines unless it is a terminal."""
    out = out or sys.stderr
    as_json = (not out.isatty()) if json_lines is None else json_lines
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors="NO_COLOR" not in os.environ)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if as_json else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        # It writes a line with its end at once; processes of one run share where they write to.
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _Lossy(out))),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=out, format="%(name)s: %(message)s")


Check = Callable[[], str | None]  # None = fine, else one sentence


class HealthServer:
    """Serves /metrics, /livez (is this process getting on?) and /readyz (are its dependencies?).

    Liveness asks no dependency, so that a broken broker does not get every container restarted.
    """

    def __init__(self, host: str, port: int, live: Sequence[Check], ready: Sequence[Check]) -> None:
        checks = {"/livez": live, "/readyz": ready}

        class Handler(BaseHTTPRequestHandler):
            timeout = 10  # a client that sends nothing must not hold a thread

            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._answer(200, "text/plain; version=0.0.4", generate_latest(REGISTRY))
                elif self.path in checks:
                    problems = [p for check in checks[self.path] if (p := check())]
                    body = json.dumps({"ok": not problems, "problems": problems}).encode()
                    self._answer(503 if problems else 200, "application/json", body)
                else:
                    self._answer(404, "text/plain", b"try /metrics, /livez or /readyz\n")

            def _answer(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Probes every few seconds are not worth a line."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise UsageError(
                f"cannot listen on {host}:{port} for health checks ({error.strerror}); "
                "set telemetry.port to a free port, or to 0 for none"
            ) from error
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
