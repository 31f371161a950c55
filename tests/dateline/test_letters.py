"""Dead letters: shown with what they point to, appended again once each, whatever happens."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dateline import app, letters, lookup
from dateline.commands import dead
from dateline.config import Settings, load
from store.engine import open_database
from stream.errors import BadRecord, UsageError
from stream.log.contract import LogRecord, Partition, topics
from stream.log.sqlite import SqliteLog, SqliteProducer
from stream.records import MATCHED, PLACED, Placed, decode
from stream.role import Output, Stage
from stream.stage import Loop, drain
from tests.sinks.world import created, matched


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    config = load(None, {"database.url": database_url, "log.url": str(tmp_path / "log.db")}, {})
    open_database(database_url, upgrade=True).dispose()
    return config


@pytest.fixture
def log(settings: Settings) -> Iterator[SqliteLog]:
    opened = SqliteLog(settings.log.url)
    opened.create_topics(topics(1))
    yield opened
    opened.close()


class Match(Stage):
    """Passes placements on; fails on those of some articles until it is mended."""

    name = "match"
    inputs = (PLACED,)

    def __init__(self, *bad: str) -> None:
        self.bad = bad

    def process(self, batch: Sequence[LogRecord]) -> list[Output]:
        made = []
        for record in batch:
            id_ = decode(record.value, Placed).read_embedded().read_article().id
            if id_ in self.bad:
                raise BadRecord(f"cannot decide about {id_}")
            made.append(Output(MATCHED, matched(id_, changes=[created("s1")]), partition=0))
        return made


def through(settings: Settings, log: SqliteLog, *bad: str) -> None:
    sink = app.make_stage("database", settings, deliver=False)
    loops = [Loop(Match(*bad), log), Loop(sink, log)]
    try:
        drain(loops)
    finally:
        for loop in loops:
            loop.close()


def put(log: SqliteLog, *ids: str) -> None:
    producer = log.producer()
    for id_ in ids:
        producer.send(PLACED, bytes(matched(id_).placed), key=id_.encode(), partition=0)
    producer.close()


def placed(log: SqliteLog) -> list[str]:
    return [record.key.decode() for record in log.read(Partition(PLACED, 0)) if record.key]


def stored(settings: Settings) -> list[str]:
    return [row["article_id"] for row in lookup.rows(settings, "SELECT * FROM v_articles")]


def test_a_letter_shows_its_record_and_is_stored_after_its_replay(
    settings: Settings, log: SqliteLog
) -> None:
    put(log, "a", "b", "c")
    through(settings, log, "b")
    (letter,) = letters.listing(settings)
    assert letter["letter"] == "match:dateline.placed/0/1"
    shown = letters.show(settings, letter["letter"])
    assert (shown["error"], shown["article_id"], shown["stored"]) == ("BadRecord", "b", False)
    assert shown["record"]["embedded"]["article"]["id"] == "b"
    fates = "SELECT stage, fate, count FROM v_fates WHERE count > 0 ORDER BY 1"
    assert {"stage": "match", "fate": "dead", "count": 1} in lookup.rows(settings, fates)

    done = letters.replay(settings)
    assert done == letters.Replayed(["match:dateline.placed/0/1"], [])
    through(settings, log)
    assert sorted(stored(settings)) == ["a", "b", "c"]
    assert letters.listing(settings) == []
    (kept,) = letters.listing(settings, every=True)
    assert kept["state"] == "replayed"
    assert letters.show(settings, kept["letter"])["stored"] is True
    assert [row["fate"] for row in lookup.rows(settings, fates)] == ["stored"], "one fate each"


def test_replaying_twice_appends_once(settings: Settings, log: SqliteLog) -> None:
    put(log, "a", "b", "c")
    through(settings, log, "a", "b")
    assert len(letters.replay(settings).appended) == 2
    assert letters.replay(settings) == letters.Replayed([], [])
    assert placed(log) == ["a", "b", "c", "a", "b"]


def test_a_record_that_fails_again_is_a_letter_again(settings: Settings, log: SqliteLog) -> None:
    put(log, "a")
    through(settings, log, "a")
    letters.replay(settings)
    through(settings, log, "a")
    assert [one["log_offset"] for one in letters.listing(settings)] == [1]


def test_one_letter_or_one_stage_may_be_chosen(settings: Settings, log: SqliteLog) -> None:
    put(log, "a", "b")
    through(settings, log, "a", "b")
    letters.replay(settings, ["match:dateline.placed/0/1"])
    assert placed(log) == ["a", "b", "b"]
    assert letters.replay(settings, stage="embed").appended == []
    assert len(letters.replay(settings, stage="match").appended) == 1
    with pytest.raises(UsageError, match=r"there is no dead letter match:dateline.placed/0/9"):
        letters.replay(settings, ["match:dateline.placed/0/9"])
    with pytest.raises(UsageError, match="expected a letter such as"):
        letters.show(settings, "b")


def test_a_record_that_the_log_dropped_is_told_and_stays_dead(
    settings: Settings, log: SqliteLog
) -> None:
    from datetime import UTC, datetime, timedelta

    put(log, "a")
    through(settings, log, "a")
    log.prune(datetime.now(UTC) + timedelta(days=41))
    assert letters.replay(settings) == letters.Replayed([], ["match:dateline.placed/0/0"])
    assert [one["state"] for one in letters.listing(settings)] == ["dead"]
    assert letters.show(settings, "match:dateline.placed/0/0")["record"] is None


def _killed_after_appending(settings: Settings) -> None:
    flush = SqliteProducer.flush

    def then_die(self: SqliteProducer) -> None:
        flush(self)
        os.kill(os.getpid(), signal.SIGKILL)

    SqliteProducer.flush = then_die  # type: ignore[method-assign]
    letters.replay(settings)


def _replay(settings: Settings, together: object) -> None:
    together.wait()  # type: ignore[attr-defined]
    letters.replay(settings)


def test_a_replay_that_was_killed_goes_on_without_appending_twice(
    settings: Settings, log: SqliteLog
) -> None:
    put(log, "a", "b")
    through(settings, log, "a", "b")
    process = multiprocessing.get_context("spawn").Process(
        target=_killed_after_appending, args=(settings,)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert placed(log) == ["a", "b", "a", "b"]
    assert [one["state"] for one in letters.listing(settings)] == ["replaying"] * 2
    assert letters.replay(settings).appended == []
    assert placed(log) == ["a", "b", "a", "b"]
    assert letters.listing(settings) == []


def test_two_that_replay_at_once_append_once(settings: Settings, log: SqliteLog) -> None:
    ids = [f"a{n}" for n in range(15)]
    put(log, *ids)
    through(settings, log, *ids)
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(2)
    processes = [context.Process(target=_replay, args=(settings, together)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(placed(log)) == sorted(ids * 2)


def test_what_the_commands_say(log: SqliteLog, settings: Settings) -> None:
    put(log, "a")
    through(settings, log, "a")
    database = ("--db", settings.database.url)

    def say(*arguments: str) -> str:
        return CliRunner().invoke(dead.app, [*arguments]).stdout

    listed = json.loads(say("list", *database, "--json"))
    assert [one["letter"] for one in listed] == ["match:dateline.placed/0/0"]
    both = (*database, "--log", settings.log.url)
    assert "cannot decide about a" in say("show", "match:dateline.placed/0/0", *both)
    assert "Appended 1 records again." in say("replay", *both)
    assert "No dead letters." in say("list", *database)
