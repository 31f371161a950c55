"""What a stage depends on is away, or says that it must end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

import pytest

from stream.errors import DatelineError, LogChanged, PartitionsLost, Unavailable, UsageError
from stream.log.contract import LogRecord, Partition
from stream.log.sqlite import SqliteLog
from stream.stage import Loop, Output
from tests.stream.stage.life import NAMES, answers, letters, put, run
from tests.stream.stages import IN, Echo, Picky


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


def test_pauses_grow_while_a_dependency_stays_away_and_start_small_again(log: SqliteLog) -> None:
    class Away(Echo):
        failures = 5

        def process(self, batch: Sequence[LogRecord]) -> list[Output]:
            if self.failures:
                self.failures -= 1
                raise Unavailable("the database is away")
            return super().process(batch)

        def committed(self, next_offsets: Mapping[Partition, int]) -> None:
            super().committed(next_offsets)
            self.failures = 1  # and once more, later
            put(log, ["more"]) if len(pauses) < 6 else stop.set()

    class Noting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            return super().wait(0)

    pauses: list[float] = []
    stop = Noting()
    put(log, NAMES)
    loop = Loop(Away(), log)
    loop.BACKOFF_S = (1.0, 8.0)
    loop.run(stop)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 1.0]


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
