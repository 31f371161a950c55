"""`python -m tests.torture.slow LOG DATABASE GATE database|model|channel`: a stage in a process of
its own whose dependency is slow or away while the file GATE exists, which says how: "slow" or
"away". The stage is the real one; only what it depends on is held up."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from processors.embed.stage import EmbedStage
from sinks.alerts.channels.contract import Channel, Message, NotSent
from sinks.alerts.deliver import Deliverer
from sinks.alerts.policy import AlertPolicy
from sinks.alerts.settings import AlertSettings
from sinks.database.stage import DatabaseSink
from store.engine import open_database
from stream.errors import Unavailable
from stream.log.sqlite import SqliteLog
from stream.stage import Loop, Stage
from stream.telemetry import configure_logs
from tests.sinks.world import OUTLETS

SLOW_S = {"database": 0.1, "model": 0.5, "channel": 0.1}  # a statement, a batch, an alert
gate: Path


def pass_gate() -> bool:
    """False when the dependency is away."""
    if not gate.exists():
        return True
    time.sleep(SLOW_S[sys.argv[4]])
    return gate.read_text() != "away"


class Model:
    name, dims = "slow@1", 2

    def encode(self, texts: Sequence[str]) -> list[bytes]:
        if not pass_gate():
            raise Unavailable("the model does not answer")
        return [np.array([1, 0], np.float16).tobytes() for _ in texts]


class Receiver(Channel):
    name, wants_page, idempotent = "receiver", False, True

    def send(self, message: Message) -> None:
        if not pass_gate():
            raise NotSent("nobody answers")


def slow_database(url: str) -> sa.Engine:
    engine = open_database(url)

    @sa.event.listens_for(engine, "before_cursor_execute")
    def hold_up(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT") and not pass_gate():
            raise sa.exc.OperationalError(statement, {}, Exception("no answer"))

    return engine


def main(log: str, database: str, name: str) -> None:
    configure_logs("error", json_lines=True)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if name == "channel":
        settings = AlertSettings(poll=0.05, first_retry=0.2, last_retry=1.0, settle=0)
        Deliverer(open_database(database), settings, channels=[Receiver()]).run(stop)
        return
    stage: Stage = (
        EmbedStage(Model())
        if name == "model"
        else DatabaseSink(slow_database(database), AlertPolicy([]), OUTLETS)
    )
    loop = Loop(stage, SqliteLog(log))
    loop.BACKOFF_S = (0.1, 1.0)
    loop.run(stop)


if __name__ == "__main__":
    gate = Path(sys.argv[3])
    main(sys.argv[1], sys.argv[2], sys.argv[4])
