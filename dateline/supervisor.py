"""`dateline run` without --stage: one child process a group of stages, restarted when it dies."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import structlog

# A child that dies at once is restarted after 1 s, then 2, 4 … 60 s; one that ran for a minute
# starts again from 1 s. Exit code 2 (wrong configuration) will not mend itself: everything stops.
BACKOFF_S = (1.0, 60.0)
SETTLED_AFTER_S = 60.0
# Children finish the batch in hand; after this they are killed, which loses nothing either.
GRACE_S = 60.0
# The cluster stage wanders through gigabytes of small objects. In huge pages, which glibc gives to
# its own allocator, placing an article among 50,000 open ones takes a quarter less (docs/cost.md).
# Both are read when a process starts.
HUGE_PAGES = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


@dataclass
class Child:
    """One group of stages, as `dateline run --stage A --stage B` in a process of its own."""

    stages: Sequence[str]
    arguments: Sequence[str] = ("run",)  # of `dateline`, before the --stage ones
    environ: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    stdout: int | IO[bytes] | None = None
    stderr: int | IO[bytes] | None = None
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    wait: float = BACKOFF_S[0]
    due: float | None = None  # when it starts again

    def start(self) -> None:
        command = [sys.executable, "-m", "dateline", *self.arguments]
        for stage in self.stages:
            command += ["--stage", stage]
        environ = {**memory_of(self.stages), **os.environ, **self.environ}
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            command,
            stdin=subprocess.PIPE,  # its end tells the child that we are gone
            stdout=self.stdout,
            stderr=self.stderr,
            cwd=self.cwd,
            env={**environ, "DATELINE_SUPERVISED": "1"},
            start_new_session=True,  # Ctrl-C reaches us alone; we stop the children in order
        )
        self.started = time.monotonic()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def join(self, timeout: float) -> int | None:
        if self.process is None:
            return None
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        return self.process.returncode


def memory_of(stages: Sequence[str]) -> dict[str, str]:
    """The environment in which these stages find their memory fastest."""
    return HUGE_PAGES if "cluster" in stages and platform.libc_ver()[0] == "glibc" else {}


def supervise(children: Sequence[Child], stop: threading.Event) -> int:
    """Keep the children running until `stop`; the exit code of the whole."""
    say = structlog.get_logger("dateline.supervisor")
    for child in children:
        child.start()
    code = 0
    while not stop.wait(0.2):
        for child in children:
            assert child.process is not None
            now = time.monotonic()
            if child.due is not None:
                if now >= child.due:
                    child.due = None
                    child.start()
                continue
            status = child.process.poll()
            if status is None:
                continue
            name = "+".join(child.stages)
            if status == 2:
                say.error("child.misconfigured", stages=name)
                code = 2
                stop.set()
                break
            if now - child.started > SETTLED_AFTER_S:
                child.wait = BACKOFF_S[0]
            say.warning("child.restart", stages=name, status=status, in_s=child.wait)
            child.due = now + child.wait
            child.wait = min(child.wait * 2, BACKOFF_S[1])
    stop_all(children)
    return code


def stop_all(children: Sequence[Child]) -> None:
    """SIGTERM to all, then wait for each."""
    for child in children:
        child.stop()
    deadline = time.monotonic() + GRACE_S
    for child in children:
        child.join(max(0.1, deadline - time.monotonic()))
