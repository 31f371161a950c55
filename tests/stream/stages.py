"""Small real stages for tests of the loop; and a program that runs one, to be stopped or killed.

`python -m tests.stream.stages LOG` runs `Slow` until SIGTERM.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from stream.errors import BadRecord
from stream.log.contract import LogRecord, Partition, Topic
from stream.records import DEAD, AlertAck, Verdict, decode
from stream.stage import Loop, Output, Rewind, Stage
from stream.telemetry import configure_logs
from tests.stream.transports import open_log

IN, OUT, TABLE = "in", "out", "table"
TOPICS = [Topic(IN, 2, None), Topic(OUT, 2, None), Topic(TABLE, 1, None), Topic(DEAD, 1, None)]


class Echo(Stage):
    """Answers each record with its own value, and notes everything that happens to it."""

    name = "echo"
    inputs = (IN,)

    def __init__(self) -> None:
        self.events: list[tuple[str, object]] = []
        self.batches: list[list[bytes]] = []

    def process(self, batch: Sequence[LogRecord]) -> list[Output]:
        self.batches.append([record.value for record in batch])
        return [self.answer(record) for record in batch]

    def answer(self, record: LogRecord) -> Output:
        text = decode(record.value, AlertAck).alert_id
        return Output(OUT, ack(text), key=text, partition=record.partition)

    def start(self, partition: Partition, log_id: str) -> int | None:
        self.events.append(("start", partition))
        return None

    def lost(self, partition: Partition) -> None:
        self.events.append(("lost", partition))

    def skip(self, record: LogRecord, error: BaseException) -> None:
        self.events.append(("skip", record.offset))

    def committed(self, next_offsets: Mapping[Partition, int]) -> None:
        self.events.append(("committed", dict(next_offsets)))


class WithTable(Echo):
    """Follows verdicts; keeps what it was shown, and what a look back gave."""

    tables = (TABLE,)

    def __init__(self) -> None:
        super().__init__()
        self.known: list[str] = []
        self.looked_back: list[list[str]] = []

    def table(self, changes: Sequence[LogRecord], rewind: Rewind) -> list[Output]:
        self.known += [decode(record.value, Verdict).event_id for record in changes]
        self.looked_back.append([text_of(record) for record in rewind()])
        self.events.append(("table", len(changes)))
        return [
            Output(OUT, ack(f"seen {decode(r.value, Verdict).event_id}"), partition=0)
            for r in changes
        ]

    def answer(self, record: LogRecord) -> Output:
        self.events.append(("answer", tuple(self.known)))
        return super().answer(record)


class Restoring(Echo):
    restores_from = OUT

    def __init__(self) -> None:
        super().__init__()
        self.restored: dict[int, list[bytes]] = {}

    def restore(self, partition: Partition, outputs: Iterator[LogRecord]) -> None:
        self.restored[partition.number] = [record.value for record in outputs]


class Slow(Echo):
    """Says when it begins a batch, and ends it only once it was told to stop."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__()
        self.stop = stop

    def process(self, batch: Sequence[LogRecord]) -> list[Output]:
        print("begun", flush=True)
        self.stop.wait()
        return super().process(batch)


def text_of(record: LogRecord) -> str:
    try:
        return decode(record.value, AlertAck).alert_id
    except BadRecord:
        return "?"


def ack(text: str) -> AlertAck:
    return AlertAck(alert_id=text, at=datetime(2018, 6, 12, tzinfo=UTC))


class Picky(Echo):
    """Fails on some records; a clean stage otherwise."""

    def __init__(self, error: Exception, *names: str) -> None:
        super().__init__()
        self.error, self.names = error, names

    def answer(self, record: LogRecord) -> Output:
        if decode(record.value, AlertAck).alert_id in self.names:
            raise self.error
        return super().answer(record)


class Next(Echo):
    """Reads what another stage writes, and adds to that stage's table."""

    name = "next"
    inputs = (OUT,)

    def process(self, batch: Sequence[LogRecord]) -> list[Output]:
        texts = [decode(record.value, AlertAck).alert_id for record in batch]
        return [
            Output(TABLE, Verdict(event_id=t, article_id="a", verdict="right", at=ack("").at))
            for t in texts
            if not t.startswith("seen")
        ]


def main(path: str) -> None:
    configure_logs("error")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    Loop(Slow(stop), open_log(f"sqlite:{path}")).run(stop)
    print("ended", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
