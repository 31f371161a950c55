"""The log as Dateline sees it: topics of numbered records, kept by Kafka or by one SQLite file.

Both transports pass the same suite, `tests/stream/log_contract/`. Objects made by a log belong
to the thread that made them; the log itself may be shared between threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from stream.records import ARTICLES, DEAD, EMBEDDED, EVENTS, LANES, MATCHED, PLACED, VERDICTS


class Partition(NamedTuple):
    topic: str
    number: int


class LogRecord(NamedTuple):
    """One record as read. `time` is when the log took it (aware UTC, milliseconds)."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Mapping[str, bytes]
    time: datetime

    @property
    def source(self) -> Partition:
        return Partition(self.topic, self.partition)


class Topic(NamedTuple):
    """A topic to create. `kept_for_days` None = for ever."""

    name: str
    partitions: int
    kept_for_days: int | None


def topics(article_partitions: int) -> list[Topic]:
    """All topics of the design. 40 days outlast the default look-back of 30 with a margin."""
    return [
        Topic(ARTICLES, article_partitions, 40),
        Topic(EMBEDDED, LANES, 40),
        Topic(PLACED, LANES, 40),
        Topic(MATCHED, LANES, 40),
        Topic(EVENTS, 1, None),
        Topic(VERDICTS, 1, None),
        Topic(DEAD, 1, None),
    ]


class Producer(Protocol):
    def send(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        """Queue one record; without `partition` the key's hash chooses it. Order within a
        partition is the order of the calls."""

    def flush(self) -> None:
        """Return when every queued record is stored durably. Raises Unavailable when any could
        not be; what was queued is then unknown, and the producer is usable again."""

    def close(self) -> None:
        """Flush, then free everything. Safe to call twice."""


class Consumer(Protocol):
    """A member of a group: each partition is owned by one live member at most."""

    def poll(self, max_records: int, timeout: float) -> Sequence[LogRecord]:
        """Up to `max_records` records in offset order within a partition, waiting at most
        `timeout` seconds for the first (some seconds more while the group forms). Joining,
        losing and taking over partitions happens in here, on the caller's thread. Raises
        LogChanged when a position is no longer in the log, Unavailable when the broker stays
        away."""

    def assigned(self) -> frozenset[Partition]:
        """The partitions owned now."""

    def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        """Store where the group goes on. Raises PartitionsLost, storing nothing, when any of
        them is no longer owned."""

    def seek(self, partition: Partition, offset: int) -> None:
        """Read on from `offset` (an owned partition)."""

    def close(self) -> None:
        """Leave the group so that others take over at once. Safe to call twice."""


class Follower(Protocol):
    """Reads whole topics and then what is added to them, without a group."""

    def poll(self) -> Sequence[LogRecord]:
        """What was added since the last call; the first call returns all that is there. Does
        not wait for more to come."""

    def close(self) -> None: ...


class Log(Protocol):
    def create_topics(self, topics: Sequence[Topic]) -> list[str]:
        """Create the missing ones; the names created."""

    def log_id(self, topic: str) -> str:
        """Identity of this topic: another one after it was deleted and made again.
        Raises UsageError when it does not exist ("run `dateline topics create`")."""

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has."""

    def producer(self) -> Producer: ...

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        *,
        on_assigned: Callable[[Partition], int | None] | None = None,
        on_revoked: Callable[[Partition], None] | None = None,
    ) -> Consumer:
        """Join `group`. For each partition gained, `on_assigned` says where to start; None, or no
        callback, means: at the group's commit, else at the start. Both callbacks run inside
        `poll` (or `close`), on the caller's thread."""

    def read(
        self, partition: Partition, start: int = 0, end: int | None = None
    ) -> Iterator[LogRecord]:
        """The records from `start` up to (not including) `end`, or the end as of this call.
        No group. Starts at the first kept record when `start` is older."""

    def follow(self, topics: Sequence[str]) -> Follower:
        """Follow these topics from their first kept records on. Cheap to poll in every round."""

    def bounds(self, partition: Partition) -> tuple[int, int]:
        """(first kept offset, offset that the next record will get)."""

    def committed(self, group: str, partition: Partition) -> int | None:
        """Where the group goes on, None = it never committed."""

    def set_committed(self, group: str, next_offsets: Mapping[Partition, int]) -> None:
        """Store where a group without live members goes on. Raises UsageError, storing nothing,
        while it has one."""

    def prune(self, now: datetime) -> int:
        """Drop records older than their topic is kept for; how many went. Kafka does it alone,
        and answers 0."""

    def close(self) -> None: ...
