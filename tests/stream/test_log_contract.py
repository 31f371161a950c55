"""What every transport must do, asked of each."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stream.errors import BadRecord, LogChanged, PartitionsLost, UsageError
from stream.log.contract import Log, Partition, Topic, topics
from stream.offsets import at_time
from stream.records import MAX_RECORD_BYTES
from tests.conftest import ROOT
from tests.stream.transports import Member, append, make_topic, open_log, take, wait_until


@pytest.fixture(params=["sqlite", "kafka"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "kafka":
        return f"kafka:{request.getfixturevalue('broker')}"
    return f"sqlite:{tmp_path / 'log.db'}"


@pytest.fixture
def log(url: str) -> Iterator[Log]:
    opened = open_log(url)
    yield opened
    opened.close()


@pytest.fixture
def name() -> str:
    """A topic (or group) that no other test uses."""
    return f"t-{uuid.uuid4()}"


def child(url: str, command: str, topic: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.stream.transports", url, command, topic],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


# -- appending and reading -----------------------------------------------------------------------


def test_a_partition_keeps_the_order_and_numbers_densely(log: Log, name: str) -> None:
    make_topic(log, name)
    first, second = log.producer(), log.producer()
    for i in range(300):
        first.send(name, b"%d" % i)
        if i % 100 == 99:
            first.flush()
            second.send(name, b"other")
            second.flush()
    first.close()
    second.close()
    found = list(log.read(Partition(name, 0)))
    assert [record.offset for record in found] == list(range(303))
    assert [int(r.value) for r in found if r.value != b"other"] == list(range(300))


def test_a_key_goes_where_every_kafka_client_would_put_it(log: Log, name: str) -> None:
    make_topic(log, name, partitions=7)
    keys = [f"article-{i}-ü".encode() for i in range(40)]
    producer = log.producer()
    for key in keys:
        producer.send(name, key, key=key)
    producer.close()
    places = {
        record.key: record.partition
        for number in range(7)
        for record in log.read(Partition(name, number))
    }
    # As computed by kafka-python's own partitioner, which follows the Java client.
    from kafka.partitioner.default import murmur2

    assert places == {key: (murmur2(key) & 0x7FFFFFFF) % 7 for key in keys}


def test_a_record_comes_back_as_it_was_sent(log: Log, name: str) -> None:
    make_topic(log, name, partitions=2)
    large = os.urandom(900_000)
    before = datetime.now(UTC) - timedelta(seconds=1)
    producer = log.producer()
    producer.send(name, large, key=b"\x00k", partition=1, headers={"trace": b"\xff", "leer": b""})
    producer.send(name, "東京 – Île".encode(), partition=1)
    producer.close()
    first, second = log.read(Partition(name, 1))
    assert first.value == large
    assert (first.key, dict(first.headers)) == (b"\x00k", {"trace": b"\xff", "leer": b""})
    assert (second.key, dict(second.headers)) == (None, {})
    assert second.value.decode() == "東京 – Île"
    assert before < first.time < datetime.now(UTC) + timedelta(seconds=1)
    assert first.time.tzinfo is UTC
    assert log.bounds(Partition(name, 0)) == (0, 0)


def test_records_without_a_key_use_all_partitions(log: Log, name: str) -> None:
    make_topic(log, name, partitions=3)
    append(log, name, [b"a", b"b", b"c"], partition=None)
    assert [log.bounds(Partition(name, number)) for number in range(3)] == [(0, 1)] * 3


def test_an_oversized_record_is_refused_before_it_is_queued(log: Log, name: str) -> None:
    make_topic(log, name)
    producer = log.producer()
    with pytest.raises(BadRecord, match="over the limit"):
        producer.send(name, bytes(MAX_RECORD_BYTES + 1))
    producer.send(name, os.urandom(MAX_RECORD_BYTES))
    producer.close()
    assert log.bounds(Partition(name, 0)) == (0, 1)


def test_reading_keeps_to_its_bounds(log: Log, name: str) -> None:
    make_topic(log, name)
    append(log, name, [b"%d" % i for i in range(1200)])
    one = Partition(name, 0)
    assert log.bounds(one) == (0, 1200)
    assert [r.offset for r in log.read(one, 3, 6)] == [3, 4, 5]
    assert [r.offset for r in log.read(one, 1198, 5000)] == [1198, 1199]
    assert list(log.read(one, 1200)) == []
    assert list(log.read(one, 6, 3)) == []
    reading = log.read(one, 1190)
    append(log, name, [b"later"])
    assert len(list(reading)) == 10, "the end is that of the call"


def test_a_time_is_found_in_the_log(log: Log, name: str) -> None:
    make_topic(log, name)
    one = Partition(name, 0)
    assert at_time(log, one, datetime.now(UTC)) == 0, "nothing there"
    for part in range(4):
        append(log, name, [b"%d" % part] * 3)
    times = [record.time for record in log.read(one)]
    for time in times:
        assert at_time(log, one, time) == times.index(time)
    assert at_time(log, one, times[0] - timedelta(days=1)) == 0
    assert at_time(log, one, times[-1] + timedelta(milliseconds=1)) == 12


def test_a_follower_brings_everything_once(log: Log, name: str) -> None:
    make_topic(log, name, partitions=2)
    append(log, name, [b"a", b"b"], partition=0)
    append(log, name, [b"c"], partition=1)
    follower = log.follow([name])
    assert sorted(record.value for record in follower.poll()) == [b"a", b"b", b"c"]
    assert list(follower.poll()) == []
    append(log, name, [b"d"], partition=1)
    found = []
    while not found:
        found = [record.value for record in follower.poll()]
    assert found == [b"d"]
    follower.close()


def test_what_was_flushed_survives_kill_9(log: Log, url: str, name: str) -> None:
    make_topic(log, name)
    process = child(url, "append", name)
    assert process.stdout is not None
    safe = [int(process.stdout.readline()) for _ in range(5)][-1]
    process.kill()
    safe = max([safe, *(int(line) for line in process.stdout.read().split())])
    process.wait()
    found = [int(record.value) for record in log.read(Partition(name, 0))]
    assert found == list(range(len(found)))
    assert len(found) >= safe


# -- topics --------------------------------------------------------------------------------------


def test_creating_topics_again_changes_nothing(log: Log, url: str) -> None:
    wanted = [Topic(f"t-{uuid.uuid4()}", 2, 40), Topic(f"t-{uuid.uuid4()}", 1, None)]
    assert log.create_topics(wanted) == [topic.name for topic in wanted]
    ids = [log.log_id(topic.name) for topic in wanted]
    append(log, wanted[0].name, [b"kept"])
    assert log.create_topics(wanted) == []
    assert [log.partitions(topic.name) for topic in wanted] == [2, 1]
    other = open_log(url)
    assert [other.log_id(topic.name) for topic in wanted] == ids
    assert len(set(ids)) == 2
    assert other.bounds(Partition(wanted[0].name, 0)) == (0, 1)
    other.close()


def test_the_design_s_topics_can_be_made(log: Log) -> None:
    log.create_topics(topics(3))
    assert log.partitions("dateline.embedded") == 2


def test_a_missing_topic_says_what_to_do(log: Log, name: str) -> None:
    for ask in (
        lambda: log.log_id(name),
        lambda: log.partitions(name),
        lambda: log.bounds(Partition(name, 0)),
        lambda: log.read(Partition(name, 0)),
        lambda: log.follow([name]),
        lambda: log.consumer("group", [name]),
        lambda: log.producer().send(name, b""),
    ):
        with pytest.raises(UsageError, match="run `dateline topics create`"):
            ask()


def test_a_partition_that_does_not_exist_is_named(log: Log, name: str) -> None:
    make_topic(log, name, partitions=2)
    with pytest.raises(UsageError, match=r"2 partition\(s\)"):
        log.bounds(Partition(name, 2))
    with pytest.raises(UsageError, match=r"2 partition\(s\)"):
        log.producer().send(name, b"", partition=2)


# -- groups --------------------------------------------------------------------------------------


def test_a_group_begins_at_the_start_and_resumes_at_its_commit(log: Log, name: str) -> None:
    make_topic(log, name)
    append(log, name, [b"%d" % i for i in range(10)])
    one = Partition(name, 0)
    assert log.committed(name, one) is None
    member = log.consumer(name, [name])
    assert [r.offset for r in take(member, 10)] == list(range(10))
    member.commit({one: 4})
    member.seek(one, 2)
    assert take(member, 1)[0].offset == 2, "seek moves this member, not the group"
    member.close()
    member.close()
    assert log.committed(name, one) == 4
    member = log.consumer(name, [name])
    assert take(member, 1)[0].offset == 4
    member.close()


def test_a_stage_may_say_where_it_starts(log: Log, name: str) -> None:
    starts = {f"{name}-chosen": 7, f"{name}-undecided": None, f"{name}-end": 10}
    for topic in starts:
        make_topic(log, topic)
        append(log, topic, [b"%d" % i for i in range(10)])
    beyond = Member(lambda: log.consumer(f"{name}-2", [f"{name}-end"], on_assigned=lambda p: 11))
    calls: list[tuple[str, str, int]] = []

    def gained(partition: Partition) -> int | None:
        calls.append(("gained", partition.topic, threading.get_ident()))
        return starts[partition.topic]

    member = log.consumer(
        name,
        list(starts),
        on_assigned=gained,
        on_revoked=lambda p: calls.append(("lost", p.topic, threading.get_ident())),
    )
    came = [(record.topic, record.offset) for record in take(member, 13)]
    assert sorted(came) == sorted(
        [(f"{name}-chosen", i) for i in (7, 8, 9)] + [(f"{name}-undecided", i) for i in range(10)]
    )
    assert list(member.poll(5, 0.2)) == []
    member.close()
    here = threading.get_ident()
    assert sorted(calls) == sorted(
        (what, topic, here) for what in ("gained", "lost") for topic in starts
    ), "once each, on the caller's thread"
    wait_until(lambda: beyond.error is not None, "the position beyond the end is noticed")
    assert isinstance(beyond.error, LogChanged)
    assert "goes on at 11" in str(beyond.error)
    assert "holds 0 to 10" in str(beyond.error)


def test_two_members_never_own_the_same_partition(log: Log, name: str) -> None:
    make_topic(log, name, partitions=2)
    members = [Member(lambda: log.consumer(name, [name])) for _ in range(2)]
    append(log, name, [b"a", b"b"], partition=0)
    append(log, name, [b"c"], partition=1)

    def seen() -> list[bytes]:
        return sorted(record.value for member in members for record in member.records)

    def together() -> int:
        return sum(len(member.owned) for member in members)

    wait_until(lambda: len(seen()) == 3 and together() == 2, "both partitions are owned")
    assert not members[0].owned & members[1].owned
    assert seen() == [b"a", b"b", b"c"], "each record went to exactly one of them"
    leaving = max(members, key=lambda member: len(member.owned))
    (staying,) = [member for member in members if member is not leaving]
    leaving.leave()
    append(log, name, [b"d"], partition=0)
    append(log, name, [b"e"], partition=1)
    wait_until(lambda: len(seen()) == 5, "the one that stays has taken over")
    assert {record.value for record in staying.records} >= {b"d", b"e"}
    assert len(staying.owned) == 2
    staying.leave()
    assert (leaving.error, staying.error) == (None, None)


def test_a_commit_for_what_another_owns_is_refused(log: Log, name: str) -> None:
    make_topic(log, name, partitions=2)
    stranger = log.consumer(name, [name])  # it has never polled, so it owns nothing
    with pytest.raises(PartitionsLost, match="not owned"):
        stranger.commit({Partition(name, 0): 1})
    with pytest.raises(PartitionsLost, match="not owned"):
        stranger.seek(Partition(name, 1), 0)
    stranger.close()
    assert log.committed(name, Partition(name, 0)) is None


def test_commits_are_set_from_outside_only_while_nobody_is_in_the_group(
    log: Log, name: str
) -> None:
    make_topic(log, name, partitions=2)
    append(log, name, [b"%d" % i for i in range(10)])
    both = {Partition(name, 0): 7, Partition(name, 1): 0}
    log.set_committed(name, both)
    assert {partition: log.committed(name, partition) for partition in both} == both
    member = log.consumer(name, [name])
    assert [record.offset for record in take(member, 3)] == [7, 8, 9]
    with pytest.raises(UsageError, match=r"is running .*stop it and try again"):
        log.set_committed(name, {Partition(name, 0): 2})
    member.commit({Partition(name, 0): 10})
    member.close()
    log.set_committed(name, {Partition(name, 0): 2})
    member = log.consumer(name, [name])
    assert take(member, 1)[0].offset == 2
    member.close()


def test_a_position_outside_the_log_says_what_to_do(log: Log, name: str) -> None:
    make_topic(log, name)
    append(log, name, [b"a"] * 3)
    log.set_committed(f"dateline.{name}", {Partition(name, 0): 9})
    member = log.consumer(f"dateline.{name}", [name])
    with pytest.raises(LogChanged, match=rf"goes on at 9 .*`dateline offsets reset {name} --to"):
        take(member, 1)
    member.close()


def test_a_killed_member_is_taken_over_at_its_commit(log: Log, url: str, name: str) -> None:
    make_topic(log, name)
    append(log, name, [b"%d" % i for i in range(5)])
    process = child(url, "own", name)
    assert process.stdout is not None
    assert process.stdout.readline() == "owns\n"
    process.kill()
    process.wait()
    heir = log.consumer("group", [name])
    assert [record.offset for record in take(heir, 4)] == [1, 2, 3, 4]
    heir.close()
