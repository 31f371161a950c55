"""The database, the model or an alert channel is slow or away: the log (or the outbox) takes what
comes, the memory of the stage stays bounded, and afterwards it is up to date again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from store import tables
from store.connection import reading
from store.engine import open_database
from stream import records
from stream.log.contract import Partition, topics
from stream.log.sqlite import SqliteLog
from stream.records import ARTICLES, MATCHED
from tests.dateline.program import environment
from tests.sinks.world import NOON, matched

PATIENCE_S = 120.0
# Each comes with a text of 30 kB, as the longest of news do.
TEXT, FIRST, MORE = "word " * 6000, 300, 3000
ALERTS, PAYLOAD = 600, "x" * 100_000
# What waits is 60 to 100 MB; held in memory and decoded it would be a multiple. A batch of 256
# such records is 8 MB, and some of it is there twice while it is handled.
GROWTH_MB = 40
MB = 1_000_000


class Overload:
    def __init__(self, folder: Path, stage: str) -> None:
        self.folder, self.stage, self.gate = folder, stage, folder / "gate"
        self.engine = open_database(folder / "news.db", upgrade=True)
        self.log = SqliteLog(folder / "log.db")
        self.log.create_topics(topics(1))
        self.process: psutil.Popen | None = None
        self.put(FIRST)

    def start(self) -> None:
        self.process = psutil.Popen(
            [sys.executable, "-m", "tests.torture.slow", str(self.folder / "log.db"),
             str(self.folder / "news.db"), str(self.gate), self.stage],
            cwd=Path(__file__).parents[2], env=environment(), stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def put(self, count: int) -> None:
        """So much more to do for the stage, in whatever it reads."""
        if self.stage == "channel":
            count = ALERTS * count // MORE
            with self.engine.begin() as connection:
                first = connection.execute(
                    sa.select(sa.func.count()).select_from(tables.outbox)
                ).scalar_one()
                connection.execute(
                    tables.outbox.insert(),
                    [
                        {"id": f"a{n}", "alert_id": f"a{n}", "sequence": 1, "channel": "receiver",
                         "told_at": NOON, "state": "pending",
                         "payload": {"alert_id": f"a{n}", "event": None, "more": PAYLOAD}}
                        for n in range(first, first + count)
                    ],
                )  # fmt: skip
            return
        partition = Partition(ARTICLES if self.stage == "model" else MATCHED, 0)
        first = self.log.bounds(partition)[1]
        producer = self.log.producer()
        for n in range(first, first + count):
            record = matched(f"a{n}", f"s{n}", text=TEXT, decisions=[])
            value = records.encode(record)
            if self.stage == "model":
                value = bytes(record.read_placed().read_embedded().article)
            producer.send(partition.topic, value, partition=0)
            if n % 200 == 0:
                producer.flush()
        producer.close()

    def waiting(self) -> int:
        if self.stage == "channel":
            with reading(self.engine) as connection:
                count = sa.select(sa.func.count()).where(tables.outbox.c.state != "sent")
                return int(connection.execute(count).scalar_one())
        group = "dateline.embed" if self.stage == "model" else "dateline.database"
        partition = Partition(ARTICLES if self.stage == "model" else MATCHED, 0)
        return self.log.bounds(partition)[1] - (self.log.committed(group, partition) or 0)

    def until(self, there: Callable[[], bool], what: str) -> float:
        """Wait; the most memory (MB) that the stage had meanwhile."""
        assert self.process is not None
        end, most = time.monotonic() + PATIENCE_S, 0.0
        while not there():
            assert self.process.is_running(), "the stage has ended"
            assert time.monotonic() < end, f"never came: {what}; {self.waiting()} wait"
            most = max(most, self.process.memory_info().rss / MB)
            time.sleep(0.02)
        return max(most, self.process.memory_info().rss / MB)

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.log.close()
        self.engine.dispose()


@pytest.fixture
def overload(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Overload]:
    made = Overload(tmp_path, request.param)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["slow", "away"])
@pytest.mark.parametrize("overload", ["database", "model", "channel"], indirect=True)
def test_a_dependency_that_is_slow_or_away_costs_no_memory_and_is_caught_up_with(
    overload: Overload, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    overload.start()
    usual = overload.until(lambda: overload.waiting() == 0, "it runs")
    overload.gate.write_text(how)
    overload.put(MORE)
    behind = overload.waiting()
    since = time.monotonic()
    held = overload.until(lambda: time.monotonic() - since > 3.0, "three seconds of it")
    assert overload.waiting() > behind / 2, "it is held up"
    overload.gate.unlink()
    since = time.monotonic()
    after = overload.until(lambda: overload.waiting() == 0, "it is up to date again")
    with capsys.disabled():
        print(
            f"\n{overload.stage} {how}: {behind:,} waited; {usual:.0f} MB before, {held:.0f} MB"
            f" meanwhile, {after:.0f} MB catching up; up to date in"
            f" {time.monotonic() - since:.1f} s"
        )
    assert max(held, after) < usual + GROWTH_MB
