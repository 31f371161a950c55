"""What a stage is given, one life of it, and what it has left on the log."""

from __future__ import annotations

from collections.abc import Sequence

from stream.log.contract import Partition
from stream.log.sqlite import SqliteLog
from stream.records import DEAD, AlertAck, Dead, Verdict, decode, encode
from stream.stage import Loop, Stage, drain
from tests.stream.stages import IN, OUT, TABLE, ack

NAMES = [f"n{i}" for i in range(10)]


def put(log: SqliteLog, texts: Sequence[str], partition: int = 0) -> None:
    producer = log.producer()
    for text in texts:
        producer.send(IN, encode(ack(text)), partition=partition)
    producer.close()


def put_table(log: SqliteLog, *events: str) -> None:
    producer = log.producer()
    for event in events:
        verdict = Verdict(event_id=event, article_id="a", verdict="right", at=ack("").at)
        producer.send(TABLE, encode(verdict))
    producer.close()


def answers(log: SqliteLog, partition: int = 0) -> list[str]:
    return [decode(r.value, AlertAck).alert_id for r in log.read(Partition(OUT, partition))]


def letters(log: SqliteLog) -> list[Dead]:
    return [decode(record.value, Dead) for record in log.read(Partition(DEAD, 0))]


def run(log: SqliteLog, stage: Stage) -> None:
    """One life of the stage: handle all there is, then end."""
    loop = Loop(stage, log)
    try:
        drain([loop])
    finally:
        loop.close()
