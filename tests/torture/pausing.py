"""`python -m tests.torture.pausing BROKER DATABASE STAGE POINT`: one stage in a process of its own,
which stops itself (SIGSTOP) at that point of its third batch; POINT "nowhere" never stops."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from itertools import count
from typing import Any

from sqlalchemy import event

from processors.cluster.stage import ClusterStage
from sinks.alerts.policy import AlertPolicy
from sinks.database.stage import DatabaseSink
from store.engine import open_database
from stream.log.kafka import KafkaLog
from stream.stage import Loop, Stage
from stream.telemetry import configure_logs
from tests.processors.cluster_world import settings
from tests.sinks.world import OUTLETS
from tests.stream.transports import SESSION_S

BATCH, PAUSES_IN = 8, 3


def paused_at(call: Callable[..., Any], *, after: bool = False) -> Callable[..., Any]:
    """`call`, stopping before or after its third time."""
    times = count(1)

    def wrapped(*args: Any, **more: Any) -> Any:
        due = next(times) == PAUSES_IN
        if due and not after:
            os.kill(os.getpid(), signal.SIGSTOP)
        result = call(*args, **more)
        if due and after:
            os.kill(os.getpid(), signal.SIGSTOP)
        return result

    return wrapped


def main(bootstrap: str, database: str, name: str, point: str) -> None:
    configure_logs("info", json_lines=True)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    log = KafkaLog(bootstrap, session_s=SESSION_S)
    stage: Stage
    if name == "cluster":
        stage = ClusterStage(settings(), None)
    else:
        engine = open_database(database)
        stage = DatabaseSink(engine, AlertPolicy(["console"]), OUTLETS, log)
        if point == "in the transaction":
            inserts = count(1)

            @event.listens_for(engine, "before_cursor_execute")
            def pause(_c: object, _cursor: object, statement: str, *_: object) -> None:
                if statement.startswith("INSERT INTO fates") and next(inserts) == PAUSES_IN:
                    os.kill(os.getpid(), signal.SIGSTOP)

    loop = Loop(stage, log)
    loop.BATCH, loop.BACKOFF_S = BATCH, (0.05, 0.2)
    produce = loop._produce
    if point == "before the transaction":
        stage.process = paused_at(stage.process)  # type: ignore[method-assign]
    elif point == "before the group commit":
        loop._produce = paused_at(produce, after=True)  # type: ignore[method-assign]
    elif point == "before producing":
        loop._produce = paused_at(produce)  # type: ignore[method-assign]
    loop.run(stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
