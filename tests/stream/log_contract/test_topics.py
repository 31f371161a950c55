"""What every transport must do about topics."""

from __future__ import annotations

import uuid

import pytest

from stream.errors import UsageError
from stream.log.contract import Log, Partition, Topic, topics
from tests.stream.transports import append, make_topic, open_log


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
