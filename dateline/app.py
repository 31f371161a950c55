"""Which stages run in this process, and what each of them needs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from dateline.config import Settings
from stream.errors import DatelineError, UsageError
from stream.log.contract import Log, topics
from stream.stage import Loop, Stage
from stream.telemetry import HealthServer, configure_logs

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ingest.polling.floor import Floor

# In the order of the flow. `dateline run` groups them into processes: ingest is all waiting,
# embed is the only one that loads the model, the others are cheap and share one.
STAGES = ("ingest", "embed", "cluster", "match", "database", "deliver", "desk")
PROCESSES = (("ingest",), ("embed",), ("cluster", "match", "database", "deliver"), ("desk",))
# A loop round takes seconds, half a minute at most with a slow model. A stage that has not finished
# one for this long, or has records waiting and handles none, is stuck: a restart is the only thing
# left to try.
STUCK_AFTER_S = 300.0


def open_log(settings: Settings) -> Log:
    """The log that the configuration names."""
    url = settings.log.url
    if url.startswith("kafka://"):
        from stream.log.kafka import KafkaLog

        secret = settings.log.sasl_password
        return KafkaLog(
            url.removeprefix("kafka://"),
            security_protocol=settings.log.security_protocol,
            sasl_mechanism=settings.log.sasl_mechanism,
            sasl_username=settings.log.sasl_username,
            sasl_password=secret.get_secret_value() if secret else None,
            ssl_cafile=_text(settings.log.ssl_cafile),
            ssl_certfile=_text(settings.log.ssl_certfile),
            ssl_keyfile=_text(settings.log.ssl_keyfile),
            assignor=settings.log.assignor,
        )
    if "://" in url and not url.startswith("sqlite://"):
        raise UsageError(f"log.url: expected a path or kafka://host:port, got {url!r}; set log.url")
    from stream.log.sqlite import SqliteLog

    return SqliteLog(url.removeprefix("sqlite:///"))


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def open_engine(settings: Settings, *, upgrade: bool = False) -> Engine:
    from store.engine import open_database

    return open_database(settings.database_url(), upgrade=upgrade)


def disk_floor(settings: Settings) -> Floor:
    """Over the files that the log and the database are, where they are files."""
    from ingest.polling.floor import Floor

    files = [settings.log.url.removeprefix("sqlite:///")] if settings.embedded else []
    if "://" not in settings.database.url or settings.database.url.startswith("sqlite:"):
        files.append(settings.database.url.removeprefix("sqlite:///"))
    return Floor([Path(file) for file in files], settings.log.disk_floor_mb)


def prepare(settings: Settings) -> None:
    """What the one-host default does for itself; elsewhere an operator runs the two commands."""
    if settings.embedded:
        open_engine(settings, upgrade=True).dispose()
        log = open_log(settings)
        log.create_topics(topics(settings.log.article_partitions))
        log.close()


def make_stage(name: str, settings: Settings, *, deliver: bool = True) -> Stage:
    """The stage of that name, ready for a Loop. `deliver=False`: alerts are decided, not told."""
    if name == "embed":
        from processors.embed.encoder import Encoder
        from processors.embed.stage import EmbedStage

        return EmbedStage(Encoder(settings.embed))
    if name == "cluster":
        from processors.cluster.stage import ClusterStage

        # Snapshots are never optional here: without one a restart reads the log from its start.
        return ClusterStage(settings.cluster, settings.cluster.state_dir or Path("dateline.state"))
    if name == "match":
        from processors.match.stage import MatchStage

        return MatchStage(settings.match)
    if name == "database":
        engine, log = open_engine(settings), open_log(settings)
        return database_sink(engine, settings, log, deliver=deliver, group="dateline.database")
    raise UsageError(f"unknown stage {name!r}; the stages are {', '.join(STAGES)}")


def database_sink(
    engine: Engine, settings: Settings, log: Log, *, deliver: bool, group: str | None = None
) -> Stage:
    """The writer, with the alert policy it asks. It disposes of the engine when it closes. With
    `group` it refuses a database that is behind what the group has done."""
    from sinks.alerts.policy import AlertPolicy
    from sinks.database.stage import DatabaseSink
    from sinks.outlets import Outlets

    policy = AlertPolicy(
        settings.alerts.channels if deliver else (), tells_backfill=settings.alerts.tell_backfill
    )
    return DatabaseSink(engine, policy, Outlets.load(settings.outlets), log, group)


@dataclass
class Worker:
    """A thread of this process, with what liveness needs to know of it."""

    name: str
    work: Callable[[threading.Event], None]
    loop: Loop | None = None
    error: BaseException | None = None
    waits: Callable[[], str | None] | None = None  # what for, where that is not the loop's to say
    thread: threading.Thread = field(init=False)

    def start(self, stop: threading.Event, failed: Callable[[Worker], None]) -> None:
        def run() -> None:
            try:
                self.work(stop)
            except BaseException as error:
                self.error = error
                failed(self)

        self.thread = threading.Thread(target=run, name=self.name, daemon=True)
        self.thread.start()

    def problem(self) -> str | None:
        """Why this worker is not getting on; None = it is."""
        if self.error is not None:
            return f"{self.name}: {self.error}"
        if self.loop is not None and (why := self.loop.metrics.stuck(STUCK_AFTER_S)):
            return f"{self.name}: {why}"
        return None

    def waiting_for(self) -> str | None:
        """Why this worker is not ready: what it depends on is away, or it has only just begun."""
        if self.loop is not None and self.loop.metrics.last_error:
            return f"{self.name}: {self.loop.metrics.last_error}"
        if self.loop is not None and not self.loop.metrics.began:
            return self.problem() or f"{self.name}: has not finished its first round"
        if self.waits is not None and (why := self.waits()):
            return f"{self.name}: {why}"
        return self.problem()


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
    _stop_with_supervisor(end)
    prepare(settings)

    from dateline.pulse import pulsing

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

    workers = [_worker(name, settings) for name in names]
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
    with pulsing(settings, workers):
        finished.wait()
    for worker in workers:
        # A stage finishes the batch in hand; the longest, embedding, takes seconds.
        worker.thread.join(timeout=60)
    if health:
        health.close()
    errors = [w.error for w in workers if w.error is not None]
    if errors:
        sys.stderr.write(f"dateline: {errors[0]}\n")
        return 2 if isinstance(errors[0], UsageError) else 1
    say.info("run.stopped", stages=list(names))
    return 0


def _worker(name: str, settings: Settings) -> Worker:
    if name == "ingest":
        return _ingest(settings)
    if name == "deliver":
        from sinks.alerts.deliver import Deliverer

        engine = open_engine(settings)
        return Worker(name, Deliverer(engine, settings.alerts).run, waits=_answers(engine))
    if name == "desk":
        return Worker(
            name, lambda stop: _run_desk(settings, stop), waits=_answers(open_engine(settings))
        )
    log = open_log(settings)
    loop = Loop(make_stage(name, settings), log, dead_in_a_row=settings.stages.dead_in_a_row)

    def run(stop: threading.Event) -> None:
        _same_topics(settings, log, loop.stage)
        loop.run(stop)

    # An idle writer would not notice that its database is away; the others need none.
    waits = _answers(open_engine(settings)) if name == "database" else None
    return Worker(name, run, loop, waits=waits)


def _answers(engine: Engine) -> Callable[[], str | None]:
    """A check that says why the database does not answer, None = it does."""
    import sqlalchemy as sa

    from store.engine import describe, reading, translated

    def check() -> str | None:
        try:
            with translated(describe(engine)), reading(engine) as connection:
                connection.execute(sa.text("SELECT count(*) FROM positions"))
        except DatelineError as error:
            return str(error)
        return None

    return check


def _same_topics(settings: Settings, log: Log, stage: Stage) -> None:
    from dateline import fence

    if stage.name == "database":
        return  # it keeps the identity of each topic with its positions
    try:
        engine = open_engine(settings)
    except DatelineError as error:  # only the stages that need the database wait for it
        say = structlog.get_logger("dateline.stage")
        say.warning("stage.topics_not_checked", stage=stage.name, error=str(error))
        return
    try:
        fence.check(engine, log, stage)
    finally:
        engine.dispose()


def _ingest(settings: Settings) -> Worker:
    from ingest.clock import WallClock
    from ingest.polling.poller import Poller

    poller = Poller(
        open_engine(settings),
        open_log(settings),
        settings.ingest,
        WallClock(),
        disk_floor(settings),
    )

    async def main(stop: threading.Event) -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        threading.Thread(
            target=lambda: (stop.wait(), loop.call_soon_threadsafe(ended.set)), daemon=True
        ).start()
        await poller.run(ended)

    return Worker("ingest", lambda stop: asyncio.run(main(stop)), waits=poller.problem)


def _run_desk(settings: Settings, stop: threading.Event) -> None:
    from dashboard.app import create_app
    from dashboard.server import serve
    from dateline.explain import Explainer

    engine = open_engine(settings)
    app = create_app(engine, Explainer(settings, engine), settings.desk)
    serve(app, settings.desk, stop)


def _stop_with_supervisor(stop: Callable[[], object]) -> None:
    """A supervised process ends when its supervisor does, however that died: the supervisor holds
    the other end of our standard input, and its death closes it."""
    if os.environ.get("DATELINE_SUPERVISED"):

        def watch() -> None:
            # Not through sys.stdin: its lock, held by this thread, would hang the shutdown.
            while os.read(0, 1024):
                pass
            stop()

        threading.Thread(target=watch, name="supervisor-watch", daemon=True).start()
