"""Members of a consumer group on Kafka."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from stream.errors import PartitionsLost, Unavailable
from stream.log.contract import LogRecord, Partition
from stream.log.kafka_client import (
    ANSWER_S,
    FETCH_BYTES,
    PARTITION_BYTES,
    Address,
    kafka_partition,
    log_record,
)
from stream.log.keys import outside

# Heartbeats go on in a thread of the client while a batch is worked on, and a slow one is cut
# (stream/batch.py); this is only for a stage that hangs. Looking back over a month of articles for
# a new definition may take minutes.
MAX_POLL_INTERVAL_S = 15 * 60
# Who of a group gets which partition; all its members need the same. The default is eager and by
# ranges: the lanes of all topics with the same number then go to the same member. A cooperative one
# leaves members what they keep, but the packaged broker gave a second member its partitions late or
# never: it counts as tried only where the suite has passed with DATELINE_TEST_ASSIGNOR.
ASSIGNORS: dict[str, Any] = {
    "range": RangePartitionAssignor,
    "roundrobin": RoundRobinPartitionAssignor,
    "cooperative-sticky": CooperativeStickyAssignor,
}
# A member that was killed is missed for this long. Shorter means quicker failover, but a machine
# busy for as long as that would lose its partitions; Kafka allows no less than 6. A poll that joins
# may take as long, whatever its timeout: the client forgets a join that ends between two polls and
# begins again, and brokers let a new group wait for company (Kafka 3 s, Tansu half a session).
SESSION_S = 10.0
# A client whose broker is gone returns nothing, just as one with nothing to read does, and one
# whose topic was made again may read on in the other. So a member asks the broker this often.
ASK_EVERY_S = 15.0
# Leaving is polite: others take over at once. When the broker is gone, nobody hears it.
LEAVE_S = 3.0


# A long poll is cut, so that new partitions are taken up while it lasts.
SLICE_S = 0.5


class _Change(NamedTuple):
    kind: Literal["gained", "gone"]
    partitions: frozenset[TopicPartition]


class _Questions(Protocol):
    """What a member asks of its log."""

    def log_id(self, topic: str) -> str: ...
    def check_ids(self, ids: Mapping[str, str], group: str) -> None: ...
    def bounds(self, partition: Partition) -> tuple[int, int]: ...


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """Runs on the client's I/O thread, so it only notes what happened, and holds new partitions
    still until the caller's thread has said where to start."""

    def __init__(self, client: Any, changes: deque[_Change]) -> None:
        self._client, self._changes = client, changes

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        self._changes.append(_Change("gone", frozenset(revoked)))

    async def on_partitions_lost(self, lost: set[TopicPartition]) -> None:
        self._changes.append(_Change("gone", frozenset(lost)))

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        for partition in assigned:
            self._client.pause(partition)
            # Any position will do: without one the client looks for a commit by itself, and
            # raises when there is none.
            self._client.seek(partition, 0)
        self._changes.append(_Change("gained", frozenset(assigned)))


