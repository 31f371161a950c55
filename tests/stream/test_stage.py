"""The loop that every stage runs in, on the SQLite log with small real stages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from stream import batch
from stream.errors import (
    BadRecord,
    DatelineError,
    LogChanged,
    PartitionsLost,
    PoisonStorm,
    Unavailable,
    UsageError,
)
from stream.log.contract import LogRecord, Partition
from stream.log.sqlite import SqliteLog
from stream.log.sqlite_group import SqliteConsumer
from stream.records import DEAD, MAX_RECORD_BYTES, AlertAck, Dead, Verdict, decode, encode
from stream.stage import Loop, Output, Stage, drain
from tests.conftest import ROOT
from tests.stream.stages import IN, OUT, TABLE, TOPICS, Echo, Restoring, WithTable, ack


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    opened = SqliteLog(tmp_path / "log.db")
    opened.create_topics(TOPICS)
    yield opened
    opened.close()


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


NAMES = [f"n{i}" for i in range(10)]


# -- the way through ------------------------------------------------------------------------------


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


def leave_behind(loop: Loop) -> None:
    """What the system does to a killed process: its descriptors, and so its locks, are gone."""
    assert isinstance(loop._consumer, SqliteConsumer)
    for descriptor in loop._consumer._locks.values():
        os.close(descriptor)


class Killed(BaseException):
    """As sudden as a kill: nothing in the loop may handle it."""


@pytest.mark.parametrize("where", ["process", "_produce", "flushed", "commit", "committed"])
def test_nothing_is_lost_whenever_it_dies(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    put(log, NAMES)
    stage = Echo()
    loop = Loop(stage, log)

    def die(*_: object) -> None:
        raise Killed

    if where in ("process", "committed"):
        monkeypatch.setattr(stage, where, die)
    elif where == "_produce":
        monkeypatch.setattr(loop, where, die)
    else:
        loop.step()  # connects, and handles the first batch
        put(log, ["late"])
        if where == "flushed":
            produce = loop._produce
            monkeypatch.setattr(loop, "_produce", lambda outputs: (produce(outputs), die()))
        else:
            monkeypatch.setattr(loop._consumer, "commit", die)
    with pytest.raises(Killed):
        loop.step()
    leave_behind(loop)
    run(log, Echo())
    expected = NAMES + (["late"] if where in ("flushed", "commit") else [])
    assert sorted(set(answers(log))) == sorted(expected)
    assert len(answers(log)) <= 2 * len(expected)
    assert [n for i, n in enumerate(answers(log)) if n not in answers(log)[:i]] == expected


def test_sigterm_finishes_the_batch_and_commits(log: SqliteLog, tmp_path: Path) -> None:
    put(log, NAMES)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.stream.stages", str(tmp_path / "log.db")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "ended\n"), err
    assert answers(log) == NAMES
    assert log.committed("dateline.echo", Partition(IN, 0)) == 10


def test_kill_9_in_a_batch_loses_nothing(log: SqliteLog, tmp_path: Path) -> None:
    put(log, NAMES)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.stream.stages", str(tmp_path / "log.db")],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    process.kill()
    process.wait()
    run(log, Echo())
    assert answers(log) == NAMES


# -- records that fail ----------------------------------------------------------------------------


class Picky(Echo):
    """Fails on some records; a clean stage otherwise."""

    def __init__(self, error: Exception, *names: str) -> None:
        super().__init__()
        self.error, self.names = error, names

    def answer(self, record: LogRecord) -> Output:
        if decode(record.value, AlertAck).alert_id in self.names:
            raise self.error
        return super().answer(record)


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


# -- rounds that take long ------------------------------------------------------------------------


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


# -- dependencies that fail -----------------------------------------------------------------------


def live(loop: Loop, until: Callable[[], bool]) -> None:
    """Run the loop in a thread, as `dateline run` does, until something holds."""
    stop = threading.Event()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            loop.run(stop)
        except DatelineError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while not until() and thread.is_alive():
        thread.join(0.01)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("error", [Unavailable("the database is away"), PartitionsLost("taken")])
def test_a_dependency_that_is_away_is_waited_for(log: SqliteLog, error: DatelineError) -> None:
    class Retrying(Echo):
        failures = 3

        def process(self, batch: Sequence[LogRecord]) -> list[Output]:
            if self.failures:
                self.failures -= 1
                raise error
            return super().process(batch)

    put(log, NAMES)
    stage = Retrying()
    loop = Loop(stage, log)
    loop.BACKOFF_S = (0.001, 0.004)
    live(loop, lambda: len(answers(log)) == len(NAMES))
    assert answers(log) == NAMES
    assert letters(log) == []
    starts = [what for what, _ in stage.events if what in ("start", "lost")]
    assert starts == ["start", "start", "lost", "lost"] * 4, "joined anew after each failure"
    assert loop.metrics.last_error is None


@pytest.mark.parametrize("error", [LogChanged("made again"), UsageError("wrong file")])
def test_other_deliberate_errors_end_the_stage(log: SqliteLog, error: DatelineError) -> None:
    put(log, NAMES)
    loop = Loop(Picky(error, "n4"), log)
    with pytest.raises(type(error), match=str(error)):
        live(loop, lambda: False)
    assert loop.metrics.last_error == str(error)
    assert letters(log) == []
    assert log.committed("dateline.echo", Partition(IN, 0)) is None


def test_a_position_beyond_the_log_ends_the_stage(log: SqliteLog) -> None:
    class Ahead(Echo):
        def start(self, partition: Partition, log_id: str) -> int | None:
            return 99

    with pytest.raises(LogChanged, match="goes on at 99"):
        live(Loop(Ahead(), log), lambda: False)


def test_a_batch_whose_partitions_were_lost_is_not_committed(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(log, NAMES)
    stage = Echo()
    loop = Loop(stage, log)
    loop._connect()
    assert loop._consumer is not None

    def lost(_: object) -> None:
        raise PartitionsLost("another member has them")

    monkeypatch.setattr(loop._consumer, "commit", lost)
    assert loop.step() == 10
    assert log.committed("dateline.echo", Partition(IN, 0)) is None
    assert not [what for what, _ in stage.events if what == "committed"]
    loop.close()
    run(log, Echo())
    assert answers(log) == NAMES * 2, "its new owner does it again; duplicates are recognised later"


# -- tables, looking back, restoring --------------------------------------------------------------


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


# -- draining -------------------------------------------------------------------------------------


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


def test_draining_ends_when_nothing_waits_for_any_stage(log: SqliteLog) -> None:
    put(log, NAMES)
    rounds: list[int] = []
    first, last = WithTable(), Next()
    loops = [Loop(first, log), Loop(last, log)]
    # Ten records, their ten answers, ten changes of the table, and an answer to each of those.
    assert drain(loops, on_round=lambda: rounds.append(1)) == 40
    assert len(rounds) > 1
    assert sorted(first.known) == NAMES
    assert [loop.behind() for loop in loops] == [0, 0]
    for loop in loops:
        loop.close()


def test_draining_waits_for_records_that_another_member_holds_back(log: SqliteLog) -> None:
    put(log, NAMES)
    holder = log.consumer("dateline.echo", [IN])
    holder.poll(1, 0.0)
    loop = Loop(Echo(), log)
    assert loop.step(wait=0.0) == 0
    assert (loop.lag(), loop.behind()) == (0, 10), "nothing is ours, but the group is behind"
    holder.close()
    assert drain([loop]) == 10
    loop.close()
