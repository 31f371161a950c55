"""The stages of one process: started together, stopped together, their health on one port."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

import structlog

from dateline.app import prepare
from dateline.config import Settings
from dateline.pulse import pulsing
from dateline.worker import Worker, make_worker
from stream.errors import DatelineError, UsageError
from stream.telemetry import HealthServer, configure_logs

# What hangs has hung for five minutes when it is told of; ten seconds more are nothing.
LOOK_S = 10.0


def run_stages(names: Sequence[str], settings: Settings) -> int:
    """Run these stages as threads of this process until SIGTERM or SIGINT; the exit code."""
    configure_logs(settings.telemetry.level)
    say = structlog.get_logger("dateline.run")
    stop = threading.Event()
    finished = threading.Event()

    def end(*_: object) -> None:
        stop.set()
        finished.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    stop_with_supervisor(end)
    prepare(settings)

    def failed(worker: Worker) -> None:
        expected = isinstance(worker.error, DatelineError)
        say.error(
            "stage.failed",
            stage=worker.name,
            error=str(worker.error),
            exc_info=None if expected else worker.error,
        )
        stop.set()
        finished.set()

    workers = [make_worker(name, settings) for name in names]
    health = None
    if settings.telemetry.port:
        health = HealthServer(
            settings.telemetry.host,
            settings.telemetry.port,
            [w.problem for w in workers],
            [w.waiting_for for w in workers],
        )
    for worker in workers:
        worker.start(stop, failed)
    say.info("run.started", stages=list(names))
    hangs: str | None = None
    with pulsing(settings, workers):
        while not finished.wait(LOOK_S):
            # Under `dateline run` nobody asks /livez: to end, and be started again, is ours to do.
            if "DATELINE_SUPERVISED" in os.environ and (hangs := _problem(workers)):
                say.error("run.stuck", error=hangs)
                end()
    for worker in workers:
        # A stage finishes the batch in hand; the longest, embedding, takes seconds.
        worker.thread.join(timeout=60)
    if health:
        health.close()
    if hangs:
        return 1
    errors = [w.error for w in workers if w.error is not None]
    if errors:
        sys.stderr.write(f"dateline: {errors[0]}\n")
        return 2 if isinstance(errors[0], UsageError) else 1
    say.info("run.stopped", stages=list(names))
    return 0


def _problem(workers: Sequence[Worker]) -> str | None:
    return next((why for worker in workers if (why := worker.problem())), None)


def stop_with_supervisor(stop: Callable[[], object]) -> None:
    """A supervised process ends when its supervisor does, however that died: the supervisor holds
    the other end of our standard input, and its death closes it."""
    if os.environ.get("DATELINE_SUPERVISED"):

        def watch() -> None:
            # Not through sys.stdin: its lock, held by this thread, would hang the shutdown.
            while os.read(0, 1024):
                pass
            stop()

        threading.Thread(target=watch, name="supervisor-watch", daemon=True).start()
