"""A stage that is stopped or killed, at any moment: nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stream.log.contract import Partition
from stream.log.sqlite import SqliteLog
from stream.log.sqlite_group import SqliteConsumer
from stream.stage import Loop
from tests.conftest import ROOT
from tests.stream.stage.life import NAMES, answers, put, run
from tests.stream.stages import IN, Echo


def leave_behind(loop: Loop) -> None:
    """What the system does to a killed process: its descriptors, and so its locks, are gone."""
    assert isinstance(loop._consumer, SqliteConsumer)
    for descriptor in loop._consumer._locks.values():
        os.close(descriptor)


class Killed(BaseException):
    """As sudden as a kill: nothing in the loop may handle it."""


@pytest.mark.parametrize("where", ["process", "_produce", "flushed", "commit", "committed"])
def test_nothing_is_lost_whenever_it_dies(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    put(log, NAMES)
    stage = Echo()
    loop = Loop(stage, log)

    def die(*_: object) -> None:
        raise Killed

    if where in ("process", "committed"):
        monkeypatch.setattr(stage, where, die)
    elif where == "_produce":
        monkeypatch.setattr(loop, where, die)
    else:
        loop.step()  # connects, and handles the first batch
        put(log, ["late"])
        if where == "flushed":
            produce = loop._produce
            monkeypatch.setattr(loop, "_produce", lambda outputs: (produce(outputs), die()))
        else:
            monkeypatch.setattr(loop._consumer, "commit", die)
    with pytest.raises(Killed):
        loop.step()
    leave_behind(loop)
    run(log, Echo())
    expected = NAMES + (["late"] if where in ("flushed", "commit") else [])
    assert sorted(set(answers(log))) == sorted(expected)
    assert len(answers(log)) <= 2 * len(expected)
    assert [n for i, n in enumerate(answers(log)) if n not in answers(log)[:i]] == expected


def test_sigterm_finishes_the_batch_and_commits(log: SqliteLog, tmp_path: Path) -> None:
    put(log, NAMES)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.stream.stages", str(tmp_path / "log.db")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "ended\n"), err
    assert answers(log) == NAMES
    assert log.committed("dateline.echo", Partition(IN, 0)) == 10


def test_kill_9_in_a_batch_loses_nothing(log: SqliteLog, tmp_path: Path) -> None:
    put(log, NAMES)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.stream.stages", str(tmp_path / "log.db")],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    process.kill()
    process.wait()
    run(log, Echo())
    assert answers(log) == NAMES
