"""Tables are known before the first record; looking back; restoring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from stream.errors import Unavailable
from stream.log.contract import LogRecord, Partition
from stream.log.sqlite import SqliteLog
from stream.records import AlertAck, decode
from stream.stage import Loop, Output, Rewind, drain
from tests.stream.stage.life import NAMES, answers, put, put_table, run
from tests.stream.stages import IN, OUT, Restoring, WithTable, ack


def test_tables_are_known_before_the_first_record_and_followed_after(log: SqliteLog) -> None:
    put_table(log, "e1", "e2")
    put(log, ["first"])
    stage = WithTable()
    loop = Loop(stage, log)
    drain([loop])
    put_table(log, "e3")
    put(log, ["second"])
    drain([loop])
    assert [what for what in stage.events if what[0] in ("table", "answer")] == [
        ("table", 2),
        ("answer", ("e1", "e2")),
        ("table", 1),
        ("answer", ("e1", "e2", "e3")),
    ]
    assert answers(log) == ["seen e1", "seen e2", "first", "seen e3", "second"]
    loop.close()


def test_a_look_back_gives_exactly_the_earlier_input(log: SqliteLog) -> None:
    put(log, NAMES[:5])
    put(log, ["other"], partition=1)
    stage = WithTable()
    loop = Loop(stage, log)
    drain([loop])
    put_table(log, "e1")
    put(log, NAMES[5:])
    drain([loop])
    assert stage.looked_back == [[], [*NAMES[:5], "other"]]
    loop.close()
    put_table(log, "e2")
    stage = WithTable()  # a new life looks back over what the group has done before
    run(log, stage)
    assert stage.looked_back == [[*NAMES, "other"]]


def test_a_look_back_leaves_out_what_became_a_dead_letter(log: SqliteLog) -> None:
    put(log, NAMES[:2])
    producer = log.producer()
    producer.send(IN, b"no record", partition=0)
    producer.close()
    put(log, NAMES[2:4])
    put(log, ["other"], partition=1)
    stage = WithTable()
    loop = Loop(stage, log)
    drain([loop])
    put_table(log, "e1")
    drain([loop])
    assert stage.looked_back[-1] == [*NAMES[:4], "other"]
    loop.close()


def test_what_a_look_back_finds_is_appended_while_it_reads_on(log: SqliteLog) -> None:
    class Finding(WithTable):
        def table(self, changes: Sequence[LogRecord], rewind: Rewind) -> Iterator[Output]:
            for number in range(3 * Loop.PAGE):
                held.append(number - log.bounds(Partition(OUT, 0))[1])
                yield Output(OUT, ack(f"n{number}"), partition=0)

    held = list[int]()  # made and not on the log yet
    put_table(log, "e1")
    run(log, Finding())
    assert max(held) < Loop.PAGE
    assert answers(log) == [f"n{number}" for number in range(3 * Loop.PAGE)]


def test_a_look_back_ends_where_the_stage_starts(log: SqliteLog) -> None:
    class Positioned(WithTable):
        def start(self, partition: Partition, log_id: str) -> int | None:
            return 4 if partition.number == 0 else 0

    put(log, NAMES)
    put_table(log, "e1")
    stage = Positioned()
    run(log, stage)
    assert stage.looked_back == [NAMES[:4]]
    assert answers(log) == ["seen e1", *NAMES[4:]]


def test_table_changes_whose_outputs_were_not_stored_are_shown_again(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_table(log, "e1")
    stage = WithTable()
    loop = Loop(stage, log)
    produce = loop._produce

    def fail_once(outputs: object) -> None:
        monkeypatch.setattr(loop, "_produce", produce)
        raise Unavailable("the log is away")

    monkeypatch.setattr(loop, "_produce", fail_once)
    with pytest.raises(Unavailable):
        loop.step()
    loop._drop_connections()
    drain([loop])
    assert answers(log) == ["seen e1"]
    loop.close()


def test_a_stage_that_stands_by_is_not_shown_the_tables(log: SqliteLog) -> None:
    put_table(log, "e1")
    owner, standby = WithTable(), WithTable()
    loops = [Loop(owner, log), Loop(standby, log)]
    for _ in range(2):
        for loop in loops:
            loop.step(wait=0.0)
    assert (owner.known, standby.known) == (["e1"], [])
    loops[0].close()
    loops[1].step(wait=0.0)
    assert standby.known == ["e1"]
    loops[1].close()


def test_restoring_for_long_is_no_standstill(log: SqliteLog) -> None:
    class Long(Restoring):
        def restore(self, partition: Partition, outputs: Iterator[LogRecord]) -> None:
            for _ in outputs:
                assert loop.metrics.stuck(300) is None
                loop.metrics.last_round -= 301

    put(log, NAMES)
    run(log, Restoring())
    loop = Loop(Long(), log)
    loop.step(wait=0.0)
    loop.close()


def test_a_stage_that_takes_long_can_say_that_it_gets_on(log: SqliteLog) -> None:
    class Saving(Restoring):
        def committed(self, next_offsets: Mapping[Partition, int]) -> None:
            loop.metrics.last_round -= 301
            stuck.append(loop.metrics.stuck(300) is not None)
            self.beat()
            stuck.append(loop.metrics.stuck(300) is not None)

    stuck: list[bool] = []
    put(log, NAMES)
    loop = Loop(Saving(), log)
    loop.step()
    assert stuck == [True, False]
    loop.close()


def test_restoring_gets_the_stage_s_own_outputs(log: SqliteLog) -> None:
    put(log, NAMES)
    put(log, ["other"], partition=1)
    first = Restoring()
    run(log, first)
    assert first.restored == {0: [], 1: []}
    second = Restoring()
    run(log, second)
    assert [decode(v, AlertAck).alert_id for v in second.restored[0]] == NAMES
    assert [decode(v, AlertAck).alert_id for v in second.restored[1]] == ["other"]
