"""What every transport must do when records are appended and read."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from stream.errors import BadRecord
from stream.log.contract import Log, Partition
from stream.offsets import at_time
from stream.records import MAX_RECORD_BYTES
from tests.stream.transports import append, child, make_topic


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
