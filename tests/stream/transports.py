"""The two transports under one name, for suites that both must pass; and a program to kill.

`python -m tests.stream.transports URL COMMAND TOPIC` runs one side of a test in another process.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence

from stream.log.contract import Consumer, Log, LogRecord, Topic

# The packaged broker forgets a dead member as soon as it is told to; Apache Kafka allows no less
# than six seconds.
SESSION_S = 6.0
# How long anything in a test may take before it counts as failed; joining a group takes seconds.
PATIENCE_S = 40.0


def open_log(url: str) -> Log:
    kind, _, where = url.partition(":")
    if kind == "kafka":
        from stream.log.kafka import KafkaLog

        return KafkaLog(where, session_s=SESSION_S)
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


def join(*consumers: Consumer, partitions: int = 1) -> list[list[LogRecord]]:
    """Poll them in turn until each owns `partitions`; groups form side by side. Returns what came
    to each on the way."""
    deadline = time.monotonic() + PATIENCE_S
    found: list[list[LogRecord]] = [[] for _ in consumers]
    while any(len(consumer.assigned()) < partitions for consumer in consumers):
        assert time.monotonic() < deadline, [c.assigned() for c in consumers]
        for consumer, records in zip(consumers, found, strict=True):
            if len(consumer.assigned()) < partitions:
                records += consumer.poll(1, 0.05)
    return found


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
