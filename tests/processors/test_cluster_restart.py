"""Batches, crashes and snapshots: the log goes on exactly as if nothing had happened."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from msgspec import structs

from processors.cluster import kept, snapshot
from processors.cluster.lane import Lane
from processors.cluster.stage import ClusterStage
from stream.errors import BadRecord
from stream.log.contract import LogRecord, Partition, topics
from stream.log.sqlite import SqliteLog
from stream.records import EMBEDDED, PLACED, Article, Placed, decode, encode
from stream.stage import Loop, drain
from tests.processors.cluster_world import (
    LANE,
    START,
    article,
    embedded,
    record,
    records,
    settings,
    stage,
    three_stories,
)


def busy_stream() -> list[Article]:
    """Stories, copies, revisions, redeliveries and a gap that closes everything."""
    told = three_stories(5)
    copy = structs.replace(told[0], id="copy", outlet="other.example")
    edited = structs.replace(told[1], revision="r2", text=told[1].text + " Corrected.")
    reused = structs.replace(told[3], revision="r2", title=told[5].title, text=told[5].text)
    later = [
        structs.replace(one, id=f"late-{one.id}", fetched=when, published=when)
        for one in three_stories(2)
        for when in [article(0, "", hours=24 * 20).fetched]
    ]
    return [*told[:7], copy, told[2], edited, *told[7:12], reused, told[0], *told[12:], *later]


def written(on: ClusterStage, given: list[LogRecord], size: int) -> list[bytes]:
    return [
        encode(output.record)
        for start in range(0, len(given), size)
        for output in on.process(given[start : start + size])
    ]


def as_log(values: list[bytes], first: int = 0) -> list[LogRecord]:
    return [LogRecord(PLACED, 0, first + i, b"", v, {}, START) for i, v in enumerate(values)]


EXPECTED = written(stage(), records(busy_stream()), 1)


def test_the_stream_of_these_tests_has_every_kind_of_change() -> None:
    found = [decode(value, Placed) for value in EXPECTED]
    kinds = {change.kind for one in found for change in one.changes}
    assert kinds >= {"created", "split", "closed"}
    assert any(one.copy_of for one in found)
    assert len(found) == len(busy_stream()) - 2  # two redeliveries


@pytest.mark.parametrize("size", [1, 7, 256])
def test_placements_do_not_depend_on_the_batch_size(size: int) -> None:
    assert written(stage(), records(busy_stream()), size) == EXPECTED


@pytest.mark.parametrize("keeps_snapshots", [True, False])
def test_killed_after_any_record_the_log_goes_on_exactly(
    tmp_path: Path, keeps_snapshots: bool
) -> None:
    given = records(busy_stream())
    for killed_at in range(len(given)):
        folder = tmp_path / str(killed_at) if keeps_snapshots else None
        log: list[bytes] = []
        on = stage(folder, snapshot_every=4)
        for one in given[:killed_at]:
            log += written(on, [one], 1)
            on.committed({LANE: one.offset + 1})
        # The record in hand was produced, the commit and the snapshot were not made.
        log += written(on, given[killed_at : killed_at + 1], 1)
        again = ClusterStage(settings(snapshot_every=4), folder)
        start = again.start(LANE, "log-1")
        again.restore(LANE, iter(as_log(log)))
        assert start == (killed_at // 4 * 4 if keeps_snapshots else 0)
        log += written(again, given[start:], 7)
        assert log == EXPECTED


def test_a_lost_output_is_decided_again_and_the_logged_ones_are_not() -> None:
    given = records(busy_stream())
    on = stage()
    on.restore(LANE, iter(as_log([*EXPECTED[:4], *EXPECTED[5:9]])))
    assert written(on, given, 1) == [EXPECTED[4], *EXPECTED[9:]]


def test_logged_placements_are_facts_even_against_the_rules() -> None:
    given = records(three_stories(4))
    facts = [
        encode(structs.replace(decode(value, Placed), story="s-elsewhere", changes=[]))
        for value in written(stage(), given[:6], 1)
    ]
    on = stage()
    on.restore(LANE, iter(as_log(facts)))
    rest = [decode(value, Placed) for value in written(on, given, 1)]
    assert [one.source_offset for one in rest] == list(range(6, 12))
    assert rest[0].story == "s-elsewhere"


def test_placements_of_other_articles_at_the_same_offsets_are_no_facts() -> None:
    given = records(three_stories(2))
    facts = [
        LogRecord(PLACED, 0, n, b"another", value, {}, START)
        for n, value in enumerate(written(stage(), given, 1))
    ]
    on = stage()
    on.restore(LANE, iter(facts))
    assert written(on, given, 1) == [one.value for one in facts]


def test_sources_whose_placements_are_no_longer_kept_are_not_placed_anew() -> None:
    given = records(busy_stream())
    on = stage()
    on.restore(LANE, iter(as_log(EXPECTED[5:], first=5)))  # the log begins at offset 5
    assert written(on, given, 1) == []


def test_a_placement_that_stands_twice_on_the_log_counts_once() -> None:
    given = records(busy_stream())
    on = stage()
    on.restore(LANE, iter(as_log([one for value in EXPECTED[:9] for one in (value, value)])))
    assert written(on, given, 1) == EXPECTED[9:]


def test_the_first_of_two_placements_is_the_fact() -> None:
    """As everybody behind takes it: the second came from an owner that was paused."""
    given = records(busy_stream())
    late = [encode(structs.replace(decode(one, Placed), story="late")) for one in EXPECTED[:9]]
    on = stage()
    on.restore(LANE, iter(as_log([*EXPECTED[:9], *late])))
    assert written(on, given, 1) == EXPECTED[9:]


def test_a_snapshot_keeps_the_state_to_the_last_bit(tmp_path: Path) -> None:
    given = records(busy_stream())
    on = stage(tmp_path, snapshot_every=10)
    written(on, given[:20], 1)
    on.committed({LANE: 20})
    [path] = snapshot.found(tmp_path, 0)
    loaded = stage(tmp_path)
    first, second = on._lanes[0], loaded._lanes[0]
    assert loaded._lanes[0].next == 20
    assert [kept.encode(part) for part in snapshot.parts(first)] == [
        kept.encode(part) for part in snapshot.parts(second)
    ]
    for lane in (first, second):
        assert [story.newest for story in lane.shelf.stories.values()]  # all awake
    assert [kept.encode(part) for part in snapshot.parts(first)] == [
        kept.encode(part) for part in snapshot.parts(second)
    ]
    assert b"pickle" not in path.read_bytes()


def test_only_the_newest_two_snapshots_are_kept(tmp_path: Path) -> None:
    on = stage(tmp_path, snapshot_every=2)
    for one in records(three_stories(3)):
        on.process([one])
        on.committed({LANE: one.offset + 1})
    assert [int(path.stem.split("-")[2]) for path in snapshot.found(tmp_path, 0)] == [8, 6]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "foreign", "head", "older format"])
def test_a_damaged_snapshot_is_refused_and_the_older_one_used(tmp_path: Path, damage: str) -> None:
    given = records(busy_stream())
    on = stage(tmp_path, snapshot_every=4)
    for one in given[:8]:
        on.process([one])
        on.committed({LANE: one.offset + 1})
    newest = next(iter(snapshot.found(tmp_path, 0)))
    data = newest.read_bytes()
    changed = {
        "flip": data[:-100] + bytes([data[-100] ^ 1]) + data[-99:],
        "truncate": data[: len(data) // 2],
        "empty": b"",
        "foreign": b"\x80\x04\x95pickle",
        "head": data[: len(snapshot.MAGIC) + 4] + b"\xc1" + data[len(snapshot.MAGIC) + 5 :],
        "older format": data.replace(
            b"\xa6format%c" % snapshot.FORMAT, b"\xa6format%c" % (snapshot.FORMAT - 1)
        ),
    }[damage]
    assert changed != data
    newest.write_bytes(changed)
    again = ClusterStage(settings(), tmp_path)
    assert again.start(LANE, "log-1") == 4
    again.restore(LANE, iter(as_log(EXPECTED[:8])))
    assert written(again, given[4:], 256) == EXPECTED[8:]


@pytest.mark.parametrize("other", ["log", "settings", "lane"])
def test_a_snapshot_of_something_else_is_not_used(tmp_path: Path, other: str) -> None:
    on = stage(tmp_path, snapshot_every=1)
    on.process(records(three_stories(1)))
    on.committed({LANE: 3})
    assert ClusterStage(settings(), tmp_path).start(LANE, "log-1") == 3
    again = ClusterStage(settings(quiet_days=3 if other == "settings" else 7), tmp_path)
    lane = Partition(EMBEDDED, 1) if other == "lane" else LANE
    assert again.start(lane, "log-2" if other == "log" else "log-1") == 0


def test_a_snapshot_of_a_newer_release_is_left_and_read_by_that_release_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(snapshot, "FORMAT", snapshot.FORMAT + 1)
        on = stage(tmp_path, snapshot_every=1)
        on.process(records(three_stories(1)))
        on.committed({LANE: 3})
        assert ClusterStage(settings(), tmp_path).start(LANE, "log-1") == 3
    assert ClusterStage(settings(), tmp_path).start(LANE, "log-1") == 0
    with monkeypatch.context() as newer:
        newer.setattr(snapshot, "FORMAT", snapshot.FORMAT + 1)
        assert ClusterStage(settings(), tmp_path).start(LANE, "log-1") == 3


def test_no_snapshot_is_written_of_what_is_not_durable(tmp_path: Path) -> None:
    on = stage(tmp_path, snapshot_every=1)
    on.process(records(three_stories(1)))
    on.lost(LANE)  # killed between producing and committing
    assert list(snapshot.found(tmp_path, 0)) == []


def test_a_clean_end_leaves_a_snapshot(tmp_path: Path) -> None:
    on = stage(tmp_path)
    on.process(records(three_stories(1)))
    on.committed({LANE: 3})
    on.close()
    assert ClusterStage(settings(), tmp_path).start(LANE, "log-1") == 3


def test_a_full_disk_does_not_stop_the_stage(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    on = stage(file / "folder", snapshot_every=1)
    on.process(records(three_stories(1)))
    on.committed({LANE: 3})
    assert len(on.process([record(article(40, "Fair opens"), 3)])) == 1


def test_a_disk_that_fills_while_a_snapshot_is_written_keeps_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = stage(tmp_path, snapshot_every=1)
    on.process(records(three_stories(1)))
    on.committed({LANE: 3})
    whole = list(tmp_path.iterdir())

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    on.process([record(article(40, "Fair opens"), 3)])
    on.committed({LANE: 4})
    assert list(tmp_path.iterdir()) == whole
    assert ClusterStage(settings(), tmp_path).start(LANE, "log-1") == 3


def test_what_was_killed_while_writing_a_snapshot_leaves_no_file_for_ever(tmp_path: Path) -> None:
    left = tmp_path / "cluster-0-00000000000000000002.4711.new"
    left.write_bytes(b"half of it")
    other = tmp_path / "cluster-1-00000000000000000002.4711.new"  # of the other lane's owner
    other.write_bytes(b"in work")
    on = stage(tmp_path, snapshot_every=1)
    on.process(records(three_stories(1)))
    on.committed({LANE: 3})
    assert not left.exists()
    assert other.exists()


def test_a_snapshot_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync
    synced = list[list[Path]]()

    def noted(descriptor: int) -> None:
        synced.append(list(snapshot.found(tmp_path, 0)))
        assert os.fstat(descriptor).st_size > 0
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    on = stage(tmp_path, snapshot_every=1)
    on.process(records(three_stories(1)))
    on.committed({LANE: 3})
    assert synced == [[]]


def test_an_unreadable_snapshot_leaves_the_lane_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "cluster-0-1.snapshot"
    path.mkdir()
    lane = Lane(0, settings(), lambda model: pytest.fail(model))
    with pytest.raises(snapshot.Refused, match="cannot be read"):
        snapshot.load(path, lane, "engine", "log")
    assert lane.next == 0


def test_the_loop_on_a_real_log_restarts_in_the_middle(tmp_path: Path) -> None:
    given = busy_stream()

    def run(folder: Path | None, stop_after: int | None) -> None:
        log = SqliteLog(tmp_path / "log.db")
        loop = Loop(ClusterStage(settings(snapshot_every=3), folder), log)
        if stop_after is None:
            drain([loop])
        loop.close()
        log.close()

    log = SqliteLog(tmp_path / "log.db")
    log.create_topics(topics(1))
    producer = log.producer()
    for part in (given[:9], given[9:15], given[15:]):
        for one in part:
            producer.send(EMBEDDED, encode(embedded(one)), key=one.id.encode(), partition=0)
        producer.flush()
        # With snapshots, then without any: the second run rebuilds from the log.
        run(tmp_path / "state" if part[0] is given[0] else None, None)
    found = [item.value for item in log.read(Partition(PLACED, 0))]
    producer.close()
    log.close()
    assert found == EXPECTED


def test_a_poison_record_is_skipped_by_the_snapshot_too(tmp_path: Path) -> None:
    on = stage(tmp_path, snapshot_every=1)
    bad = record(article(1, "x"), 0)._replace(value=b"not json")
    with pytest.raises(BadRecord):
        on.process([bad])
    on.skip(bad, BadRecord("x"))
    on.committed({LANE: 1})
    assert ClusterStage(settings(), tmp_path).start(LANE, "log-1") == 1
