"""The arena: the whole pipeline as processes, killed again and again while news comes in."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from dateline.status import status
from stream.errors import DatelineError
from tests.torture import news
from tests.torture.faults import Faults
from tests.torture.hearing import Hearing
from tests.torture.incoming import Incoming
from tests.torture.lives import Life, Plan
from tests.torture.pipeline import Pipeline
from tests.torture.seen import Seen

# Nothing may stand still for longer than this once the killing is over.
PATIENCE_S = 120.0

Fault = tuple[str, Callable[["Arena"], None]]


class Arena:
    """`play` runs until `articles` have come through `kills` kills and all faults."""

    def __init__(
        self, folder: Path, *, log: str, database: str, articles: int, kills: int, seed: int,
        doubled: bool, faults: list[Fault], tell: Callable[[str], None],
    ) -> None:  # fmt: skip
        """`doubled`: two processes a stage. `faults` happen one after the other between kills."""
        self.folder, self.kills, self.seed = folder, kills, seed
        self.chance = random.Random(seed)
        self.seen = Seen()
        self._tell = tell
        self._faults = Faults([(name, partial(cause, self)) for name, cause in faults], kills)
        self.pipeline = Pipeline(folder, log=log, database=database)
        self._incoming = Incoming(
            folder, news.portions(articles, seed, portions=max(4, kills // 2))
        )
        self.rows = self._incoming.rows
        self.lives = list(self._make_lives(doubled))

    def _make_lives(self, doubled: bool) -> Iterator[Life]:
        # Stages that a process can share share one: two cores have to start all of these.
        wanted = [("source", ["source"])]
        for kind in ("embed", "cluster match", "database deliver"):
            wanted += [(kind, ["stages", *kind.split()])] * (2 if doubled else 1)
        for number, (kind, arguments) in enumerate(wanted):
            name = f"{kind.replace(' ', '-')}-{number}"
            chance = random.Random(f"{self.seed} {name}")
            yield Life(name, kind, arguments, self.folder, chance, {})

    # -- the run ---------------------------------------------------------------------------------

    def play(self) -> None:
        self._hearing = Hearing(self.folder, self.seen.broken)
        try:
            for life in self.lives:
                self._start(life)
            shown = time.monotonic()
            while not self._over():
                self._round()
                if time.monotonic() - shown > 10:
                    shown = time.monotonic()
                    self._tell(self._progress())
                time.sleep(0.02)
            self._settle()
        finally:
            self._end()
            self._hearing.close()

    def _over(self) -> bool:
        return self._faults.over() and self._killed() >= self.kills

    def _killed(self) -> int:
        return self.seen.signals["SIGKILL"]

    def _round(self) -> None:
        now = time.monotonic()
        self._hear()
        for life in self.lives:
            assert life.process is not None
            code = life.process.poll()
            if code is not None:
                self._buried(life, code, now)
                self._start(life)
            elif life.stopped_until is not None:
                if now >= life.stopped_until:
                    life.stopped_until = None
                    life.send("SIGCONT")
            elif life.plan is not None and not life.condemned:
                self._doom(life, now)
        self._give()
        self._next_fault()

    def _start(self, life: Life) -> None:
        life.start(self._hearing.report, self._hearing.said, doomed=self._killed() < self.kills)
        plan = vars(life.plan) if life.plan else None
        self._hearing.journal({"name": life.name, "kind": "born", "at": life.born, "plan": plan})

    def _buried(self, life: Life, code: int, now: float) -> None:
        if code == -signal.SIGKILL:
            self.seen.signals["SIGKILL"] += 1
        elif not life.condemned and code != 0:
            # Whoever starts while a server is away ends, and is started again.
            self.seen.restarts += 1
            assert code != 2, f"{life.name} says that it is configured wrongly"
        self.seen.killed(life.owned, now)

    def _doom(self, life: Life, now: float) -> None:
        assert life.plan is not None
        since = life.born if life.plan.young else life.at_work
        if life.plan.point is None and since is not None and now - since >= life.plan.moment:
            name = life.plan.signal
        elif life.old(now):
            name = "SIGKILL"
        else:
            return
        if name == "SIGSTOP":
            self._pause(life, now)
        else:
            if name == "SIGTERM":
                self.seen.signals["SIGTERM"] += 1
                self.seen.points["at a random moment"] += 1
            elif name == "SIGKILL":
                self.seen.points["at a random moment"] += 1
        life.send(name)

    def _pause(self, life: Life, now: float) -> None:
        """Some shorter than a session, most longer: a successor has started when it wakes."""
        self.seen.signals["SIGSTOP"] += 1
        life.stopped_until = now + life.chance.uniform(0.5, 6.0)
        if life.plan is not None:  # it wakes, finds its successor at work, and dies later
            again = life.stopped_until - life.born + life.chance.uniform(1, 4)
            life.plan = Plan("SIGKILL", moment=again, young=True)

    def _give(self) -> None:
        """News arrives as the kills go on, and sooner than it can be done: there is always
        something to interrupt, also while embed is down."""
        self._incoming.give(min(1.0, self._killed() / (0.6 * self.kills)) if self.kills else 1.0)

    def _next_fault(self) -> None:
        if name := self._faults.next(self._killed()):
            self.seen.faults[name] += 1
            self._tell(f"fault: {name}")

    def _hear(self) -> None:
        by_name = {life.name: life for life in self.lives}
        while self._hearing.events:
            event = self._hearing.events.popleft()
            life, kind, at = by_name[event["name"]], event["kind"], event["at"]
            if kind == "dies":
                self.seen.points[event["point"]] += 1
                if event["signal"] == "SIGSTOP":
                    self._pause(life, at)
                else:
                    life.condemned = True
                    if event["signal"] == "SIGTERM":
                        self.seen.signals["SIGTERM"] += 1
            elif kind == "started" and life.kind == "source":
                life.at_work = at
            elif kind == "gained":
                life.owned.add((event["group"], event["partition"]))
            elif kind == "lost":
                life.owned.discard((event["group"], event["partition"]))
            elif kind == "done":
                life.at_work = life.at_work or at
                self.seen.done((event["group"], event["partition"]), at, event["age"])

    # -- the end ---------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Wait until everything is done and nobody has anything to say any more."""
        self._tell(self._progress() + "; waiting for the rest")
        deadline, quiet, ask = time.monotonic() + PATIENCE_S, 0, 0.0
        left = "?"
        while quiet < 2:
            for life in self.lives:  # deaths that were planned before the last one counted
                life.plan = None if life.plan and life.plan.point is None else life.plan
            self._round()
            if time.monotonic() > ask:
                ask = time.monotonic() + 1.0
                with suppress(DatelineError):
                    before, left = left, self._incoming.left() or self.pipeline.left()
                    quiet = 0 if left else quiet + 1
                    if left != before:
                        deadline = time.monotonic() + PATIENCE_S
            assert time.monotonic() < deadline, self._stuck(left)
            time.sleep(0.05)

    def _stuck(self, left: str) -> str:
        """All that tells why it goes no further: what each stage and process says, and where every
        thread of them is."""
        lines = [f"after {PATIENCE_S:.0f} s there is still: {left}"]
        try:
            lines += [str(row) for row in status(self.pipeline.settings)]
        except DatelineError as error:
            lines.append(f"no status: {error}")
        now = time.monotonic()
        for life in self.lives:
            assert life.process is not None
            lines.append(
                f"{life.name} {life.process.pid}: {now - life.born:.0f} s old, owns {life.owned},"
                f" code {life.process.poll()}, stopped until {life.stopped_until}, {life.plan}"
            )
            if life.process.poll() is None:
                life.send("SIGUSR1")
                time.sleep(0.5)  # one after the other
        return "\n".join([*lines, "what they said last:", self._hearing.last_said(20_000)])

    def _end(self) -> None:
        for life in self.lives:
            if life.process is not None and life.process.poll() is None:
                with suppress(ProcessLookupError):
                    life.send("SIGCONT")
                    life.send("SIGTERM")
        for life in self.lives:
            if life.process is not None:
                try:
                    life.process.wait(20)
                except Exception:
                    life.process.kill()
                    life.process.wait()
                    self.seen.broken.append(f"{life.name} did not end on SIGTERM")

    def _progress(self) -> str:
        return f"{self._killed()}/{self.kills} kills, {self._incoming.given}"
