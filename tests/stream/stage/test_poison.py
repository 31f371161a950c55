"""Records that fail become dead letters; where all fail, the stage stops."""

from __future__ import annotations

import pytest

from stream.errors import BadRecord, PoisonStorm
from stream.log.contract import LogRecord, Partition
from stream.log.sqlite import SqliteLog
from stream.records import DEAD, MAX_RECORD_BYTES
from stream.stage import Loop, Output, drain
from tests.conftest import ROOT
from tests.stream.stage.life import NAMES, answers, letters, put, run
from tests.stream.stages import IN, Echo, Picky, ack


@pytest.mark.parametrize("error", [ZeroDivisionError("x" * 100_000), BadRecord("no"), KeyError(1)])
@pytest.mark.parametrize("chunk", [1, 4, 64])
def test_a_poison_record_is_isolated_and_the_rest_goes_on(
    log: SqliteLog, error: Exception, chunk: int
) -> None:
    put(log, NAMES)
    stage = Picky(error, "n3", "n9")
    stage.chunk = chunk
    run(log, stage)
    assert answers(log) == [name for name in NAMES if name not in ("n3", "n9")]
    dead = letters(log)
    assert [letter.offset for letter in dead] == [3, 9]
    assert {(d.stage, d.topic, d.partition, d.error) for d in dead} == {
        ("echo", IN, 0, type(error).__name__)
    }
    assert max(len(record.value) for record in log.read(Partition(DEAD, 0))) < 2_000
    assert [what for what in stage.events if what[0] == "skip"] == [("skip", 3), ("skip", 9)]
    assert all(letter.attempts >= 1 for letter in dead)
    assert [record.key for record in log.read(Partition(DEAD, 0))] == [b"in/0/3", b"in/0/9"]


def test_bytes_that_are_no_record_become_a_dead_letter(log: SqliteLog) -> None:
    producer = log.producer()
    producer.send(IN, b"\xff\x00 not json", partition=0)
    producer.send(IN, b"[" * 100_000, partition=0)
    producer.close()
    put(log, ["good"])
    run(log, Echo())
    assert answers(log) == ["good"]
    assert [letter.error for letter in letters(log)] == ["BadRecord", "BadRecord"]


def test_a_dead_letter_names_the_article_it_is_about(log: SqliteLog) -> None:
    for value in (ROOT / "tests/stream/golden/0.1").glob("[aemp]*ed.json"):
        producer = log.producer()
        producer.send(IN, value.read_bytes(), partition=0)
        producer.close()
    run(log, Echo())
    assert [(d.article_id, d.revision) for d in letters(log)] == [("a-1", "r-1")] * 3


def test_the_letter_of_a_record_as_large_as_can_be_is_small(log: SqliteLog) -> None:
    """Anchor 6: a letter too large to be appended would end the stage again and again."""
    value = b'{"id": "%s", "revision": "r"}'
    producer = log.producer()
    producer.send(IN, value % (b"x" * (MAX_RECORD_BYTES - len(value))), partition=0)
    producer.close()
    put(log, ["good"])
    run(log, Echo())
    assert answers(log) == ["good"]
    assert [(d.article_id, d.revision) for d in letters(log)] == [(None, "r")]
    assert max(len(record.value) for record in log.read(Partition(DEAD, 0))) < 2_000


class Broken(Echo):
    """Fails on every record, until it is mended."""

    mended = False

    def answer(self, record: LogRecord) -> Output:
        if not self.mended:
            raise ZeroDivisionError("the model is gone")
        return super().answer(record)


@pytest.mark.parametrize("chunk", [1, 4, 64])
def test_a_stage_on_which_every_record_fails_stops_and_resumes_there(
    log: SqliteLog, chunk: int
) -> None:
    names = [f"n{i}" for i in range(200)]
    put(log, ["good", *names])
    stage = Broken()
    stage.chunk, stage.mended = chunk, True
    loop = Loop(stage, log)
    loop.BATCH = 1
    loop.step()
    stage.mended, loop.BATCH = False, 50
    with pytest.raises(PoisonStorm, match=r"20 records in a row .*in/0/20 \(ZeroDivisionError"):
        drain([loop])
    loop.close()
    assert [letter.offset for letter in letters(log)] == list(range(1, 20))
    assert log.committed("dateline.echo", Partition(IN, 0)) == 20
    for _ in range(3):  # whoever starts it again and again buries no more
        with pytest.raises(PoisonStorm):
            run(log, Broken())
    assert len(letters(log)) == 19
    mended = Broken()
    mended.mended = True
    run(log, mended)
    assert answers(log) == ["good", *names[19:]]
    assert len(letters(log)) == 19


def test_a_storm_is_noticed_record_by_record_and_over_restarts(log: SqliteLog) -> None:
    for number in range(19):
        put(log, [f"n{number}"])
        run(log, Broken())
    assert len(letters(log)) == 19
    put(log, ["n19"])
    with pytest.raises(PoisonStorm, match="in/0/19"):
        run(log, Broken())
    assert len(letters(log)) == 19


def test_bad_records_among_good_ones_are_no_storm(log: SqliteLog) -> None:
    names = [f"n{i}" for i in range(120)]
    bad = [name for i, name in enumerate(names) if i % 20]  # nineteen of twenty
    put(log, names)
    run(log, Picky(BadRecord("no"), *bad))
    assert answers(log) == names[::20]
    assert len(letters(log)) == len(bad)


def test_a_storm_may_be_let_through(log: SqliteLog) -> None:
    names = [f"n{i}" for i in range(60)]
    put(log, names)
    loop = Loop(Broken(), log, dead_in_a_row=0)
    drain([loop])
    loop.close()
    assert len(letters(log)) == 60


def test_a_letter_is_on_the_log_before_the_stage_moves_past_its_record(log: SqliteLog) -> None:
    class Watching(Picky):
        def skip(self, record: LogRecord, error: BaseException) -> None:
            assert [letter.offset for letter in letters(log)] == [record.offset]
            super().skip(record, error)

    put(log, NAMES)
    stage = Watching(BadRecord("no"), "n3")
    run(log, stage)
    assert ("skip", 3) in stage.events


def test_an_output_that_is_too_large_is_a_dead_letter(log: SqliteLog) -> None:
    class Long(Echo):
        def answer(self, record: LogRecord) -> Output:
            answer = super().answer(record)
            if answer.key == "n5":
                return answer._replace(record=ack("x" * MAX_RECORD_BYTES))
            return answer

    put(log, NAMES)
    run(log, Long())
    assert answers(log) == [name for name in NAMES if name != "n5"]
    (letter,) = letters(log)
    assert (letter.offset, letter.error) == (5, "BadRecord")
    assert "over the limit" in letter.message
