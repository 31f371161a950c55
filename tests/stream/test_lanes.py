"""Live news and backfill on one log: backfill gives way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from stream.log.contract import LogRecord, Partition, Topic
from stream.log.sqlite import SqliteLog
from stream.log.sqlite_group import SqliteConsumer
from stream.records import BACKFILL_LANE, LIVE_LANE, PLACED, encode
from stream.stage import Loop, Output, drain
from tests.stream.stages import Echo, ack

LIVE, BACKFILL = Partition(PLACED, LIVE_LANE), Partition(PLACED, BACKFILL_LANE)


class Laned(Echo):
    """Notes the lane of each record."""

    inputs = (PLACED,)

    def __init__(self) -> None:
        super().__init__()
        self.lanes: list[int] = []

    def process(self, batch: Sequence[LogRecord]) -> list[Output]:
        self.lanes += [record.partition for record in batch]
        return []


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    opened = SqliteLog(tmp_path / "log.db")
    opened.create_topics([Topic(PLACED, 2, None)])
    yield opened
    opened.close()


@pytest.fixture
def loop(log: SqliteLog) -> Iterator[Loop]:
    made = Loop(Laned(), log)
    made.BATCH = 8
    yield made
    made.close()


def fill(log: SqliteLog, partition: Partition, count: int) -> None:
    producer = log.producer()
    for n in range(count):
        producer.send(PLACED, encode(ack(str(n))), partition=partition.number)
    producer.close()


def lanes(loop: Loop) -> list[int]:
    assert isinstance(loop.stage, Laned)
    return loop.stage.lanes


def test_backfill_waits_while_more_than_a_batch_of_live_news_does(
    log: SqliteLog, loop: Loop
) -> None:
    fill(log, BACKFILL, 40)
    loop.step(0)
    assert lanes(loop) == [1] * 8, "without live news it goes on"
    fill(log, LIVE, 30)
    while loop.log.bounds(LIVE)[1] - (loop.log.committed("dateline.echo", LIVE) or 0) > 8:
        loop.step(0)
    assert 1 not in lanes(loop)[8:]
    drain([loop])
    assert lanes(loop).count(0) == 30
    assert lanes(loop).count(1) == 40


def test_in_a_batch_of_both_live_news_comes_first(log: SqliteLog, loop: Loop) -> None:
    fill(log, BACKFILL, 5)
    fill(log, LIVE, 3)
    drain([loop])
    assert lanes(loop) == [0] * 3 + [1] * 5


def test_backfill_waits_for_live_news_that_another_member_has(log: SqliteLog, loop: Loop) -> None:
    connection = log._file.connect(durable=False)
    wanted = {LIVE: log._partition(LIVE)}
    other = SqliteConsumer(log._file, connection, "dateline.echo", wanted, None, None)
    other.take_free()
    fill(log, BACKFILL, 5)
    fill(log, LIVE, 20)
    for _ in range(3):
        loop.step(0)
    assert lanes(loop) == []
    other.commit({LIVE: 15})
    loop.step(0)
    assert lanes(loop) == [1] * 5
    other.close()