class KafkaMember:
    """Implements `stream.log.contract.Consumer`; made by `KafkaLog.consumer`."""

    def __init__(
        self,
        address: Address,
        log: _Questions,
        group: str,
        topics: Sequence[str],
        on_assigned: Callable[[Partition], int | None] | None,
        on_revoked: Callable[[Partition], None] | None,
        session_s: float,
        poll_interval_s: float,
        assignor: str,
    ) -> None:
        self._address, self._log, self._group = address, log, group
        self._on_assigned, self._on_revoked = on_assigned, on_revoked
        self._ids = {topic: log.log_id(topic) for topic in topics}
        self._owned: set[Partition] = set()
        self._changes: deque[_Change] = deque()
        self._asked = time.monotonic()
        self._session_s, self._joining = session_s, True
        self._quiet = True  # nothing has come since
        self._closed = False
        with address.errors():
            self._client = KafkaConsumer(
                **address.options,
                metrics_enabled=False,
                group_id=group,
                enable_auto_commit=False,
                auto_offset_reset="none",  # a position outside the log must stop us
                allow_auto_create_topics=False,
                partition_assignment_strategy=(ASSIGNORS[assignor],),
                session_timeout_ms=int(session_s * 1000),
                heartbeat_interval_ms=int(session_s * 1000 / 5),
                max_poll_interval_ms=int(poll_interval_s * 1000),
                fetch_max_bytes=FETCH_BYTES,
                max_partition_fetch_bytes=PARTITION_BYTES,
            )
            self._client.subscribe(topics, listener=_Listener(self._client, self._changes))

    def poll(self, max_records: int, timeout: float) -> Sequence[LogRecord]:
        began = time.monotonic()
        while True:
            deadline = began + (max(timeout, self._session_s) if self._joining else timeout)
            left = max(0.0, deadline - time.monotonic())
            with self._address.errors():
                found = self._client.poll(
                    timeout_ms=int(min(left, SLICE_S) * 1000), max_records=max_records
                )
            if found:
                self._same_topics()
            changed = self._settle()
            # What came of a partition that went and came back meanwhile stands behind where it now
            # goes on, and is read again from there.
            batch = [
                log_record(record)
                for source in sorted(found)
                for record in found[source]
                if Partition(*source) in self._owned - changed
            ]
            self._quiet = self._quiet and not batch
            if batch or time.monotonic() >= deadline:
                self._ask_at_times()
                return batch

    def assigned(self) -> frozenset[Partition]:
        return frozenset(self._owned)

    def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        gone = {Partition(*p) for change in self._changes for p in change.partitions}
        for partition in next_offsets:
            if partition not in self._owned or partition in gone:
                raise self._not_ours(partition)
        offsets = {
            kafka_partition(p): OffsetAndMetadata(at, "", -1) for p, at in next_offsets.items()
        }
        with self._address.errors():
            self._client.commit(offsets, timeout_ms=int(ANSWER_S * 1000))

    def seek(self, partition: Partition, offset: int) -> None:
        if partition not in self._owned:
            raise self._not_ours(partition)
        try:
            self._client.seek(kafka_partition(partition), offset)
        except ValueError as error:  # it went while this thread worked; the next poll would say so
            raise self._not_ours(partition) from error

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._release(frozenset(self._owned))
        finally:
            with self._address.errors():
                self._client.close(autocommit=False, timeout_ms=int(LEAVE_S * 1000))

    def _not_ours(self, partition: Partition) -> PartitionsLost:
        return PartitionsLost(
            f"partition {partition.number} of {partition.topic} is not owned by this member "
            f"of group {self._group}; its owner does the batch again"
        )

    def _settle(self) -> set[Partition]:
        """Does here, on the caller's thread, what the listener noted; the partitions that were
        gained or lost."""
        changed = set[Partition]()
        while self._changes:
            change = self._changes.popleft()
            self._joining = change.kind == "gone"
            partitions = frozenset(Partition(*p) for p in change.partitions)
            changed |= partitions
            if change.kind == "gone":
                self._release(partitions)
            else:
                self._take(partitions)
                self._asked, self._quiet = time.monotonic(), True
        return changed

    def _release(self, partitions: frozenset[Partition]) -> None:
        for partition in sorted(partitions & self._owned):
            self._owned.discard(partition)
            if self._on_revoked:
                self._on_revoked(partition)

    def _take(self, partitions: frozenset[Partition]) -> None:
        for partition in sorted(partitions - self._owned):
            source = kafka_partition(partition)
            start = self._on_assigned(partition) if self._on_assigned else None
            with self._address.errors(partition.topic):
                if start is None:
                    start = self._client.committed(source, timeout_ms=int(ANSWER_S * 1000))
                first, after = self._log.bounds(partition)
                if start is None:
                    start = first
                if not first <= start <= after:
                    raise outside(self._group, partition, start, first, after)
            self._owned.add(partition)
            if source in self._client.assignment():  # else its loss is the next change
                self._client.seek(source, start)
                self._client.resume(source)

    def _same_topics(self) -> None:
        self._log.check_ids(self._ids, self._group)

    def _ask_at_times(self) -> None:
        if time.monotonic() - self._asked < ASK_EVERY_S:
            return
        self._same_topics()  # raises Unavailable when nobody answers
        for partition in self._owned if self._quiet else ():
            after = self._log.bounds(partition)[1]
            with self._address.errors(partition.topic):
                at = self._client.position(kafka_partition(partition), timeout_ms=1000)
            if at is not None and at < after:
                raise Unavailable(
                    f"nothing came from {partition.topic}/{partition.number} for "
                    f"{ASK_EVERY_S:.0f} s although it holds {after - at} more records; "
                    "connecting anew"
                )
        self._asked, self._quiet = time.monotonic(), True
