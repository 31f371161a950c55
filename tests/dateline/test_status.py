"""What operators and their tools are told of the stages: the truth, also after a crash."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import typer
from typer.testing import CliRunner

from dateline import app, cli, pulse, supervisor
from dateline.commands import operate
from dateline.config import Settings, load
from dateline.status import status
from dateline.worker import EventLoopPulse, Worker, make_worker
from store.engine import open_database
from store.tables import pulses
from stream.errors import Unavailable
from stream.log.contract import LogRecord
from stream.log.sqlite import SqliteLog
from stream.records import MATCHED, encode
from stream.role import Output
from stream.stage import Loop, drain
from tests.dateline.program import command, environment
from tests.sinks.world import NOON, created, matched
from tests.stream.stages import IN, TOPICS, Echo, ack


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    flags = {"database.url": str(tmp_path / "news.db"), "log.url": str(tmp_path / "news.log.db")}
    config = load(None, flags, {})
    app.prepare(config)
    return config


@pytest.fixture
def engine(settings: Settings) -> Iterator[sa.Engine]:
    opened = open_database(settings.database.url)
    yield opened
    opened.dispose()


def put(settings: Settings, *values: bytes) -> None:
    log = SqliteLog(settings.log.url)
    producer = log.producer()
    for value in values:
        producer.send(MATCHED, value, partition=0)
    producer.close()
    log.close()


def of(settings: Settings, stage: str) -> dict[str, object]:
    return next(row for row in status(settings) if row["stage"] == stage)


def test_nothing_was_heard_of_stages_that_never_ran(settings: Settings) -> None:
    for row in status(settings):
        assert (row["state"], row["owner"], row["error"]) == (None, None, None)


def test_a_stage_tells_who_does_it_how_fresh_it_is_and_what_went_wrong(
    settings: Settings, engine: sa.Engine
) -> None:
    put(settings, *(encode(matched(f"a{n}", minute=n, changes=[created("s1")])) for n in range(5)))
    loop = Loop(app.make_stage("database", settings, deliver=False), app.open_log(settings))
    worker = Worker("database", loop.run, loop)
    pulse.write(engine, settings, [worker], datetime.now(UTC))
    found = of(settings, "database")
    assert (found["state"], found["owner"]) == ("waiting", None), "it has only just begun"
    drain([loop])
    put(settings, encode(matched("late", minute=9)), b"not a record")
    pulse.write(engine, settings, [worker], datetime.now(UTC))
    found = of(settings, "database")
    assert (found["state"], found["owner"]) == ("running", pulse.process())
    assert (found["done"], found["lag"]) == (5, 2)
    assert found["freshness"] == NOON + timedelta(minutes=4)

    loop.metrics.failed(Unavailable("the database is away"))
    pulse.write(engine, settings, [worker], datetime.now(UTC))
    found = of(settings, "database")
    assert (found["state"], found["error"]) == ("waiting", "the database is away")
    drain([loop])
    pulse.write(engine, settings, [worker], datetime.now(UTC))
    found = of(settings, "database")
    assert (found["state"], found["lag"]) == ("running", 0)
    assert found["error"] == "the database is away", "the last error stays, with its time"
    assert found["error_at"]
    assert found["dead"] == 1
    loop.close()


def test_the_last_snapshot_is_told_and_not_one_in_work(
    settings: Settings, engine: sa.Engine, tmp_path: Path
) -> None:
    settings.cluster.state_dir = tmp_path / "state"
    settings.cluster.state_dir.mkdir()
    worker = Worker("cluster", lambda _: None)

    def told() -> datetime | None:
        pulse.write(engine, settings, [worker], datetime.now(UTC))
        found: datetime | None = of(settings, "cluster")["snapshot"]
        return found

    assert told() is None
    for name, hour in (("cluster-0-1.snapshot", 1), ("cluster-0-2.snapshot", 2), ("x.7.new", 3)):
        file = settings.cluster.state_dir / name
        file.touch()
        at = (NOON + timedelta(hours=hour)).timestamp()
        os.utime(file, (at, at))
    assert told() == NOON + timedelta(hours=2)


def test_a_process_that_is_gone_without_a_word_is_stopped(
    settings: Settings, engine: sa.Engine
) -> None:
    loop = Loop(app.make_stage("database", settings, deliver=False), app.open_log(settings))
    loop.step()
    pulse.write(engine, settings, [Worker("database", loop.run, loop)], datetime.now(UTC))
    assert of(settings, "database")["state"] == "running"
    with engine.begin() as connection:
        before = datetime.now(UTC) - timedelta(seconds=pulse.LIVE_S + 1)
        connection.execute(pulses.update().values(seen=before))
    found = of(settings, "database")
    assert (found["state"], found["owner"]) == ("stopped", None)
    loop.close()


# -- liveness --------------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    opened = SqliteLog(tmp_path / "log.db")
    opened.create_topics(TOPICS)
    producer = opened.producer()
    for n in range(8):
        producer.send(IN, encode(ack(f"n{n}")), partition=0)
    producer.close()
    yield opened
    opened.close()


def long_ago(loop: Loop) -> None:
    """Nothing was done for an hour, though every poll came back."""
    loop.metrics.last_progress -= 3600


def test_a_stage_with_input_that_handles_nothing_is_dead(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Loop(Echo(), log)
    loop._connect()
    assert loop._consumer is not None

    def nothing(_count: int, _timeout: float) -> Sequence[LogRecord]:
        return []

    monkeypatch.setattr(loop._consumer, "poll", nothing)  # alive, but idle
    worker = Worker("echo", loop.run, loop)
    loop.step()
    loop.lag()
    long_ago(loop)
    loop.step()
    loop.lag()
    assert worker.problem() == "echo: 8 records wait and none was handled for 3600 s"
    monkeypatch.undo()
    loop.step()
    assert worker.problem() is None
    loop.close()


def test_a_stage_without_input_is_alive_however_long(log: SqliteLog) -> None:
    loop = Loop(Echo(), log)
    drain([loop])
    for _ in range(2):
        long_ago(loop)
        loop.step(0.0)
        loop.lag()
        assert Worker("echo", loop.run, loop).problem() is None
    loop.close()


def test_one_that_stands_by_is_alive_while_the_owner_works(log: SqliteLog) -> None:
    owner, standby = Loop(Echo(), log), Loop(Echo(), log)
    owner.BATCH = 1
    owner.step()
    standby.lag()
    for _ in range(3):
        owner.step()
        long_ago(standby)
        standby.step(0.0)
        standby.lag()
        assert Worker("echo", standby.run, standby).problem() is None
    long_ago(standby)  # now the owner does nothing any more
    standby.lag()
    assert "records wait" in str(Worker("echo", standby.run, standby).problem())
    owner.close()
    standby.close()


def test_waiting_for_what_is_away_is_no_death(log: SqliteLog) -> None:
    class Waiting(Echo):
        def process(self, batch: Sequence[LogRecord]) -> list[Output]:
            raise Unavailable("the database is away")

    loop = Loop(Waiting(), log)
    worker = Worker("echo", loop.run, loop)
    with pytest.raises(Unavailable):
        loop.step()
    loop.lag()
    loop.metrics.failed(Unavailable("the database is away"))
    loop.lag()
    assert worker.problem() is None
    assert worker.waiting_for() == "echo: the database is away"
    loop.close()


def test_a_poller_whose_event_loop_stands_still_is_dead() -> None:
    ticks = EventLoopPulse()
    ticks.EVERY_S = 0.01
    worker = Worker("ingest", lambda _: None, stuck=ticks.stuck)

    async def go() -> str | None:
        ticks.begin()
        ticks._last -= 3600  # as after a call that did not come back
        stood = worker.problem()
        for _ in range(1000):
            await asyncio.sleep(0.01)
            if worker.problem() is None:  # and now it goes round again
                return stood
        return "it stayed dead"

    assert asyncio.run(go()) == "ingest: its event loop has stood still for 3600 s"


@pytest.mark.parametrize("name", ["ingest", "deliver"])
def test_liveness_watches_stages_without_partitions_too(settings: Settings, name: str) -> None:
    worker = make_worker(name, settings)
    assert worker.stuck is not None
    assert worker.problem() is None


# -- the process -----------------------------------------------------------------------------------


def test_ready_only_while_the_database_answers(settings: Settings, engine: sa.Engine) -> None:
    workers = [make_worker(name, settings) for name in ("database", "deliver", "desk")]
    for worker in workers:
        if worker.loop is not None:
            worker.loop.step(0.0)
        assert worker.waiting_for() is None
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE positions RENAME TO gone")
    for worker in workers:
        assert "does not have the expected tables" in str(worker.waiting_for())
        if worker.loop is not None:
            worker.loop.close()


def test_a_process_that_hangs_ends_so_that_its_supervisor_starts_it_again(tmp_path: Path) -> None:
    program = (
        "import threading\n"
        "from dateline import process\n"
        "from dateline.config import load\n"
        "from dateline.worker import Worker\n"
        "process.LOOK_S = 0.05\n"
        "def work(stop): stop.wait()\n"
        "hangs = Worker('ingest', work, stuck=lambda _: 'its event loop has stood still')\n"
        "process.make_worker = lambda name, settings: hangs\n"
        "raise SystemExit(process.run_stages(['ingest'], load()))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, stdin=subprocess.PIPE,
        env=environment({"DATELINE_SUPERVISED": "1"}),
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    patience = threading.Timer(60, process.kill)
    patience.start()
    said = process.stderr.read()
    assert process.wait() == 1
    patience.cancel()
    assert '"event": "run.stuck"' in said
    assert "ingest: its event loop has stood still" in said


def test_a_running_process_says_so_and_its_last_word_is_kept(
    settings: Settings, tmp_path: Path
) -> None:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    put(settings, encode(matched("a", changes=[created("s1")])))
    process = subprocess.Popen(
        command("run", "--stage", "database", "--db", "news.db"),
        cwd=tmp_path, env=environment({"DATELINE_TELEMETRY__PORT": str(port)}),
        stderr=subprocess.PIPE,
    )  # fmt: skip

    def code(path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    deadline = time.monotonic() + 60
    while not (code("/readyz") == 200 and of(settings, "database")["state"] == "running"):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        threading.Event().wait(0.1)
    assert code("/livez") == 200
    owner = str(of(settings, "database")["owner"])
    assert owner.endswith(f":{process.pid}")
    # Its log is made anew under it: it stops, and what it said stands in the status.
    for path in tmp_path.glob("news.log.db*"):
        if path.is_file():
            path.unlink()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"removed or replaced while in use" in said
    app.prepare(settings)
    found = of(settings, "database")
    assert found["state"] == "stopped"
    assert "removed or replaced while in use" in str(found["error"])


def test_what_stages_said_last_is_told_while_the_log_is_away(
    settings: Settings, engine: sa.Engine, log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Loop(Echo(), log)
    loop.metrics.failed(Unavailable("the broker does not answer"))
    pulse.write(engine, settings, [Worker("match", loop.run, loop)], datetime.now(UTC))

    def away(_: Settings) -> None:
        raise Unavailable("the broker does not answer")

    monkeypatch.setattr(app, "open_log", away)
    found = of(settings, "match")
    assert (found["state"], found["error"]) == ("waiting", "the broker does not answer")
    assert (found["done"], found["lag"], found["freshness"]) == (None, None, None)
    shown = CliRunner().invoke(cli.app, ["status", "--db", settings.database.url])
    assert shown.exit_code == 0
    assert "?" in shown.output


def test_the_processes_of_one_run_take_a_port_each(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[supervisor.Child] = []
    monkeypatch.setattr(supervisor, "supervise", lambda children, _: started.extend(children))
    monkeypatch.setenv("DATELINE_TELEMETRY__PORT", "9464")
    with pytest.raises(typer.Exit):
        operate.run(db=settings.database.url)
    ports = [load(None, {}, child.environ).telemetry.port for child in started]
    assert ports == [9464 + number for number in range(len(app.PROCESSES))]


def test_sigterm_is_no_error(settings: Settings, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("run", "--stage", "database", "--db", "news.db"),
        cwd=tmp_path, env=environment(), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while of(settings, "database")["state"] != "running":
        assert process.poll() is None
        assert time.monotonic() < deadline
        threading.Event().wait(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert of(settings, "database")["error"] is None
