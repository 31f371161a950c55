"""What only the Kafka log can do wrong."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence

import pytest
from kafka import KafkaAdminClient, TopicPartition

from dateline.broker import PackagedBroker
from stream.errors import LogChanged, PartitionsLost, Unavailable, UsageError
from stream.log import kafka_client, kafka_group
from stream.log.contract import LogRecord, Partition
from stream.log.kafka import KafkaLog
from stream.log.keys import murmur2
from tests.services import NAMED, DurableBroker
from tests.stream.transports import SESSION_S, Member, append, make_topic, take, wait_until


@pytest.fixture
def log(broker: str) -> Iterator[KafkaLog]:
    opened = KafkaLog(broker, session_s=SESSION_S)
    yield opened
    opened.close()


@pytest.fixture
def name() -> str:
    return f"t-{uuid.uuid4()}"


def test_the_key_hash_is_that_of_kafka_s_clients() -> None:
    from kafka.partitioner.default import murmur2 as kafkas

    for size in range(64):
        data = os.urandom(size)
        assert murmur2(data) == kafkas(data)


def test_members_share_by_the_assignor_that_is_set(broker: str, name: str) -> None:
    log = KafkaLog(broker, session_s=SESSION_S, assignor="roundrobin")
    topics = [make_topic(log, f"{name}-{n}") for n in range(2)]
    members = [Member(lambda: log.consumer(name, topics)) for _ in range(2)]
    # By ranges one member would get the first partition of both.
    wait_until(lambda: [len(m.owned) for m in members] == [1, 1], "each has one")
    for member in members:
        member.leave()
    assert [member.error for member in members] == [None, None]
    log.close()


def test_an_unreachable_broker_is_named_within_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_client, "CONNECT_S", 0.3)
    log = KafkaLog("127.0.0.1:1")
    for ask in (
        lambda: log.partitions("t"),
        lambda: log.consumer("g", ["t"]),
        lambda: log.producer(),
        lambda: log.create_topics([]) and None,
    ):
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 does not answer"):
            ask()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"security_protocol": "TLS"}, "expected a security protocol of PLAINTEXT, SSL"),
        ({"security_protocol": "SASL_SSL", "sasl_username": "ada"}, "needs a username and a pass"),
        ({"assignor": "sticky"}, "expected an assignor of range, roundrobin, cooperative-sticky"),
    ],
)
def test_wrong_settings_are_told_at_once(settings: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        KafkaLog("127.0.0.1:1", **settings)  # type: ignore[arg-type]


def test_a_batch_longer_than_the_session_keeps_its_partitions(log: KafkaLog, name: str) -> None:
    make_topic(log, name)
    append(log, name, [b"a", b"b"])
    member = log.consumer(name, [name])
    take(member, 1)
    threading.Event().wait(SESSION_S + 0.5)  # the work of a slow stage
    member.commit({Partition(name, 0): 1})
    assert log.committed(name, Partition(name, 0)) == 1
    member.close()


def test_a_topic_made_again_stops_its_readers(log: KafkaLog, name: str) -> None:
    from kafka import KafkaAdminClient

    make_topic(log, name)
    append(log, name, [b"a"] * 5)
    before = log.log_id(name)
    member = log.consumer(name, [name])
    follower = log.follow([name])
    assert len(take(member, 5)) == len(follower.poll()) == 5
    admin = KafkaAdminClient(bootstrap_servers=log._address.bootstrap)
    admin.delete_topics([name])
    admin.close()
    make_topic(log, name)
    assert log.log_id(name) != before
    append(log, name, [b"b"] * 9)
    came: list[bytes] = []
    for reader in (lambda: member.poll(10, 0.1), follower.poll):

        def read(reader: Callable[[], Sequence[LogRecord]] = reader) -> bool:
            came.extend(record.value for record in reader())
            return False

        with pytest.raises(LogChanged, match=r"made again .*run `dateline offsets reset"):
            wait_until(read, "the topic is seen to be another")
    assert came == [], "not one record of the new topic is handed over"
    follower.close()
    member.close()


def test_a_group_without_commits_begins_at_the_first_record_also_of_a_topic_made_again(
    log: KafkaLog, name: str
) -> None:
    from kafka import KafkaAdminClient

    make_topic(log, name)
    append(log, name, [b"a"] * 5)
    member = log.consumer(name, [name])
    take(member, 5)
    member.commit({Partition(name, 0): 5})
    member.close()
    admin = KafkaAdminClient(bootstrap_servers=log._address.bootstrap)
    admin.delete_topics([name])
    admin.close()
    make_topic(log, name)
    append(log, name, [b"b%d" % n for n in range(9)])
    member = log.consumer(name, [name])
    assert [record.value for record in take(member, 9)] == [b"b%d" % n for n in range(9)]
    member.close()


@pytest.mark.skipif(NAMED is None, reason="the packaged broker drops no records")
def test_retention_that_passes_the_position_stops_the_reader(
    log: KafkaLog, broker: str, name: str
) -> None:
    """Anchor 3: it must not be alive and idle."""
    make_topic(log, name)
    append(log, name, [b"a"] * 3)
    member = log.consumer(f"dateline.{name}", [name])
    assert take(member, 1)[0].offset == 0
    member.commit({Partition(name, 0): 1})
    member.close()
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.delete_records({TopicPartition(name, 0): 2})
    admin.close()
    member = log.consumer(f"dateline.{name}", [name])
    with pytest.raises(LogChanged, match=rf"goes on at 1 .*`dateline offsets reset {name} --to"):
        take(member, 1)
    member.close()


@pytest.mark.skipif(NAMED is not None, reason="needs a broker that it may kill")
def test_everything_goes_on_after_the_broker_was_killed(
    durable_broker: DurableBroker, name: str
) -> None:
    log = KafkaLog(durable_broker.bootstrap, session_s=SESSION_S)
    make_topic(log, name)
    identity = log.log_id(name)
    producer = log.producer()
    for i in range(20):
        producer.send(name, b"%d" % i)
    producer.flush()
    member = log.consumer(name, [name])
    assert len(take(member, 20)) == 20
    member.commit({Partition(name, 0): 20})
    durable_broker.stop()
    durable_broker.start()
    assert log.log_id(name) == identity
    assert log.bounds(Partition(name, 0)) == (0, 20)
    assert log.committed(name, Partition(name, 0)) == 20
    producer.send(name, b"after")
    producer.close()
    assert [record.offset for record in take(member, 1)] == [20]
    member.commit({Partition(name, 0): 21})
    member.close()
    log.close()


def test_a_producer_that_failed_is_usable_again_and_appends_once(
    durable_broker: DurableBroker, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("kafka_client", "kafka_send"):
        monkeypatch.setattr(f"stream.log.{module}.ANSWER_S", 2.0)
    monkeypatch.setattr("stream.log.kafka_send.DELIVERY_S", 3.0)
    log = KafkaLog(durable_broker.bootstrap, session_s=SESSION_S)
    make_topic(log, name)
    producer = log.producer()
    producer.send(name, b"before")
    producer.flush()
    durable_broker.stop()
    producer.send(name, b"lost")
    with pytest.raises(Unavailable):
        producer.flush()
    durable_broker.start()
    producer.send(name, b"after")
    producer.flush()
    assert [record.value for record in log.read(Partition(name, 0))] == [b"before", b"after"]
    producer.close()
    log.close()


@pytest.mark.skipif(NAMED is not None, reason="needs a broker that it may kill")
def test_a_broker_that_is_gone_is_noticed_by_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_client, "CONNECT_S", 0.5)
    # Longer than a fetch may wait at the broker, half a second.
    for module in ("kafka", "kafka_client", "kafka_group", "kafka_read", "kafka_send"):
        monkeypatch.setattr(f"stream.log.{module}.ANSWER_S", 0.8)
    monkeypatch.setattr("stream.log.kafka_send.DELIVERY_S", 1.0)
    broker = PackagedBroker()
    with broker:
        log = KafkaLog(broker.bootstrap, session_s=SESSION_S)
        make_topic(log, "t")
        producer = log.producer()
        producer.send("t", b"a")
        producer.flush()
        member = log.consumer("g", ["t"])
        take(member, 1)
        monkeypatch.setattr(kafka_group, "ASK_EVERY_S", 0.3)
    with pytest.raises(Unavailable, match="does not answer"):
        member.commit({Partition("t", 0): 1})
    with pytest.raises(Unavailable, match="does not answer"):
        take(member, 1)
    producer.send("t", b"b")
    with pytest.raises(Unavailable, match="does not answer"):
        producer.flush()
    member.close()
    producer.close()
    with broker:  # the same port again, with nothing in it
        make_topic(log, "t")
        producer = log.producer()
        producer.send("t", b"c")
        producer.close()
        assert [record.value for record in log.read(Partition("t", 0))] == [b"c"]
        log.close()


def test_a_quiet_member_that_misses_records_connects_anew(
    log: KafkaLog, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_topic(log, name)
    append(log, name, [b"a"])
    member = log.consumer(name, [name])
    take(member, 1)
    monkeypatch.setattr(kafka_group, "ASK_EVERY_S", 0.0)
    assert list(member.poll(1, 0.05)) == []  # quiet, and rightly so
    member._client.pause(*member._client.assignment())  # a client that is stuck
    append(log, name, [b"b"])
    with pytest.raises(Unavailable, match="holds 1 more records; connecting anew"):
        take(member, 1)
    member.close()


def test_what_was_fetched_before_a_partition_went_and_came_back_is_read_again_in_order(
    log: KafkaLog, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_topic(log, name)
    append(log, name, [b"a"] * 10)
    member = log.consumer(name, [name])
    take(member, 5)  # and nothing is committed
    same = member._same_topics

    def rebalanced() -> None:  # the client's own thread does it while this one waits for an answer
        monkeypatch.setattr(member, "_same_topics", same)
        ours = frozenset([TopicPartition(name, 0)])
        member._changes += [kafka_group._Change("gone", ours), kafka_group._Change("gained", ours)]

    monkeypatch.setattr(member, "_same_topics", rebalanced)
    # From the sixth on they came for an owner that is no more; the new one begins at the commit.
    assert [record.offset for record in take(member, 10)] == list(range(10))
    member.close()


def test_handing_back_what_has_gone_meanwhile_is_told_as_a_loss(log: KafkaLog, name: str) -> None:
    make_topic(log, name)
    append(log, name, [b"a"])
    member = log.consumer(name, [name])
    take(member, 1)
    member._client.unsubscribe()  # as a rebalance does on the client's own thread
    with pytest.raises(PartitionsLost):
        member.seek(Partition(name, 0), 0)
    member.close()


def test_a_broker_on_a_port_in_use_is_refused() -> None:
    with PackagedBroker() as first:
        port = int(first.bootstrap.rsplit(":", 1)[1])
        with pytest.raises(UsageError, match=f"port {port} is in use"):
            PackagedBroker(port).start()
