"""The program as a user starts it: a process of its own, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "examples" / "events"


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "dateline", *map(str, arguments)]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours without any setting of Dateline; the program is the one beside these tests, whatever is
    installed. One thread: the tests share two cores."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DATELINE_")}
    own = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return {**kept, **own, **(more or {})}


def dateline(
    folder: Path, *arguments: str | Path, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`dateline …` in `folder`; two minutes are far more than any command of these tests needs."""
    return subprocess.run(
        command(*arguments), cwd=folder, env=environment(environ),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def told(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line on standard error of a program that ended with `code`."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("dateline: ")]
    assert len(lines) == 1, done.stderr
    # A stage that `run` started also logs, as JSON; nothing else may be there.
    others = [line for line in done.stderr.splitlines() if line != lines[0]]
    assert all(line.startswith("{") for line in others), done.stderr
    return lines[0]
