"""The arena: the whole pipeline as processes, killed again and again while news comes in."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import statistics
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dateline import app
from dateline.config import Settings, load
from dateline.status import lag
from stream import records
from stream.errors import DatelineError
from stream.log.contract import Partition, topics
from tests.torture import news
from tests.torture.lives import Life, Plan

# Nothing may stand still for longer than this once the killing is over.
PATIENCE_S = 120.0
# Of the largest stretch of a partition that redelivery appends again.
AGAIN = 40
# What a process says that found a server away, or no room on the disk.
_AWAY = re.compile(rb"does not answer|cannot be used now|cannot tell about|cannot be unpacked")


@dataclass
class Seen:
    """What happened, for the report."""

    signals: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    restarts: int = 0  # of processes that ended by themselves
    broken: list[str] = field(default_factory=list)  # why they did, where no server was away
    recoveries: list[float] = field(default_factory=list)

    def recovery(self) -> tuple[float, float]:
        """Median and 95th percentile, seconds from a kill to the first record done again."""
        if len(self.recoveries) < 2:
            return (*self.recoveries, 0.0, 0.0)[:2]  # type: ignore[return-value]
        return (
            statistics.median(self.recoveries),
            statistics.quantiles(self.recoveries, n=20, method="inclusive")[-1],
        )


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
        self._faults = deque(faults)
        self._fault_thread: threading.Thread | None = None
        self._fault_error: BaseException | None = None
        (folder / "incoming").mkdir()
        (folder / "dateline.toml").write_text(
            f'database.url = "{database}"\nlog.url = "{log}"\nlog.article_partitions = 4\n'
            # Small, so that there are many of them to be killed in.
            "cluster.snapshot_every = 100\nembed.threads = 1\n"
            'alerts.channels = ["console"]\nalerts.console_json = true\nalerts.poll = 0.2\n'
            "alerts.operator_channels = []\nalerts.tell_backfill = true\nalerts.deadline = 2\n",
            encoding="utf-8",
        )
        self.settings: Settings = load(folder / "dateline.toml", environ={})
        if not database.startswith("postgresql"):
            self.settings.database.url = str(folder / database)
        if "://" not in log:
            self.settings.log.url = str(folder / log)
        self._news = news.portions(articles, seed, portions=max(4, kills // 2))
        self.rows = {row["id"]: row for _, rows in self._news for row in rows}
        self._given = 0
        self.lives = list(self._make_lives(doubled))
        self._report, self._report_in = os.pipe()
        self._events: deque[dict[str, Any]] = deque()
        self._waiting: dict[tuple[str, str], float] = {}  # (group, partition) -> killed at
        self._done_to = 0

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

    def prepare(self) -> None:
        """Schema, topics and definitions, as an operator makes them."""
        app.open_engine(self.settings, upgrade=True).dispose()
        with self._log() as log:
            log.create_topics(topics(self.settings.log.article_partitions))
        self.define(version=1)

    def define(self, version: int) -> None:
        """Register the events; a later version is another wording, which is looked back with."""
        from dateline import registry

        path = news.definitions(self.folder / "events", version)
        with self._log() as log:
            registry.apply_path(log, path)

    def play(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        # Through a pipe: what they say must not be lost when no file can grow.
        heard, said = os.pipe()
        writer = threading.Thread(target=self._write_down, args=(heard,), daemon=True)
        writer.start()
        try:
            for life in self.lives:
                self._start(life, said)
            shown = time.monotonic()
            while not self._over():
                self._round(said)
                if time.monotonic() - shown > 10:
                    shown = time.monotonic()
                    self._tell(self._progress())
                time.sleep(0.02)
            self._settle(said)
        finally:
            self._end()
            os.close(said)
            writer.join(10)

    def _write_down(self, heard: int) -> None:
        with os.fdopen(heard, "rb") as lines, (self.folder / "said").open("ab") as file:
            for line in lines:
                file.write(line)
                file.flush()
                if line.startswith(b"Traceback") or (
                    line.startswith(b"dateline: ") and not _AWAY.search(line)
                ):
                    self.seen.broken.append(line.decode(errors="replace").strip())

    def _over(self) -> bool:
        if self._fault_error is not None:
            raise self._fault_error
        return self._killed() >= self.kills and not self._faults and self._fault_thread is None

    def _killed(self) -> int:
        return self.seen.signals["SIGKILL"]

    def _round(self, said: int) -> None:
        now = time.monotonic()
        self._hear()
        for life in self.lives:
            assert life.process is not None
            code = life.process.poll()
            if code is not None:
                self._buried(life, code, now)
                self._start(life, said)
            elif life.stopped_until is not None:
                if now >= life.stopped_until:
                    life.stopped_until = None
                    life.send("SIGCONT")
            elif life.plan is not None and not life.condemned:
                self._doom(life, now)
        self._give()
        self._next_fault()

    def _start(self, life: Life, said: int) -> None:
        life.start(self._report_in, said, doomed=self._killed() < self.kills)
        plan = vars(life.plan) if life.plan else None
        self._journal({"name": life.name, "kind": "born", "at": life.born, "plan": plan})

    def _buried(self, life: Life, code: int, now: float) -> None:
        if code == -signal.SIGKILL:
            self.seen.signals["SIGKILL"] += 1
        elif not life.condemned and code != 0:
            # Whoever starts while a server is away ends, and is started again.
            self.seen.restarts += 1
            assert code != 2, f"{life.name} says that it is configured wrongly"
        for owned in life.owned:
            self._waiting.setdefault(owned, now)

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
        due = len(self._news)
        if self.kills:
            due = 2 + int((len(self._news) - 2) * min(1.0, self._killed() / (0.6 * self.kills)))
        while self._given < due:
            name, rows = self._news[self._given]
            path = self.folder / "incoming" / f"{name}.jsonl"
            path.with_suffix(".part").write_text(
                "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
            )
            path.with_suffix(".part").rename(path)
            self._given += 1

    def _next_fault(self) -> None:
        if self._fault_thread is not None:
            if self._fault_thread.is_alive():
                return
            self._fault_thread = None
        if not self._faults or self._fault_error is not None:
            return
        total = sum(self.seen.faults.values()) + len(self._faults)
        if self._killed() < self.kills * (total - len(self._faults) + 0.5) / (total + 1):
            return
        name, cause = self._faults.popleft()
        self.seen.faults[name] += 1
        self._tell(f"fault: {name}")

        def work() -> None:
            try:
                cause(self)
            except BaseException as error:
                self._fault_error = error

        self._fault_thread = threading.Thread(target=work, daemon=True)
        self._fault_thread.start()

    # -- what the processes say ------------------------------------------------------------------

    def _listen(self) -> None:
        with os.fdopen(self._report, "rb") as report:
            for line in report:
                event = json.loads(line)
                self._events.append(event)
                self._journal(event)

    def _journal(self, event: Mapping[str, Any]) -> None:
        """Kept beside the rest for whoever wants to know what happened (`--keep`)."""
        with (self.folder / "journal").open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")

    def _hear(self) -> None:
        by_name = {life.name: life for life in self.lives}
        while self._events:
            event = self._events.popleft()
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
                killed = self._waiting.pop((event["group"], event["partition"]), None)
                # A record that came after the kill waited since then only. A clock that was put
                # wrong says nothing about that.
                if killed is not None and abs(event["age"]) < 60:
                    took = at - max(killed, at - event["age"])
                    if took > 0:
                        self.seen.recoveries.append(took)

    # -- the end ---------------------------------------------------------------------------------

    def _settle(self, said: int) -> None:
        """Wait until everything is done and nobody has anything to say any more."""
        self._tell(self._progress() + "; waiting for the rest")
        deadline, quiet, ask = time.monotonic() + PATIENCE_S, 0, 0.0
        left = "?"
        while quiet < 2:
            for life in self.lives:  # deaths that were planned before the last one counted
                life.plan = None if life.plan and life.plan.point is None else life.plan
            self._round(said)
            if time.monotonic() > ask:
                ask = time.monotonic() + 1.0
                with suppress(DatelineError):
                    before, left = left, self._left()
                    quiet = 0 if left else quiet + 1
                    if left != before:
                        deadline = time.monotonic() + PATIENCE_S
            assert time.monotonic() < deadline, f"after {PATIENCE_S:.0f} s there is still: {left}"
            time.sleep(0.05)

    def _left(self) -> str:
        """What is not done yet, in words; nothing = all is."""
        unread = [
            name for name, _ in self._news
            if not (self.folder / "incoming" / f"{name}.done").exists()
        ]  # fmt: skip
        if unread:
            return f"{len(unread)} files to read"
        if behind := lag(self.settings):
            return f"{behind} records to handle"
        with self._log() as log:
            versions, looked = set(), set()
            for record in log.read(Partition(records.EVENTS, 0)):
                value = records.decode(record.value, records.TOPIC_RECORDS[records.EVENTS])
                if isinstance(value, records.Definition):
                    versions.add((value.id, value.version))
                elif isinstance(value, records.HistoryDone):
                    looked.add((value.event_id, value.version))
            newest = {id_: max(v for i, v in versions if i == id_) for id_, _ in versions}
            if missing := set(newest.items()) - looked:
                return f"look-backs of {sorted(missing)}"
        import sqlalchemy as sa

        from store import tables
        from store.engine import reading

        engine = app.open_engine(self.settings)
        try:
            with reading(engine) as connection:
                waiting = connection.execute(
                    sa.select(sa.func.count()).where(
                        tables.outbox.c.state.in_(("pending", "sending"))
                    )
                ).scalar_one()
        finally:
            engine.dispose()
        return f"{waiting} alerts to deliver" if waiting else ""

    def save_log(self, path: Path) -> None:
        """A copy of every record, for a look at what went wrong."""
        from stream.log.sqlite import SqliteLog

        copy = SqliteLog(path)
        wanted = topics(self.settings.log.article_partitions)
        copy.create_topics(wanted)
        producer = copy.producer()
        with self._log() as log:
            for topic in wanted:
                for number in range(topic.partitions):
                    for record in log.read(Partition(topic.name, number)):
                        producer.send(
                            topic.name, record.value, key=record.key, partition=number,
                            headers=record.headers,
                        )  # fmt: skip
        producer.close()
        copy.close()

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
        os.close(self._report_in)

    def _progress(self) -> str:
        return (
            f"{self._killed()}/{self.kills} kills, {self._given}/{len(self._news)} portions of news"
        )

    @contextmanager
    def _log(self) -> Iterator[Any]:
        log = app.open_log(self.settings)
        try:
            yield log
        finally:
            log.close()

    # -- faults ----------------------------------------------------------------------------------

    def append_again(self) -> None:
        """Records that are on the log already, once more and in another order, in every topic that
        redelivery can double."""
        with self._log() as log:
            producer = log.producer()
            for topic in (records.ARTICLES, records.EMBEDDED, records.PLACED, records.MATCHED):
                source = Partition(topic, self.chance.randrange(log.partitions(topic)))
                first, after = log.bounds(source)
                if after <= first:
                    continue
                start = self.chance.randrange(first, after)
                found = list(log.read(source, start, start + AGAIN))
                self.chance.shuffle(found)
                for record in found[: AGAIN // 2]:
                    producer.send(
                        topic, record.value, key=record.key, partition=record.partition,
                        headers=record.headers,
                    )  # fmt: skip
            producer.close()

    def limit_files(self, size: int | None) -> None:
        """No process may write a file past `size` bytes, as on a full disk (None = again)."""
        import resource

        limit = resource.RLIM_INFINITY if size is None else size
        for life in self.lives:
            if life.process is not None and life.process.poll() is None:
                with suppress(ProcessLookupError):
                    resource.prlimit(
                        life.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY)
                    )
