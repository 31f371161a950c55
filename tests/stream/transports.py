"""The two transports under one name, for suites that both must pass; and a program to kill.

`python -m tests.stream.transports URL COMMAND TOPIC` runs one side of a test in another process.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

from stream.log.contract import Consumer, Log, LogRecord, Partition, Topic
from tests.conftest import ROOT
from tests.services import ASSIGNOR, NAMED

# How soon a killed member is missed. Apache Kafka allows no less than six seconds; the packaged
# broker does, and lets a new group wait for half of it.
SESSION_S = 6.0 if NAMED else 2.0
# How long anything in a test may take before it counts as failed; joining a group takes seconds.
PATIENCE_S = 40.0


def open_log(url: str) -> Log:
    kind, _, where = url.partition(":")
    if kind == "kafka":
        from stream.log.kafka import KafkaLog

        return KafkaLog(where, session_s=SESSION_S, assignor=ASSIGNOR)
    from stream.log.sqlite import SqliteLog

    return SqliteLog(where)


def make_topic(log: Log, name: str, partitions: int = 1) -> str:
    log.create_topics([Topic(name, partitions, None)])
    return name


def append(log: Log, topic: str, values: Sequence[bytes], partition: int | None = 0) -> None:
    producer = log.producer()
    for value in values:
        producer.send(topic, value, partition=partition)
    producer.close()


def take(consumer: Consumer, count: int) -> list[LogRecord]:
    """Poll until `count` records have come."""
    found: list[LogRecord] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} records came"
        found += consumer.poll(count - len(found), 0.1)
    return found


class Member(threading.Thread):
    """A member of a group with a thread of its own, as in a stage: polls and commits until told
    to leave. An error ends it and is in `error`."""

    def __init__(self, consumer: Callable[[], Consumer]) -> None:
        super().__init__(daemon=True)
        self._make, self._leave = consumer, threading.Event()
        self.records: list[LogRecord] = []
        self.owned: frozenset[Partition] = frozenset()
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        consumer = self._make()
        try:
            while not self._leave.is_set():
                batch = consumer.poll(10, 0.2)
                self.owned = consumer.assigned()
                self.records += batch
                if batch:
                    consumer.commit({record.source: record.offset + 1 for record in batch})
        except Exception as error:
            self.error = error
        finally:
            consumer.close()
            self.owned = frozenset()

    def leave(self) -> None:
        self._leave.set()
        self.join(PATIENCE_S)


def wait_until(holds: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.01)


def child(url: str, command: str, topic: str) -> subprocess.Popen[str]:
    """Runs `main` in another process."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.stream.transports", url, command, topic],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def main(url: str, command: str, topic: str) -> None:
    log = open_log(url)
    if command == "append":  # forever, a flush of ten at a time; says how many are safe
        producer = log.producer()
        for number in range(0, 1_000_000, 10):
            for i in range(number, number + 10):
                producer.send(topic, b"%d" % i, partition=0)
            producer.flush()
            print(number + 10, flush=True)
    if command == "own":  # join, commit the first record, and hold on
        consumer = log.consumer("group", [topic])
        record = take(consumer, 1)[0]
        consumer.commit({record.source: record.offset + 1})
        print("owns", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
