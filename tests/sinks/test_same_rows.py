"""The rows are a function of what stands in each lane: not of how batches were cut, nor of which
lane was written first. A rebuild cuts and interleaves otherwise than the run did."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.alerts.policy import AlertPolicy
from sinks.database.stage import DatabaseSink
from store import tables
from store.compare import differences
from store.engine import open_database
from stream.log.contract import LogRecord, Partition
from stream.records import LANES, MATCHED, StoryChange
from tests.sinks.lanes import MadeUpLane
from tests.sinks.world import (
    EVENT,
    OUTLETS,
    Feed,
    created,
    decision,
    history,
    matched,
    on_log,
    rows,
    view,
)

Lanes = list[list[LogRecord]]


class Writer:
    """Writes lanes into a new database each time, cut and interleaved as it is told."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._names = folder, count()
        open_database(folder / "empty.db", upgrade=True).dispose()

    def __call__(self, lanes: Lanes, turns: Sequence[tuple[int, int]]) -> sa.Engine:
        """`turns`: (lane, records); what they leave comes at the end."""
        path = self._folder / f"{next(self._names)}.db"
        shutil.copy(self._folder / "empty.db", path)
        engine = open_database(path)
        sink = DatabaseSink(engine, AlertPolicy(["console"], tells_backfill=True), OUTLETS)
        at = [0] * len(lanes)
        for number in range(len(lanes)):
            sink.start(Partition(MATCHED, number), "log-1")
        for number, size in [*turns, *((n, len(lane)) for n, lane in enumerate(lanes))]:
            batch = lanes[number][at[number] : at[number] + size]
            at[number] += len(batch)
            if batch:
                sink.process(batch)
        return engine


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    return Writer(tmp_path_factory.mktemp("lanes"))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), steps=st.integers(20, 60), longest=st.integers(1, 9))
def test_rows_do_not_depend_on_how_batches_were_cut_or_which_lane_came_first(
    writer: Writer, seed: int, steps: int, longest: int
) -> None:
    lanes, chance = made_up_lanes(seed, steps), Random(seed)
    turns = [(chance.randrange(LANES), chance.randint(1, longest)) for _ in range(2 * steps)]
    one, other = writer(lanes, []), writer(lanes, turns)
    try:
        assert differences(one, other, outbox=True) == []
    finally:
        one.dispose()
        other.dispose()


def made_up_lanes(seed: int, steps: int) -> Lanes:
    chance, lanes = Random(seed), Lanes()
    for number in range(LANES):
        lane = MadeUpLane(chance, number)
        for _ in range(steps):
            lane.step()
        lanes.append(on_log(lane.records, Partition(MATCHED, number)))
    return lanes


def test_an_alert_that_followed_its_article_is_not_overwritten_by_the_next_of_its_story(
    feed: Feed, engine: sa.Engine
) -> None:
    feed(matched("a", "s1", changes=[created("s1")]), matched("b", "s1", decisions=[]))
    split = StoryChange(kind="split", story="s1", into="s9", articles=["a"])
    feed(matched("a", "s9", revision="r2", changes=[split, created("s9", "Apart")]))
    feed(matched("c", "s1", outlet="harbor.example"))
    alerts = {alert["alert_id"]: alert["story_id"] for alert in view(engine, "v_alerts")}
    assert alerts == {f"{EVENT}:s1": "s9", f"{EVENT}:s1:2": "s1"}
    assert [row["id"] for row in rows(engine, tables.outbox)] == [
        f"{EVENT}:s1#1@console", f"{EVENT}:s1:2#1@console"
    ]  # fmt: skip
    members = [(row["alert_id"], row["article_id"]) for row in rows(engine, tables.alert_articles)]
    assert members == [(f"{EVENT}:s1", "a"), (f"{EVENT}:s1:2", "c")]


def test_a_look_back_by_an_older_definition_changes_nothing(feed: Feed, engine: sa.Engine) -> None:
    """A matcher that was paused in its look-back wakes after the next definition was looked back
    with."""
    feed(matched("a", decisions=[]), matched("b", "s2", decisions=[]))
    feed(history("a", version=3))
    stored = rows(engine, tables.matches), rows(engine, tables.alerts)
    feed(history("a", 0.1, version=2), history("b", 0.9, version=2))
    assert (rows(engine, tables.matches), rows(engine, tables.alerts)) == stored


ON_BOTH = [
    [matched("a", "s1", revision="r2", title="As it is today", changes=[created("s1")])],
    [
        matched("x", "s2", changes=[created("s2", "Last week")], outlet="harbor.example"),
        matched("a", "s2", title="As it was", decisions=[decision(), decision("other")]),
        matched(
            "y", "s3", outlet="hangang.example",
            changes=[
                created("s3"), StoryChange(kind="split", story="s2", into="s3", articles=["a"]),
            ],
        ),
    ],
]  # fmt: skip


@pytest.mark.parametrize("first", [0, 1])
def test_an_article_in_both_lanes_is_told_of_in_each(writer: Writer, first: int) -> None:
    """An archive holds it in an older wording than the feeds do."""
    lanes = [on_log(values, Partition(MATCHED, n)) for n, values in enumerate(ON_BOTH)]
    engine, other = writer(lanes, [(first, 9)]), writer(lanes, [(1, 1), (0, 1), (1, 1)])
    assert differences(engine, other) == []
    stored = {row["ref"]: row for row in view(engine, "v_articles")}
    assert (stored["ref-a"]["title"], stored["ref-a"]["story_id"]) == ("As it is today", "s1")
    assert {a["alert_id"]: a["articles"] for a in view(engine, "v_alerts")} == {
        f"{EVENT}:s1": 1, f"{EVENT}:s2": 1, f"{EVENT}:s3": 2, "other:s2": 1,
    }  # fmt: skip
    engine.dispose()
    other.dispose()
