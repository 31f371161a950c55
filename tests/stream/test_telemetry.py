"""Health, metrics and log lines, as an operator's tools see them."""

from __future__ import annotations

import ast
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from stream.errors import Unavailable, UsageError
from stream.log.contract import LogRecord
from stream.records import Article, encode
from stream.telemetry import HealthServer, StageMetrics
from tests.conftest import ROOT


class Process:
    """What the checks look at; tests change it."""

    stuck: str | None = None
    waiting: str | None = None


@pytest.fixture
def process() -> Process:
    return Process()


@pytest.fixture
def server(process: Process) -> Iterator[HealthServer]:
    started = HealthServer(
        "127.0.0.1",
        0,
        live=[lambda: None, lambda: process.stuck],
        ready=[lambda: process.waiting, lambda: process.stuck],
    )
    yield started
    started.close()


def get(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_process_that_gets_on_is_live_and_ready(server: HealthServer) -> None:
    for path in ("/livez", "/readyz"):
        status, body = get(server, path)
        assert (status, json.loads(body)) == (200, {"ok": True, "problems": []})


def test_a_broker_that_is_away_makes_it_unready_but_not_dead(
    server: HealthServer, process: Process
) -> None:
    process.waiting = "embed: the broker does not answer"
    assert get(server, "/livez")[0] == 200
    status, body = get(server, "/readyz")
    assert (status, json.loads(body)["problems"]) == (503, ["embed: the broker does not answer"])


def test_a_stuck_process_is_dead(server: HealthServer, process: Process) -> None:
    process.stuck = "embed: no round finished for 400 s"
    assert get(server, "/livez")[0] == 503
    assert get(server, "/readyz")[0] == 503


def test_metrics_tell_what_a_stage_did(server: HealthServer) -> None:
    metrics = StageMetrics("probe")
    metrics.done([], 0.3)
    metrics.failed(Unavailable("away"))
    metrics.dead(ValueError("bad"))
    metrics.lag(7)
    status, body = get(server, "/metrics")
    assert status == 200
    for line in (
        'dateline_stage_records_total{stage="probe"} 0.0',
        'dateline_stage_failures_total{error="Unavailable",stage="probe"} 1.0',
        'dateline_stage_dead_letters_total{error="ValueError",stage="probe"} 1.0',
        'dateline_stage_lag_records{stage="probe"} 7.0',
        'dateline_stage_batch_seconds_bucket{le="0.5",stage="probe"} 1.0',
    ):
        assert line in body


def test_freshness_is_the_event_time_of_the_last_article_done(server: HealthServer) -> None:
    day = datetime(2018, 6, 12, tzinfo=UTC)
    values = [
        encode(
            Article(id="a", revision="r", title="t", text="", outlet="o.example",
                    fetched=day + timedelta(days=1), published=day + timedelta(hours=hour))
        )
        for hour in (5, 3)
    ]  # fmt: skip
    read = [LogRecord("t", 0, n, None, value, {}, day) for n, value in enumerate(values)]
    StageMetrics("fresh").done(read, 0.1)
    _, body = get(server, "/metrics")
    line = next(line for line in body.splitlines() if "_freshness_" in line and '"fresh"' in line)
    assert float(line.rsplit(" ", 1)[1]) == (day + timedelta(hours=3)).timestamp()


def test_a_failed_round_is_told_until_one_goes_well() -> None:
    metrics = StageMetrics("probe")
    metrics.last_round = 0.0
    metrics.failed(Unavailable("away"))
    assert metrics.last_error == "away"
    assert metrics.last_round > 0, "waiting for a broker is no reason to restart the stage"
    metrics.alive()
    assert metrics.last_error is None


def test_an_unknown_path_says_what_there_is(server: HealthServer) -> None:
    assert get(server, "/") == (404, "try /metrics, /livez or /readyz\n")


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"cannot listen on 127\.0\.0\.1:{port} .*in use"):
            HealthServer("127.0.0.1", port, [], [])


def test_closing_frees_the_port() -> None:
    first = HealthServer("127.0.0.1", 0, [], [])
    first.close()
    HealthServer("127.0.0.1", first.port, [], []).close()


def test_log_lines_are_json_when_nobody_watches() -> None:
    program = (
        "import structlog\n"
        "from stream.telemetry import configure_logs\n"
        "configure_logs('info')\n"
        "say = structlog.get_logger('x').bind(stage='embed')\n"
        "say.debug('not.shown')\n"
        "say.info('one', name='김정은', size=3)\n"
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    say.exception('two')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout == ""
    first, second = (json.loads(line) for line in done.stderr.splitlines())
    assert (first["event"], first["level"], first["stage"]) == ("one", "info", "embed")
    assert (first["name"], first["size"]) == ("김정은", 3)
    assert first["timestamp"].endswith("Z")
    assert "ZeroDivisionError" in second["exception"]


def test_a_log_line_is_written_in_one_piece() -> None:
    """Or another process of the run, which writes to the same place, would come in between."""
    program = (
        "import io, structlog\n"
        "from stream.telemetry import configure_logs\n"
        "class Out(io.StringIO):\n"
        "    def write(self, text):\n"
        "        print(repr(text))\n"
        "configure_logs('info', True, Out())\n"
        "structlog.get_logger().info('one')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    (written,) = done.stdout.splitlines()
    assert json.loads(ast.literal_eval(written))["event"] == "one"


def test_a_reader_of_logs_that_went_away_kills_nobody() -> None:
    code = (
        "import structlog\n"
        "from stream.telemetry import configure_logs\n"
        "configure_logs('info')\n"
        "input()\n"
        "for _ in range(100): structlog.get_logger().info('said', more='x' * 2000)\n"
        "print('still here')\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    child.stderr.close()
    child.stderr = None
    said, _ = child.communicate("go\n", timeout=60)
    assert said == "still here\n"
