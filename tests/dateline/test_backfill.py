"""An archive goes into a running pipeline without getting in the way of live news."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dateline import app, backfill, offsets
from dateline.config import load
from dateline.replay import replay
from processors.embed.stage import EmbedStage
from stream import records
from stream.log.contract import LogRecord, Partition
from stream.log.sqlite import SqliteLog
from stream.records import ARTICLES, EMBEDDED, LIVE_LANE
from stream.role import Output
from stream.stage import Loop
from tests.sinks.world import matched
from tests.torture.headlines import write

COUNT = 1200


class Model:
    name, dims = "any@1", 2

    def encode(self, texts: Sequence[str]) -> list[bytes]:
        return [np.array([1, 0], np.float16).tobytes() for _ in texts]


class Embed(EmbedStage):
    """Notes how much waited behind each batch."""

    def __init__(self, log: SqliteLog) -> None:
        super().__init__(Model())
        self.log, self.waited = log, list[int]()
        self.held = threading.Event()  # the archive waits for us

    def process(self, batch: Sequence[LogRecord]) -> list[Output]:
        if self.waited:
            # Slower than what fills the topic: one that does not wait would be far ahead by then.
            self.held.wait(1)
            self.held.clear()
        ends = [self.log.bounds(Partition(ARTICLES, n))[1] for n in range(8)]
        done = [self.log.committed("dateline.embed", Partition(ARTICLES, n)) or 0 for n in range(8)]
        self.waited.append(sum(ends) - sum(done))
        return super().process(batch)


def test_an_archive_goes_into_a_running_pipeline_as_fast_as_that_keeps_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = {"database.url": str(tmp_path / "n.db"), "log.url": str(tmp_path / "n.log.db")}
    settings = load(None, flags, {})
    app.prepare(settings)
    log = SqliteLog(settings.log.url)
    stage = Embed(log)

    def held(_: float) -> None:
        stage.held.set()
        time.sleep(0.01)

    monkeypatch.setattr(backfill, "time", SimpleNamespace(sleep=held))
    loop, stop = Loop(stage, log), threading.Event()
    thread = threading.Thread(target=loop.run, args=(stop,))
    live = matched("live").read_placed().read_embedded().article

    def put_live() -> None:
        producer = log.producer()
        producer.send(ARTICLES, bytes(live), key=b"live")
        producer.close()

    def embedded(lane: int) -> int:
        return log.bounds(Partition(EMBEDDED, lane))[1]

    assert not offsets.running(settings, "embed")
    thread.start()
    try:
        put_live()  # it works, and has committed
        end = time.monotonic() + 60
        while not any(log.committed("dateline.embed", Partition(ARTICLES, n)) for n in range(8)):
            assert time.monotonic() < end
            time.sleep(0.01)
        assert offsets.running(settings, "embed")
        write(tmp_path / "old.jsonl", COUNT, 7)
        report = replay(settings, tmp_path / "old.jsonl", None)
        assert report.stored == COUNT
        while embedded(1) < COUNT:
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        stop.set()
        thread.join(60)
    assert embedded(LIVE_LANE) == 1
    # A chunk of 256 goes in when 256 wait at most.
    assert max(stage.waited) <= backfill.MOST_WAITING + 256 + 1
    assert [records.decode(r.value, records.Embedded).model
            for r in log.read(Partition(EMBEDDED, LIVE_LANE))] == ["any@1"]  # fmt: skip
    log.close()
