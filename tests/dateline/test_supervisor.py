"""`dateline run` keeps its processes alive, and takes them with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.dateline.program import environment

PATIENCE_S = 60.0
PROGRAM = """
import signal, threading
from dateline.supervisor import Child, supervise
from stream.telemetry import configure_logs
configure_logs("info")
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
raise SystemExit(supervise([Child(["match"]), Child(["deliver"])], stop))
"""


class Run:
    """A supervisor with two small stages."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.said = folder / "said"
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM], cwd=folder, env=environment(settings), stderr=said
            )

    def started(self, times: int) -> bool:
        return self.said.read_bytes().count(b"run.started") == times

    def children(self) -> list[psutil.Process]:
        return [one for one in psutil.Process(self.process.pid).children() if one.is_running()]

    def until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end, self.said.read_text()
            time.sleep(0.02)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    for one in [*made.children(), made.process] if made.process.poll() is None else []:
        one.kill()
    made.process.wait()


def test_a_process_that_was_killed_is_started_again_and_the_other_goes_on(run: Run) -> None:
    run.until(lambda: run.started(2))
    first, other = run.children()
    os.kill(first.pid, signal.SIGKILL)
    run.until(lambda: run.started(3))
    assert other in run.children()
    assert len(run.children()) == 2
    assert b'"event": "child.restart"' in run.said.read_bytes()
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(PATIENCE_S) == 0
    assert not any(one.is_running() for one in (first, other))


def test_whose_supervisor_was_killed_ends(run: Run) -> None:
    run.until(lambda: run.started(2))
    children = run.children()
    run.process.kill()
    _, alive = psutil.wait_procs(children, timeout=PATIENCE_S)
    for one in alive:
        one.kill()
    assert not alive


def test_a_wrong_configuration_ends_all_of_it(tmp_path: Path) -> None:
    run = Run(tmp_path, DATELINE_LOG__URL="carrier-pigeon://loft")
    assert run.process.wait(PATIENCE_S) == 2
    assert b"child.misconfigured" in run.said.read_bytes()
    assert b"child.restart" not in run.said.read_bytes()
