"""A process of the pipeline that may be told where to die. Not a test double: the real stages.

`python -m tests.torture.victim NAME source` or `… NAME stages STAGE…`, configured as
`dateline run` is. It reports what it does on the descriptor DATELINE_TEST_REPORT, one JSON line
each, so that whoever kills it knows when it works again. DATELINE_TEST_DIE="point nth SIGNAL"
raises a signal against itself at the nth time that it passes a point; DATELINE_TEST_CLOCK="seconds"
puts its clock wrong, and right again after a while.
"""

from __future__ import annotations

import datetime as datetimes
import faulthandler
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

TRUE_TIME = time.time
# Half of a life of some seconds: the jump back falls into its work.
JUMP_AFTER_S = 4.0
# A member that was killed is missed after this long; Kafka allows no less than 6 s, the packaged
# broker does. Ten, the default, would only make the run longer.
SESSION_S = float(os.environ.get("DATELINE_TEST_SESSION", "2"))


class Reporter:
    def __init__(self, name: str) -> None:
        self._name = name
        self._out = int(os.environ["DATELINE_TEST_REPORT"])
        plan = os.environ.get("DATELINE_TEST_DIE", "").rsplit(" ", 2)
        self._where, self._nth, self._signal = (
            (plan[0], int(plan[1]), signal.Signals[plan[2]]) if len(plan) == 3 else ("", 0, None)
        )

    def say(self, kind: str, **more: object) -> None:
        line = json.dumps({"name": self._name, "kind": kind, "at": time.monotonic(), **more})
        os.write(self._out, line.encode() + b"\n")  # under PIPE_BUF: never mixed with another's

    def point(self, where: str) -> None:
        """A moment at which a death is worth trying."""
        if where != self._where:
            return
        self._nth -= 1
        if self._nth == 0 and self._signal is not None:
            self.say("dies", point=where, signal=self._signal.name)
            os.kill(os.getpid(), self._signal)


class WatchedProducer:
    def __init__(self, inner: Any, report: Reporter) -> None:
        self._inner, self._report, self._queued = inner, report, 0

    def send(self, *arguments: Any, **more: Any) -> None:
        self._inner.send(*arguments, **more)
        self._queued += 1
        if self._queued == 1:
            self._report.point("produce begun")

    def flush(self) -> None:
        if not self._queued:
            return
        self._queued = 0
        self._report.point("before flush")
        self._inner.flush()
        self._report.point("after flush")

    def close(self) -> None:
        self._inner.close()


class WatchedConsumer:
    def __init__(self, inner: Any, report: Reporter, group: str) -> None:
        self._inner, self._report, self._group = inner, report, group
        self._first: dict[Any, float] = {}

    def poll(self, max_records: int, timeout: float) -> Sequence[Any]:
        batch: Sequence[Any] = self._inner.poll(max_records, timeout)
        now = TRUE_TIME()
        self._first = {}
        for record in batch:
            self._first.setdefault(record.source, now - record.time.timestamp())
        if batch:
            self._report.point("batch in hand")
        return batch

    def commit(self, next_offsets: Mapping[Any, int]) -> None:
        self._report.point("before group commit")
        self._inner.commit(next_offsets)
        self._report.point("after group commit")
        for partition in next_offsets:
            self._report.say(
                "done", group=self._group, partition=f"{partition[0]}/{partition[1]}",
                age=self._first.get(partition, 0.0),
            )  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class WatchedLog:
    """The log, with its producers and consumers watched."""

    def __init__(self, inner: Any, report: Reporter) -> None:
        self._inner, self._report = inner, report

    def producer(self) -> WatchedProducer:
        return WatchedProducer(self._inner.producer(), self._report)

    def consumer(self, group: str, topics: Sequence[str], **callbacks: Any) -> WatchedConsumer:
        gained, lost = callbacks["on_assigned"], callbacks["on_revoked"]

        def on_assigned(partition: Any) -> int | None:
            start: int | None = gained(partition)
            self._report.say("gained", group=group, partition=f"{partition[0]}/{partition[1]}")
            return start

        def on_revoked(partition: Any) -> None:
            lost(partition)
            self._report.say("lost", group=group, partition=f"{partition[0]}/{partition[1]}")

        inner = self._inner.consumer(group, topics, on_assigned=on_assigned, on_revoked=on_revoked)
        return WatchedConsumer(inner, self._report, group)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def put_clock_wrong(seconds: float) -> Callable[[], None]:
    """This process's wall clock is off by so much, until some seconds have passed. Returns what
    must be called once everything is imported."""
    until = time.monotonic() + JUMP_AFTER_S
    true_ns = time.time_ns

    def off() -> float:
        return seconds if time.monotonic() < until else 0.0

    time.time = lambda: TRUE_TIME() + off()
    time.time_ns = lambda: true_ns() + int(off() * 1e9)
    true = datetimes.datetime

    class Kind(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, true)

    class Wrong(true, metaclass=Kind):  # type: ignore[misc, valid-type]
        @classmethod
        def now(cls, tz: datetimes.tzinfo | None = None) -> Any:
            return true.fromtimestamp(TRUE_TIME() + off(), tz)

        def __new__(cls, *arguments: Any, **more: Any) -> Any:
            return true(*arguments, **more)

    def install() -> None:
        # Where it is asked what time it is. (Not everywhere: records name the type in annotations.)
        for name in ("ingest.archive", "sinks.alerts.deliver", "stream.poison"):
            sys.modules[name].datetime = Wrong  # type: ignore[attr-defined]

    return install


