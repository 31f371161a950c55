"""The documents for operators say what is: tests exist, log events have their names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
ROOMS = ("stream", "store", "ingest", "processors", "sinks", "dashboard", "dateline")


def test_every_promise_names_a_test_that_exists() -> None:
    lines = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8").splitlines()
    promises = [line for line in lines if line.startswith("| ") and "held by" not in line]
    assert len(promises) > 20
    for line in promises:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", line)
        assert named, f"no test holds: {line}"
        for file, test in named:
            path = ROOT / file
            assert path.exists(), f"{file} does not exist"
            assert re.search(rf"^(async )?def {test}\(", path.read_text(), re.MULTILINE), (
                f"{file} has no {test}"
            )


def test_every_log_event_is_explained_and_every_explained_one_exists() -> None:
    section = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8").split("## Log events")[1]
    explained = set(re.findall(r"`([a-z]+\.[a-z_]+)`", section))
    said = {
        call.args[0].value
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in LEVELS
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
        and re.fullmatch(r"[a-z]+\.[a-z_]+", call.args[0].value)
    }
    assert said == explained
