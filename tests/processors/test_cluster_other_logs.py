"""The log that the stage finds holds less, or other records, than its snapshot was made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from processors.cluster.stage import ClusterStage
from store import backup
from stream.errors import LogChanged, Unavailable
from stream.log.contract import Partition, topics
from stream.log.sqlite import SqliteLog
from stream.records import EMBEDDED, PLACED, Article, Placed, decode, encode
from stream.stage import Loop, drain
from tests.processors.cluster_world import LANE, embedded, settings, three_stories

KEPT_DAYS = 41  # a day more than the topics of articles are kept
TOLD = three_stories(4)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    made = SqliteLog(tmp_path / "log.db")
    made.create_topics(topics(1))
    yield made
    made.close()


def put(log: SqliteLog, told: Sequence[Article]) -> None:
    producer = log.producer()
    for one in told:
        producer.send(EMBEDDED, encode(embedded(one)), key=one.id.encode(), partition=0)
    producer.close()


def run(log: SqliteLog, folder: Path | None) -> list[str]:
    """One life of the stage; what it was refused."""
    loop = Loop(ClusterStage(settings(snapshot_every=1), folder, log), log)
    with capture_logs() as said:
        try:
            drain([loop])
        finally:
            loop.close()
    return [line["reason"] for line in said if line["event"] == "cluster.snapshot_refused"]


def placed(log: SqliteLog) -> list[str]:
    return [record.key.decode() for record in log.read(LANE._replace(topic=PLACED)) if record.key]


@pytest.mark.parametrize("grown", [0, 6], ids=["as it was restored", "grown since"])
def test_a_snapshot_newer_than_a_restored_log_is_refused(tmp_path: Path, grown: int) -> None:
    state, path = tmp_path / "state", tmp_path / "log.db"
    log = SqliteLog(path)
    log.create_topics(topics(1))
    put(log, TOLD[:4])
    run(log, state)
    backup.copy(path, tmp_path / "copy")
    put(log, TOLD[4:7])
    run(log, state)  # two snapshots are kept, the older one may be of the restored log
    log.close()
    for file in tmp_path.glob("log.db*"):
        if file.is_file():
            file.unlink()
    backup.put_back(tmp_path / "copy", path)
    log = SqliteLog(path)
    put(log, TOLD[6 : 6 + grown])  # others now stand where the lost ones stood
    refused = run(log, state)
    assert refused, "the newest is of records that are gone"
    assert all("restored from an older copy" in reason for reason in refused)
    told = [*TOLD[:4], *TOLD[6 : 6 + grown]]
    assert placed(log) == [one.id for one in told], "each once, in the order of the log"
    log.close()
    # And they stand where they would, had the log never been another one.
    plain = SqliteLog(tmp_path / "plain.db")
    plain.create_topics(topics(1))
    put(plain, told)
    run(plain, None)
    assert stories(tmp_path / "log.db") == stories(tmp_path / "plain.db")
    plain.close()


def stories(path: Path) -> list[str]:
    log = SqliteLog(path)
    found = [decode(record.value, Placed).story for record in log.read(LANE._replace(topic=PLACED))]
    log.close()
    return found


def test_without_a_snapshot_it_begins_where_the_log_does(log: SqliteLog, tmp_path: Path) -> None:
    """After an upgrade with other rules, no snapshot serves; the oldest records are long gone."""
    put(log, TOLD[:4])
    run(log, None)
    log.prune(datetime.now(UTC) + timedelta(days=KEPT_DAYS))
    put(log, TOLD[4:8])
    run(log, None)
    assert placed(log) == [one.id for one in TOLD[4:8]], "the others' placements are gone, too"


def test_records_that_were_dropped_unread_are_left_out_only_on_purpose(
    log: SqliteLog, tmp_path: Path
) -> None:
    put(log, TOLD[:2])
    run(log, tmp_path)
    put(log, TOLD[2:4])
    log.prune(datetime.now(UTC) + timedelta(days=KEPT_DAYS))
    put(log, TOLD[4:6])
    with pytest.raises(LogChanged, match=r"2 records were dropped .*reset cluster --to start"):
        run(log, tmp_path)
    log.set_committed("dateline.cluster", {LANE: 4})  # what the command does
    run(log, tmp_path)
    assert placed(log) == [one.id for one in TOLD[4:6]]


def test_with_a_snapshot_only_the_placements_that_it_does_not_hold_are_read_again(
    log: SqliteLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading all of them takes minutes once a million articles were placed."""
    put(log, TOLD[:6])
    run(log, None)  # nobody keeps a snapshot
    heir = Loop(ClusterStage(settings(snapshot_every=1), tmp_path, log), log)
    log.set_committed(heir.group, {LANE: 0})  # so that it takes all of it over
    heir.BATCH = 2
    while heir.behind() > 2:
        heir.step()
    heir.close()  # its snapshot is of four; the placements of two more stand on the log
    begun: list[int] = []
    read = SqliteLog.read

    def watched(self: SqliteLog, partition: Partition, start: int = 0, end: int | None = None):  # type: ignore[no-untyped-def]
        if partition == LANE._replace(topic=PLACED):
            begun.append(start)
        return read(self, partition, start, end)

    put(log, TOLD[6:8])
    monkeypatch.setattr(SqliteLog, "read", watched)
    run(log, tmp_path)
    run(log, tmp_path)
    assert begun == [4, 8]
    assert placed(log) == [one.id for one in TOLD[:8]], "each once"


def test_a_lane_is_given_up_without_asking_a_log_that_is_away(
    log: SqliteLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(log, TOLD[:3])
    stage = ClusterStage(settings(snapshot_every=100), tmp_path, log)
    stage.start(LANE, log.log_id(EMBEDDED))
    for record in log.read(LANE):
        stage.process([record])
    stage.committed({LANE: 3})

    def away(*_: object) -> None:
        raise Unavailable("the broker does not answer")

    for name in ("bounds", "read", "committed"):
        monkeypatch.setattr(SqliteLog, name, away)
    stage.close()
    monkeypatch.undo()
    assert ClusterStage(settings(), tmp_path, log).start(LANE, log.log_id(EMBEDDED)) == 3
