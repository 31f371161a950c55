"""A stage is stopped (SIGSTOP), another process takes its partitions, the first one wakes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from dateline.broker import PackagedBroker
from sinks.alerts.policy import AlertPolicy
from sinks.database.stage import DatabaseSink
from store import tables
from store.compare import derived_rows, differences
from store.connection import reading
from store.engine import open_database
from stream import records
from stream.log.contract import Partition, topics
from stream.log.kafka import KafkaLog
from stream.records import Placed, StoryChange, decode
from stream.stage import Loop, drain
from tests.conftest import ROOT
from tests.processors.cluster_world import embedded, place, three_stories
from tests.sinks.world import OUTLETS, created, matched
from tests.stream.transports import SESSION_S, wait_until

MATCHED, PLACED = Partition(records.MATCHED, 0), Partition(records.PLACED, 0)
MOVED_ON = ("stage.partitions_lost", "stage.waiting")


class World:
    """A broker with the topics, and processes that run a stage on it."""

    def __init__(self, bootstrap: str, database: str, folder: Path) -> None:
        self.bootstrap, self.database, self.folder = bootstrap, database, folder
        self.log = KafkaLog(bootstrap, session_s=SESSION_S)
        self.log.create_topics(topics(1))
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, stage: str, point: str = "nowhere") -> subprocess.Popen[bytes]:
        number = len(self.processes)
        with (self.folder / f"said-{number}").open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.torture.pausing",
                 self.bootstrap, self.database, stage, point],
                cwd=ROOT, stdout=said, stderr=said,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def said(self, process: subprocess.Popen[bytes]) -> str:
        return (self.folder / f"said-{self.processes.index(process)}").read_text()

    def has_moved_on(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, self.said(process)
        return any(event in self.said(process) for event in MOVED_ON)

    def append(self, topic: str, values: list[bytes]) -> None:
        producer = self.log.producer()
        for value in values:
            producer.send(topic, value, partition=0)
        producer.close()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.log.close()


@pytest.fixture
def world(postgres_url: str, tmp_path: Path) -> Iterator[World]:
    # A transaction that a paused process has open is ended by the server, here within a second.
    url = sa.make_url(postgres_url).update_query_dict(
        {"options": "-c idle_in_transaction_session_timeout=1000"}
    )
    with PackagedBroker() as broker:
        made = World(broker.bootstrap, url.render_as_string(hide_password=False), tmp_path)
        yield made
        made.close()


def pause(process: subprocess.Popen[bytes]) -> None:
    """Returns when the process has stopped itself."""
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), "it ended instead"


def placements(first: int, count: int) -> list[bytes]:
    """Articles in stories of four that grow, merge and are edited."""
    made = []
    for n in range(first, first + count):
        story = f"s{n // 4}"
        changes = [created(story)] if n % 4 == 0 else []
        if n % 8 == 7:
            changes = [StoryChange(kind="merged", story=f"s{n // 4 - 1}", into=story)]
        made.append(records.encode(matched(f"a{n}", story, minute=n, changes=changes)))
        if n % 5 == 0:
            made.append(records.encode(matched(f"a{n}", story, title="Edited", revision="r2")))
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    "point", ["before the transaction", "in the transaction", "before the group commit"]
)
def test_a_paused_writer_that_wakes_changes_no_row(
    world: World, another_postgres: Callable[[], str], point: str
) -> None:
    engine = open_database(world.database, upgrade=True)
    world.append(records.MATCHED, placements(0, 40))
    end = world.log.bounds(MATCHED)[1]
    paused = world.start("database", point)
    pause(paused)
    successor = world.start("database")

    def position() -> int:
        p = tables.positions.c
        with reading(engine) as connection:
            query = sa.select(p.next).where(p.topic == records.MATCHED, p.partition == 0)
            return int(connection.execute(query).scalar() or 0)

    wait_until(lambda: position() == end, "its successor has stored everything")
    wait_until(
        lambda: world.log.committed("dateline.database", MATCHED) == end, "and has committed it"
    )
    stored = derived_rows(engine)
    paused.send_signal(signal.SIGCONT)
    wait_until(lambda: world.has_moved_on(paused), "the one that was paused has noticed")
    assert derived_rows(engine) == stored
    assert world.log.committed("dateline.database", MATCHED) == end

    successor.kill()
    world.append(records.MATCHED, placements(40, 20))
    end = world.log.bounds(MATCHED)[1]
    wait_until(lambda: position() == end, "the one that was paused goes on where the other was")

    rebuilt = open_database(another_postgres(), upgrade=True)
    sink = DatabaseSink(rebuilt, AlertPolicy(["console"]), OUTLETS, world.log)
    loop = Loop(sink, world.log, group="rebuild")
    drain([loop])
    assert differences(engine, rebuilt, outbox=True) == []
    loop.close()
    engine.dispose()


@pytest.mark.slow
def test_placements_of_a_paused_owner_that_wakes_are_those_that_stand_already(
    world: World,
) -> None:
    articles = three_stories(rounds=16)
    world.append(records.EMBEDDED, [records.encode(embedded(one)) for one in articles])
    paused = world.start("cluster", "before producing")
    pause(paused)
    world.start("cluster")
    wait_until(lambda: world.log.bounds(PLACED)[1] == len(articles), "its successor has placed all")
    paused.send_signal(signal.SIGCONT)
    wait_until(lambda: world.has_moved_on(paused), "the one that was paused has noticed")

    found = [(r.value, decode(r.value, Placed)) for r in world.log.read(PLACED)]
    first: dict[int, bytes] = {}
    for value, placed in found:
        assert first.setdefault(placed.source_offset, value) == value
    assert len(first) == len(articles)
    assert len(found) > len(articles), "it did append what it had in hand"
    # The same as of one undisturbed owner.
    wanted = [(one.story, one.copy_of) for one in place(articles)]
    assert [(p.story, p.copy_of) for _, p in found[: len(articles)]] == wanted
