"""One process of the pipeline after the other under the same name, and how each of them ends."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import ROOT
from tests.dateline.program import environment

_PRODUCING = ("batch in hand", "produce begun", "before flush", "after flush",
              "before group commit", "after group commit")  # fmt: skip
_DATABASE = ("before database commit", "after database commit")
# Where each kind of process can be made to die.
POINTS: dict[str, tuple[str, ...]] = {
    "source": ("produce begun", "before flush", "after flush", *_DATABASE),
    "embed": _PRODUCING,
    "cluster match": (*_PRODUCING, "before rename", "after rename"),
    "database deliver": ("batch in hand", *_DATABASE, "before group commit", "after group commit",
                         "before sending", "after sending"),
}  # fmt: skip
SIGNALS = ("SIGKILL", "SIGTERM", "SIGSTOP")
# Mostly the one that nothing can prepare for.
WEIGHTS = (8, 1, 1)
# Of those that die at a moment, this part does so while it starts; the others at work.
YOUNG = 0.25
# A life whose point never comes ends so long after its first work (or its birth): there may be
# nothing to do. Everything starts slowly where fifteen processes share two cores.
OLD_S, UNBORN_S = 3.0, 20.0
# Until embed works again, nothing comes to those after it, so it lives longer; the source is at
# work from its first moment on, and would take half of the kills.
SLOW = {"embed": 8, "source": 3}


@dataclass
class Plan:
    """How a life ends: at a point, or so long after its start (`young`) or its first work."""

    signal: str
    point: str | None = None
    nth: int = 0
    moment: float = 0.0
    young: bool = False


@dataclass
class Life:
    """A place in the pipeline, and the process that holds it now."""

    name: str
    kind: str
    arguments: Sequence[str]
    folder: Path
    chance: random.Random
    environ: Mapping[str, str]
    plan: Plan | None = None
    process: subprocess.Popen[bytes] | None = None
    born: float = 0.0
    at_work: float | None = None  # since when it has done something
    stopped_until: float | None = None
    condemned: bool = False  # a signal that ends it is on its way
    spoken: list[bytes] = field(default_factory=list)  # whole lines of standard output
    owned: set[tuple[str, str]] = field(default_factory=set)  # (group, partition)

    def start(self, report: int, said: int, *, doomed: bool) -> None:
        self.plan = self._plan() if doomed else None
        self.born, self.at_work = time.monotonic(), None
        self.condemned, self.stopped_until = False, None
        self.owned.clear()
        more = {"DATELINE_TEST_REPORT": str(report), "DATELINE_SUPERVISED": "1", **self.environ}
        if self.plan and self.plan.point:
            more["DATELINE_TEST_DIE"] = f"{self.plan.point} {self.plan.nth} {self.plan.signal}"
        if self.plan and self.chance.random() < 0.15:
            more["DATELINE_TEST_CLOCK"] = str(self.chance.choice((-10_800, -90, 90, 10_800)))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.victim", self.name, *self.arguments],
            cwd=self.folder, env={**environment(more), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,  # its end tells the process that we are gone
            stdout=subprocess.PIPE, stderr=said, pass_fds=(report,), start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def send(self, name: str) -> None:
        assert self.process is not None
        self.condemned = self.condemned or name in ("SIGKILL", "SIGTERM")
        os.kill(self.process.pid, signal.Signals[name])

    def limit_files(self, size: int | None) -> None:
        """It may not write a file past `size` bytes, as on a full disk (None = again)."""
        limit = resource.RLIM_INFINITY if size is None else size
        if self.process is not None and self.process.poll() is None:
            with suppress(ProcessLookupError):
                resource.prlimit(
                    self.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY)
                )

    def _plan(self) -> Plan:
        chance = self.chance
        name, slow = chance.choices(SIGNALS, WEIGHTS)[0], SLOW.get(self.kind, 1)
        if chance.random() < 0.6:
            # Later in a slow one, but not so late that it has never come there: of 43 deaths of a
            # pipeline that committed before it flushed, none then fell where it showed.
            nth = chance.choice((1, 1, 2, 3, 5)) * min(slow, 2)
            return Plan(name, chance.choice(POINTS[self.kind]), nth)
        young = chance.random() < YOUNG
        return Plan(name, moment=chance.uniform(0.1, 2.0) * slow, young=young)

    def old(self, now: float) -> bool:
        """Has it lived longer than its plan would have it?"""
        slow = SLOW.get(self.kind, 1)
        at_work = self.at_work is not None and now - self.at_work > OLD_S * slow
        return at_work or now - self.born > UNBORN_S * slow

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """What was written whole has been told; a line cut by the kill has not."""
        assert process.stdout is not None
        for line in process.stdout:
            if line.endswith(b"\n"):
                self.spoken.append(line)


def told(lives: Sequence[Life]) -> list[str]:
    """`alert/sequence` of every alert that a deliverer has written out."""
    found = []
    for life in lives:
        for line in life.spoken:
            payload = json.loads(line)
            found.append(f"{payload['alert_id']}/{payload['sequence']}")
    return found
