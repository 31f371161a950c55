"""A stage as a thread of this process, with what liveness and readiness ask of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from dateline import app
from dateline.config import Settings
from stream.errors import DatelineError
from stream.log.contract import Log
from stream.stage import Loop, Stage

if TYPE_CHECKING:
    from sqlalchemy import Engine

# A loop round takes seconds, half a minute at most with a slow model. A stage that has not finished
# one for this long, or has records waiting and handles none, is stuck: a restart is the only thing
# left to try.
STUCK_AFTER_S = 300.0


@dataclass
class Worker:
    """A thread of this process, with what liveness needs to know of it."""

    name: str
    work: Callable[[threading.Event], None]
    loop: Loop | None = None
    stuck: Callable[[float], str | None] | None = (
        None  # as `Loop.metrics.stuck`, where there is none
    )
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
        stuck = self.stuck if self.loop is None else self.loop.metrics.stuck
        if stuck is not None and (why := stuck(STUCK_AFTER_S)):
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


def make_worker(name: str, settings: Settings) -> Worker:
    """The thread that does the work of this stage, ready to start."""
    if name == "ingest":
        return _ingest(settings)
    if name == "deliver":
        from sinks.alerts.deliver import Deliverer

        engine = app.open_engine(settings)
        deliverer = Deliverer(engine, settings.alerts)
        return Worker(name, deliverer.run, stuck=deliverer.stuck, waits=answers(engine))
    if name == "desk":
        return Worker(
            name, lambda stop: _run_desk(settings, stop), waits=answers(app.open_engine(settings))
        )
    log = app.open_log(settings)
    loop = Loop(app.make_stage(name, settings), log, dead_in_a_row=settings.stages.dead_in_a_row)

    def run(stop: threading.Event) -> None:
        _same_topics(settings, log, loop.stage)
        loop.run(stop)

    # An idle writer would not notice that its database is away; the others need none.
    waits = answers(app.open_engine(settings)) if name == "database" else None
    return Worker(name, run, loop, waits=waits)


def answers(engine: Engine) -> Callable[[], str | None]:
    """A check that says why the database does not answer, None = it does."""
    import sqlalchemy as sa

    from store.connection import describe, reading, translated

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
        engine = app.open_engine(settings)
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
        app.open_engine(settings),
        app.open_log(settings),
        settings.ingest,
        WallClock(),
        app.disk_floor(settings),
    )

    pulse = EventLoopPulse()

    async def main(stop: threading.Event) -> None:
        pulse.begin()
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        threading.Thread(
            target=lambda: (stop.wait(), loop.call_soon_threadsafe(ended.set)), daemon=True
        ).start()
        await poller.run(ended)

    return Worker(
        "ingest", lambda stop: asyncio.run(main(stop)), stuck=pulse.stuck, waits=poller.problem
    )


class EventLoopPulse:
    """Whether an event loop goes round. What its tasks wait for has time limits of its own; what
    would stop all of them is a call that does not come back to the loop."""

    EVERY_S = 1.0

    def __init__(self) -> None:
        self._last = time.monotonic()

    def begin(self) -> None:
        """Called on the loop."""
        self._last = time.monotonic()
        asyncio.get_running_loop().call_later(self.EVERY_S, self.begin)

    def stuck(self, after_s: float) -> str | None:
        stood = time.monotonic() - self._last
        return f"its event loop has stood still for {stood:.0f} s" if stood > after_s else None


def _run_desk(settings: Settings, stop: threading.Event) -> None:
    from dashboard.app import create_app
    from dashboard.server import serve
    from dateline.explain import Explainer

    engine, desk = app.open_engine(settings), settings.desk
    if desk.atom_dir is None and "atom" in settings.alerts.channels:
        desk = desk.model_copy(update={"atom_dir": settings.alerts.atom_dir})
    serve(create_app(engine, Explainer(settings, engine), desk), desk, stop)