def watch(report: Reporter) -> None:
    """Points in everything that leaves the process."""
    import sqlalchemy as sa

    from dateline import app
    from sinks.alerts.channels.console import ConsoleChannel
    from stream.log.kafka import KafkaLog
    from stream.stage import Loop

    opened = app.open_log
    app.open_log = lambda settings, **how: WatchedLog(opened(settings, **how), report)  # type: ignore[assignment, return-value]
    sa.event.listen(sa.Engine, "commit", lambda _: report.point("before database commit"))
    sa.event.listen(sa.pool.Pool, "checkin", lambda *_: report.point("after database commit"))
    replace, send = os.replace, ConsoleChannel.send

    def renamed(*arguments: Any, **more: Any) -> None:
        report.point("before rename")
        replace(*arguments, **more)
        report.point("after rename")

    def sent(self: ConsoleChannel, message: Any) -> None:
        report.point("before sending")
        send(self, message)
        report.point("after sending")
        report.say("sent")

    os.replace = renamed  # type: ignore[assignment]
    ConsoleChannel.send = sent  # type: ignore[method-assign]
    KafkaLog.__init__.__kwdefaults__["session_s"] = SESSION_S
    # Smaller batches have more ends, which is where it hurts.
    Loop.BATCH = 64


def source(report: Reporter) -> None:
    """Replays archives as they appear in `incoming`; those that begin with "live" as live news."""
    from dateline import app
    from dateline.config import load
    from dateline.process import stop_with_supervisor
    from ingest import archive
    from stream.errors import Unavailable
    from stream.records import BACKFILL_LANE, LIVE_LANE
    from stream.telemetry import configure_logs

    configure_logs("info")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop_with_supervisor(stop.set)
    settings = load()
    while not stop.wait(0.2):
        for path in sorted(Path("incoming").glob("*.jsonl")):
            if path.with_suffix(".done").exists() or stop.is_set():
                continue
            lane = LIVE_LANE if path.name.startswith("live") else BACKFILL_LANE
            try:
                log, engine = app.open_log(settings), app.open_engine(settings)
                try:
                    archive.replay(path, log, engine, settings.ingest, lane=lane)
                finally:
                    log.close()
                    engine.dispose()
            except Unavailable as error:
                report.say("waits", error=str(error)[:300])
                break
            path.with_suffix(".done").touch()
            report.say("read", file=path.name)


def main(name: str, kind: str, *what: str) -> int:
    faulthandler.register(signal.SIGUSR1)  # asked where it is, it says so
    report = Reporter(name)
    off = float(os.environ.get("DATELINE_TEST_CLOCK", "0"))
    install = put_clock_wrong(off) if off else lambda: None
    import ingest.archive  # noqa: F401
    import sinks.alerts.deliver as deliver
    import stream.poison  # noqa: F401
    from dateline.config import load
    from dateline.process import run_stages

    watch(report)
    install()
    report.say("started")
    if kind == "source":
        source(report)
        return 0
    # An alert that a dead deliverer had claimed is taken again after 30 s; the run is short.
    deliver.MARGIN_S = 4.0
    return run_stages(what, load())


if __name__ == "__main__":
    from stream.errors import DatelineError, UsageError

    try:
        raise SystemExit(main(*sys.argv[1:]))
    except DatelineError as error:  # as `dateline` says it
        sys.stderr.write(f"dateline: {error}\n")
        raise SystemExit(2 if isinstance(error, UsageError) else 1) from None
