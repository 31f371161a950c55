"""One release older and one newer side by side, as processes on one log, changing places."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from sinks.alerts.policy import AlertPolicy
from sinks.database.stage import DatabaseSink
from store.connection import reading
from store.engine import open_database
from stream import records
from stream.log.contract import Partition, topics
from stream.log.sqlite import SqliteLog
from stream.records import EMBEDDED, MATCHED, PLACED, Matched, Placed
from stream.stage import Loop, drain
from tests.dateline.program import environment
from tests.dateline.release import LATER
from tests.processors.cluster_world import embedded, three_stories
from tests.sinks.world import OUTLETS, view

PATIENCE_S = 60.0
LANE = 0


class Pipeline:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = str(folder / "news.db")
        open_database(self.database, upgrade=True).dispose()
        self.log = SqliteLog(folder / "news.log.db")
        self.log.create_topics(topics(1))
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, stage: str, release: str) -> None:
        """Stop the stage, when it runs, and start it as of that release."""
        self.stop(stage)
        (self.folder / "state").mkdir(exist_ok=True)
        self.running[stage] = subprocess.Popen(
            [sys.executable, "-m", "tests.dateline.release", release,
             str(self.folder / "news.log.db"), self.database, str(self.folder / "state"), stage],
            env=environment(), cwd=Path(__file__).parents[2],
        )  # fmt: skip

    def stop(self, stage: str) -> None:
        if process := self.running.pop(stage, None):
            process.terminate()
            assert process.wait(PATIENCE_S) == 0, f"{stage} ended with an error"

    def put(self, *values: bytes) -> None:
        producer = self.log.producer()
        for value in values:
            producer.send(EMBEDDED, value, partition=LANE)
        producer.close()

    def values(self, topic: str) -> list[bytes]:
        return [record.value for record in self.log.read(Partition(topic, LANE))]

    def wait_for(self, topic: str, count: int) -> None:
        end = time.monotonic() + PATIENCE_S
        while self.log.bounds(Partition(topic, LANE))[1] < count:
            for stage, process in self.running.items():
                assert process.poll() is None, f"{stage} ended"
            assert time.monotonic() < end, f"{topic} never held {count} records"
            time.sleep(0.02)

    def wait_stored(self, count: int) -> None:
        end = time.monotonic() + PATIENCE_S
        partition = Partition(MATCHED, LANE)
        while (self.log.committed("dateline.database", partition) or 0) < count:
            assert time.monotonic() < end, f"the database never had {count} records"
            time.sleep(0.02)

    def close(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()
        self.log.close()


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(tmp_path)
    yield made
    made.close()


def of_the_next_release() -> list[bytes]:
    """Articles and vectors as a newer ingest and embed write them: a field more in each."""
    made = []
    for one in three_stories(rounds=12):
        record = embedded(one)
        article = bytes(record.article)[:-1] + LATER
        record = msgspec.structs.replace(record, article=msgspec.Raw(article))
        made.append(records.encode(record)[:-1] + LATER)
    return made


def test_releases_side_by_side_drop_no_field_and_change_no_result(pipeline: Pipeline) -> None:
    given = of_the_next_release()
    half = len(given) // 2
    pipeline.start("cluster", "older")
    pipeline.start("match", "newer")
    pipeline.start("database", "older")
    pipeline.put(*given[:half])
    pipeline.wait_stored(half)
    # The other way round, with what the other release left behind: log, snapshots, database.
    pipeline.start("database", "newer")
    pipeline.start("match", "older")
    pipeline.start("cluster", "newer")
    pipeline.put(*given[half:])
    pipeline.wait_stored(len(given))

    placed = [records.decode(value, Placed) for value in pipeline.values(PLACED)]
    assert [bytes(one.embedded) for one in placed] == given
    matched = [records.decode(value, Matched) for value in pipeline.values(MATCHED)]
    assert [bytes(one.placed) for one in matched] == pipeline.values(PLACED)
    assert all(LATER[1:-1] in value for value in pipeline.values(PLACED)[half:])
    # It is the same as if there had only ever been one release.
    assert not any(one.considered for one in placed[:half])
    assert any(one.considered for one in placed[half:])
    alone = placed_alone(pipeline.folder / "alone", given)
    assert [(one.story, one.copy_of) for one in placed] == [
        (one.story, one.copy_of) for one in alone
    ]
    one = open_database(pipeline.database)
    rows = view(one, "v_story_articles")
    assert len(view(one, "v_articles")) == len(given)
    assert {row["article_id"]: row["first_story_id"] for row in rows} == {
        records.decode(value, records.Embedded).read_article().id: found.story
        for value, found in zip(given, placed, strict=True)
    }
    assert dead(one) == []
    one.dispose()


def placed_alone(folder: Path, given: list[bytes]) -> list[Placed]:
    from processors.cluster.stage import ClusterStage
    from tests.processors.cluster_world import settings

    folder.mkdir()
    log = SqliteLog(folder / "log.db")
    log.create_topics(topics(1))
    producer = log.producer()
    for value in given:
        producer.send(EMBEDDED, value, partition=LANE)
    producer.close()
    loop = Loop(ClusterStage(settings(), folder), log)
    drain([loop])
    loop.close()
    found = [records.decode(r.value, Placed) for r in log.read(Partition(PLACED, LANE))]
    log.close()
    return found


def dead(engine: sa.Engine) -> list[str]:
    from store.tables import dead as table

    with reading(engine) as connection:
        return list(connection.execute(sa.select(table.c.message)).scalars())


@pytest.mark.parametrize("level", ["the record", "the article within"])
def test_a_newer_major_version_is_a_dead_letter_that_says_what_to_do(
    pipeline: Pipeline, level: str
) -> None:
    """The writer was upgraded over a major version before this reader."""
    before, after = three_stories(rounds=1)[:2]
    given = records.encode(embedded(three_stories(rounds=1)[2]))
    mark = b'"type":"embedded"' if level == "the record" else b'"type":"article"'
    pipeline.put(
        records.encode(embedded(before)),
        given.replace(mark, mark + b',"v":2', 1),
        records.encode(embedded(after)),
    )
    pipeline.start("cluster", "older")
    pipeline.start("match", "older")
    pipeline.wait_for(MATCHED, 2)
    for stage in ("cluster", "match"):
        pipeline.stop(stage)
    engine = open_database(pipeline.database)
    loop = Loop(DatabaseSink(engine, AlertPolicy([]), OUTLETS), pipeline.log)
    drain([loop])
    [message] = dead(engine)
    assert message == (
        "the record has major version 2, this release reads 1; "
        "upgrade this stage before the ones that write to it"
    )
    assert len(view(engine, "v_articles")) == 2
    loop.close()
