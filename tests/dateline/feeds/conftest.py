"""`dateline feeds …` in the test's folder, and a site for it to ask.

The program runs inside the test's process: a start takes longer than most of these commands.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dateline.cli import main
from tests.dateline.feeds.program import Run
from tests.ingest.world import Site, started


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """`dateline feeds …` in the test's folder, with the loopback network allowed."""
    for name in [name for name in os.environ if name.startswith("DATELINE_")]:
        if not name.startswith("DATELINE_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DATELINE_INGEST__ALLOW_NETWORKS", '["127.0.0.0/8"]')
    monkeypatch.setenv("DATELINE_INGEST__HOST_GAP", "0")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def go(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        given = ["dateline", "feeds", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", given)
        code: int | str | None = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        assert isinstance(code, int)
        captured = capfd.readouterr()
        return subprocess.CompletedProcess(given, code, captured.out, captured.err)

    return go


@pytest.fixture
def site() -> Iterator[Site]:
    """Serves from a thread, so that a process can be waited for."""
    made, ready, loop = Site(), threading.Event(), asyncio.new_event_loop()

    def serve() -> None:
        runner = loop.run_until_complete(started(made))
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(10)
    yield made
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
