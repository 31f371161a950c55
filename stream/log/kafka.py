"""The log on Apache Kafka, or on any broker that speaks its protocol: for a team."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from kafka import KafkaAdminClient, OffsetAndMetadata
from kafka import errors as kafka_errors

from stream.errors import PartitionsLost, Unavailable, UsageError
from stream.log.contract import LogRecord, Partition, Topic
from stream.log.kafka_client import (
    ANSWER_S,
    MAX_BATCH_BYTES,
    Address,
    kafka_partition,
    made_again,
)
from stream.log.kafka_group import ASSIGNORS, MAX_POLL_INTERVAL_S, SESSION_S, KafkaMember
from stream.log.kafka_read import KafkaFollower, ends_of, read_until, reader
from stream.log.kafka_send import KafkaSender
from stream.log.keys import in_use, missing_topic

_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_DAY_MS = 24 * 60 * 60 * 1000
_EXISTS = kafka_errors.TopicAlreadyExistsError.errno
_UNKNOWN = kafka_errors.UnknownTopicOrPartitionError.errno


class KafkaLog:
    """Implements `stream.log.contract.Log`. `bootstrap` is `host:port[,host:port…]`.

    Nothing is connected until it is needed; a broker that does not answer is Unavailable within
    about ten seconds. Topics are never created by accident: a missing one is a UsageError.
    `replication` is for `create_topics` (-1 = what the broker is set to); the security settings
    have the names and meanings of Kafka's own.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        security_protocol: str = "PLAINTEXT",
        sasl_mechanism: str | None = None,
        sasl_username: str | None = None,
        sasl_password: str | None = None,
        ssl_cafile: str | None = None,
        ssl_certfile: str | None = None,
        ssl_keyfile: str | None = None,
        replication: int = -1,
        session_s: float = SESSION_S,
        poll_interval_s: float = MAX_POLL_INTERVAL_S,
        assignor: str = "range",
    ) -> None:
        if security_protocol not in _PROTOCOLS:
            raise UsageError(
                f"expected a security protocol of {', '.join(_PROTOCOLS)}, got {security_protocol}"
            )
        if security_protocol.startswith("SASL") and not (sasl_username and sasl_password):
            raise UsageError(f"{security_protocol} needs a username and a password for the broker")
        self._address = Address(
            bootstrap,
            {
                "security_protocol": security_protocol,
                "sasl_mechanism": sasl_mechanism,
                "sasl_plain_username": sasl_username,
                "sasl_plain_password": sasl_password,
                "ssl_cafile": ssl_cafile,
                "ssl_certfile": ssl_certfile,
                "ssl_keyfile": ssl_keyfile,
            },
        )
        if assignor not in ASSIGNORS:
            raise UsageError(f"expected an assignor of {', '.join(ASSIGNORS)}, got {assignor}")
        self._replication, self._assignor = replication, assignor
        self._session_s, self._poll_interval_s = session_s, poll_interval_s
        self._lock = threading.Lock()
        self._admin: Any = None

    def create_topics(self, topics: Sequence[Topic]) -> list[str]:
        wanted = {
            topic.name: {
                "num_partitions": topic.partitions,
                "replication_factor": self._replication,
                "configs": {
                    "cleanup.policy": "delete",
                    "retention.ms": str(
                        -1 if topic.kept_for_days is None else topic.kept_for_days * _DAY_MS
                    ),
                    "retention.bytes": "-1",
                    "max.message.bytes": str(MAX_BATCH_BYTES),
                },
            }
            for topic in topics
        }
        answer = self._ask(lambda admin: admin.create_topics(wanted, raise_errors=False))
        created = []
        for topic in answer["topics"]:
            if topic["error_code"] not in (0, _EXISTS):
                reason = topic["error_message"] or kafka_errors.for_code(topic["error_code"])
                raise UsageError(f"{self._address.where} will not create {topic['name']}: {reason}")
            if topic["error_code"] == 0:
                created.append(topic["name"])
        wait = int(ANSWER_S * 1000)
        self._ask(lambda admin: admin.wait_for_topics(list(wanted), timeout_ms=wait))
        return created

    def log_id(self, topic: str) -> str:
        """Kafka's topic id. Brokers before 2.8 have none: the name stands in, and a topic that
        was made again is then noticed only by a position beyond its end."""
        return str(self._describe(topic)["topic_id"] or f"name:{topic}")

    def check_ids(self, ids: Mapping[str, str], group: str | None = None) -> None:
        """Raises LogChanged when one of the topics has another id than is given here.

        A client reads on at the same offset in a topic that was made again. So readers ask this
        whenever records have come, before they hand them over; it takes half a millisecond.
        """
        for topic, known in ids.items():
            if self.log_id(topic) != known:
                raise made_again(topic, group)

    def partitions(self, topic: str) -> int:
        return len(self._describe(topic)["partitions"])

    def producer(self) -> KafkaSender:
        return KafkaSender(self._address, self.partitions)

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        *,
        on_assigned: Callable[[Partition], int | None] | None = None,
        on_revoked: Callable[[Partition], None] | None = None,
    ) -> KafkaMember:
        return KafkaMember(
            self._address,
            self,
            group,
            topics,
            on_assigned,
            on_revoked,
            self._session_s,
            self._poll_interval_s,
            self._assignor,
        )

    def read(
        self, partition: Partition, start: int = 0, end: int | None = None
    ) -> Iterator[LogRecord]:
        first, after = self.bounds(partition)
        start, end = max(start, first), after if end is None else min(end, after)
        return self._pages(partition, start, end)

    def follow(self, topics: Sequence[str]) -> KafkaFollower:
        parts = [Partition(topic, n) for topic in topics for n in range(self.partitions(topic))]
        ids = {topic: self.log_id(topic) for topic in topics}
        return KafkaFollower(self._address, parts, lambda: self.check_ids(ids))

    def bounds(self, partition: Partition) -> tuple[int, int]:
        self._check(partition)
        with reader(self._address, [partition]) as client:
            return ends_of(client, [partition])[partition]

    def committed(self, group: str, partition: Partition) -> int | None:
        self._check(partition)
        with self._address.errors(partition.topic), reader(self._address, [], group) as client:
            at: int | None = client.committed(
                kafka_partition(partition), timeout_ms=int(ANSWER_S * 1000)
            )
            return at

    def set_committed(self, group: str, next_offsets: Mapping[Partition, int]) -> None:
        for partition in next_offsets:
            self._check(partition)
        offsets = {
            kafka_partition(p): OffsetAndMetadata(at, "", -1) for p, at in next_offsets.items()
        }
        try:
            with self._address.errors(), reader(self._address, [], group) as client:
                # From outside of the group: the broker takes it only while that has no member.
                client.commit(offsets, timeout_ms=int(ANSWER_S * 1000))
        except PartitionsLost as error:
            raise in_use(group) from error

    def prune(self, now: datetime) -> int:
        return 0

    def close(self) -> None:
        with self._lock:
            self._drop_admin()

    def _check(self, partition: Partition) -> None:
        count = self.partitions(partition.topic)
        if not 0 <= partition.number < count:
            raise UsageError(
                f"topic {partition.topic} has {count} partition(s), "
                f"none with the number {partition.number}"
            )

    def _describe(self, topic: str) -> dict[str, Any]:
        (found,) = self._ask(lambda admin: admin.describe_topics([topic]))
        if found["error_code"] == _UNKNOWN:
            raise missing_topic(topic, self._address.where)
        if found["error_code"]:
            raise Unavailable(
                f"{self._address.where} cannot tell about topic {topic} now "
                f"({kafka_errors.for_code(found['error_code']).__name__})"
            )
        answer: dict[str, Any] = found
        return answer

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        """Put a question to the one administrative client. Its connection may have died since the
        last one, so an old client that fails is replaced and asked once more."""
        with self._lock, self._address.errors():
            if self._admin is not None:
                try:
                    return question(self._admin)
                except kafka_errors.KafkaError:
                    self._drop_admin()
            self._admin = KafkaAdminClient(**self._address.options)
            return question(self._admin)

    def _drop_admin(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()

    def _pages(self, partition: Partition, start: int, end: int) -> Iterator[LogRecord]:
        if start >= end:
            return
        source = kafka_partition(partition)
        with reader(self._address, [partition]) as client:
            client.seek(source, start)
            for records in read_until(self._address, client, {partition: end}):
                for record in records:
                    if record.offset < end:
                        yield record
