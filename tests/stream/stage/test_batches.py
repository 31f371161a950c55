"""Records come in batches, and a batch is committed as far as it is done."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from prometheus_client import REGISTRY

from stream import batch
from stream.log.contract import LogRecord, Partition
from stream.log.sqlite import SqliteLog
from stream.stage import Loop, Output, drain
from tests.stream.stage.life import NAMES, answers, put, run
from tests.stream.stages import IN, Echo


def test_every_record_is_answered_and_committed(log: SqliteLog) -> None:
    put(log, NAMES)
    put(log, ["other"], partition=1)
    stage = Echo()
    loop = Loop(stage, log)
    assert drain([loop]) == 11
    assert loop.lag() == 0
    assert (answers(log), answers(log, 1)) == (NAMES, ["other"])
    assert log.committed("dateline.echo", Partition(IN, 0)) == 10
    assert ("committed", {Partition(IN, 0): 10, Partition(IN, 1): 1}) in stage.events
    loop.close()
    assert stage.events[-2:] == [("lost", Partition(IN, 0)), ("lost", Partition(IN, 1))]
    run(log, Echo())
    assert answers(log) == NAMES, "a second life finds nothing to do"


def test_a_batch_is_of_one_partition_and_never_larger_than_the_chunk(log: SqliteLog) -> None:
    put(log, NAMES)
    put(log, NAMES, partition=1)
    stage = Echo()
    stage.chunk = 4
    run(log, stage)
    assert [len(batch) for batch in stage.batches] == [4, 4, 2, 4, 4, 2]
    stage = Echo()
    stage.chunk = 1
    put(log, NAMES)
    run(log, stage)
    assert [len(batch) for batch in stage.batches] == [1] * 10


def test_a_slow_batch_is_cut_and_the_rest_handed_back(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(log, NAMES)
    put(log, NAMES, partition=1)
    monkeypatch.setattr(batch, "CUT_S", 0.0)
    stage = Echo()
    stage.chunk = 1
    loop = Loop(stage, log)
    committed = []
    for _ in range(20):
        assert loop.step() == 1
        committed.append(sum(log.committed(loop.group, Partition(IN, n)) or 0 for n in (0, 1)))
    assert committed == list(range(1, 21)), "each round commits what it has done"
    assert (answers(log), answers(log, 1)) == (NAMES, NAMES), "each once, in order"
    loop.close()


def test_chunks_shrink_to_what_can_be_done_in_time(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    class Heavy(Echo):
        def process(self, records: Sequence[LogRecord]) -> list[Output]:
            nonlocal now
            now += 5.0 * len(records)
            return super().process(records)

    monkeypatch.setattr(batch, "monotonic", lambda: now)
    put(log, [f"n{i}" for i in range(64 + 12)])
    stage = Heavy()
    loop = Loop(stage, log)
    while loop.step():
        pass
    assert [len(one) for one in stage.batches] == [64, 4, 4, 4], "twenty seconds are four of these"
    loop.close()


def test_a_shutdown_waits_for_a_chunk_and_not_for_the_batch(log: SqliteLog) -> None:
    stop = threading.Event()

    class Stopping(Echo):
        chunk = 2

        def process(self, records: Sequence[LogRecord]) -> list[Output]:
            stop.set()
            return super().process(records)

    put(log, NAMES)
    Loop(Stopping(), log).run(stop)
    assert answers(log) == NAMES[:2]
    assert log.committed("dateline.echo", Partition(IN, 0)) == 2
    run(log, Echo())
    assert answers(log) == NAMES


def test_lag_is_what_waits_in_the_partitions_that_are_ours(log: SqliteLog) -> None:
    def told() -> float | None:
        return REGISTRY.get_sample_value("dateline_stage_lag_records", {"stage": "echo"})

    put(log, NAMES)
    put(log, ["other"], partition=1)
    owner, standby = Loop(Echo(), log), Loop(Echo(), log)
    owner.BATCH = 4
    owner.step()
    standby.step(wait=0.0)
    assert (owner.lag(), told()) == (7, 7.0)
    assert (standby.lag(), told()) == (0, 0.0), "it has nothing of its own to do"
    drain([owner])
    assert (owner.lag(), told()) == (0, 0.0)
    owner.close()
    standby.close()


def test_the_lag_is_asked_for_at_times_while_it_runs(log: SqliteLog) -> None:
    class Counting(Loop):
        LAG_EVERY_S = 0.0

        def lag(self) -> int:
            stop.set()
            return super().lag()

    stop = threading.Event()
    thread = threading.Thread(target=Counting(Echo(), log).run, args=(stop,))
    thread.start()
    ended = stop.wait(20)
    stop.set()
    thread.join(20)
    assert ended


def test_a_stage_sees_a_batch_before_it_gets_it_chunk_by_chunk(log: SqliteLog) -> None:
    class Ahead(Echo):
        chunk = 2

        def ahead(self, batch: Sequence[LogRecord]) -> None:
            self.events.append(("ahead", len(batch)))

        def process(self, batch: Sequence[LogRecord]) -> list[Output]:
            self.events.append(("chunk", len(batch)))
            return super().process(batch)

    put(log, NAMES[:5])
    stage = Ahead()
    run(log, stage)
    seen = [what for what in stage.events if what[0] in ("ahead", "chunk")]
    assert seen == [("ahead", 5), ("chunk", 2), ("chunk", 2), ("chunk", 1)]
