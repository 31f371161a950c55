"""The database sink's position: one owner writes, once, and only to the log that it began with."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from sinks.alerts.policy import AlertPolicy
from sinks.database.stage import DatabaseSink
from store.compare import derived_rows
from store.tables import positions
from stream.errors import LogChanged, PartitionsLost
from stream.log.contract import topics
from stream.log.sqlite import SqliteLog
from tests.sinks.world import LANE, OUTLETS, Feed, matched, view


@pytest.mark.parametrize("before", [0, 1], ids=["first batch", "later batch"])
def test_a_paused_owner_that_wakes_changes_nothing(engine: sa.Engine, before: int) -> None:
    one, two = Feed(engine), DatabaseSink(engine, AlertPolicy(), OUTLETS)
    for n in range(before):
        one(matched(f"earlier{n}"))
    batch = one.made(matched("a"), matched("b"))
    one.sink.start(LANE, "log-1")
    two.start(LANE, "log-1")
    two.process(batch)
    stored = derived_rows(engine)
    with pytest.raises(PartitionsLost, match="another process"):
        one.sink.process(batch)
    assert derived_rows(engine) == stored
    assert one.sink.start(LANE, "log-1") == before + 2, "it joins again where the other is"


def test_an_owner_from_before_the_database_went_to_another_log_changes_nothing(
    engine: sa.Engine,
) -> None:
    feed = Feed(engine)
    feed(matched("a"))
    with engine.begin() as connection:
        connection.execute(positions.update().values(log_id="log-2"))
    stored = derived_rows(engine)
    with pytest.raises(PartitionsLost, match="another process"):
        feed.sink.process(feed.made(matched("b")))
    assert derived_rows(engine) == stored


def test_an_owner_that_has_lost_its_partition_writes_nothing(feed: Feed) -> None:
    batch = feed.made(matched("a"))
    feed.sink.start(LANE, "log-1")
    feed.sink.lost(LANE)
    with pytest.raises(PartitionsLost):
        feed.sink.process(batch)


def test_only_one_of_many_stores_a_batch(engine: sa.Engine) -> None:
    feed = Feed(engine)
    batch = feed.made(*[matched(f"a{n}") for n in range(5)])
    sinks = [DatabaseSink(engine, AlertPolicy(["console"]), OUTLETS) for _ in range(4)]
    for sink in sinks:
        sink.start(LANE, "log-1")
    outcomes: list[str] = []

    def work(sink: DatabaseSink) -> None:
        try:
            sink.process(batch)
            outcomes.append("stored")
        except PartitionsLost:
            outcomes.append("lost")

    threads = [threading.Thread(target=work, args=(sink,)) for sink in sinks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost", "lost", "lost", "stored"]
    assert len(view(engine, "v_articles")) == 5


def test_records_below_the_position_are_passed_over(feed: Feed, engine: sa.Engine) -> None:
    first, *_ = feed(matched("a"), matched("b"))
    stored = derived_rows(engine)
    feed.sink.process([first])
    assert derived_rows(engine) == stored
    with engine.connect() as connection:
        assert connection.execute(sa.select(positions.c.next)).scalar() == 2, "nor goes it back"


def test_a_recreated_or_shortened_log_stops_the_stage(engine: sa.Engine, tmp_path: Path) -> None:
    feed = Feed(engine)
    feed(matched("a"), matched("b"))
    with pytest.raises(LogChanged, match="deleted and made again"):
        feed.sink.start(LANE, "log-2")
    log = SqliteLog(tmp_path / "log.db")
    log.create_topics(topics(1))
    with pytest.raises(LogChanged, match="ends at 0"):
        DatabaseSink(engine, AlertPolicy(), OUTLETS, log).start(LANE, "log-1")
    log.close()
