"""Draining ends when nothing waits for any of the stages."""

from __future__ import annotations

from stream.log.sqlite import SqliteLog
from stream.stage import Loop, drain
from tests.stream.stage.life import NAMES, put
from tests.stream.stages import IN, Echo, Next, WithTable


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
