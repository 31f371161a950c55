"""Any order of appending, reading, joining, committing and leaving, on every transport: the log is
a list a partition, and a group is a number a partition."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from stream.errors import PartitionsLost, UsageError
from stream.log.contract import Consumer, Follower, Log, LogRecord, Partition, Producer
from tests.stream.transports import make_topic, open_log, take, wait_until

PARTITIONS = 2
numbers = st.integers(0, PARTITIONS - 1)
values = st.binary(max_size=12)


class LogMachine(RuleBasedStateMachine):
    """One topic, one producer that queues and one that does not, one group, one follower."""

    url: str

    @initialize()
    def begin(self) -> None:
        self.log: Log = open_log(self.url)
        self.topic = make_topic(self.log, f"m-{uuid.uuid4()}", PARTITIONS)
        self.group = f"g-{uuid.uuid4()}"
        self.logged: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
        self.queued: list[tuple[int, bytes]] = []
        self.committed: dict[int, int] = {}
        self.at: dict[int, int] = {}  # where the member reads on
        self.producer: Producer = self.log.producer()
        self.follower: Follower = self.log.follow([self.topic])
        self.followed: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
        self.member: Consumer | None = None

    # -- appending -------------------------------------------------------------------------------

    @rule(number=numbers, value=values)
    def send(self, number: int, value: bytes) -> None:
        self.producer.send(self.topic, value, partition=number)
        self.queued.append((number, value))

    @rule()
    def flush(self) -> None:
        self.producer.flush()
        for number, value in self.queued:
            self.logged[number].append(value)
        self.queued.clear()

    # What another queued may go out before it is flushed, on Kafka after a moment.
    @precondition(lambda self: not self.queued)
    @rule(number=numbers, batch=st.lists(values, min_size=1, max_size=20))
    def another_appends(self, number: int, batch: list[bytes]) -> None:
        producer = self.log.producer()
        for value in batch:
            producer.send(self.topic, value, partition=number)
        producer.close()
        self.logged[number] += batch

    # -- reading without a group -----------------------------------------------------------------

    @precondition(lambda self: not self.queued)
    @rule(number=numbers, start=st.integers(0, 30), end=st.none() | st.integers(0, 40))
    def read(self, number: int, start: int, end: int | None) -> None:
        found = list(self.log.read(Partition(self.topic, number), start, end))
        assert [record.value for record in found] == self.logged[number][start:end]
        assert [record.offset for record in found] == list(range(start, start + len(found)))

    @precondition(lambda self: not self.queued)
    @rule()
    def follow(self) -> None:
        def whole() -> bool:
            for record in self.follower.poll():
                assert record.offset == len(self.followed[record.partition])
                self.followed[record.partition].append(record.value)
            return sum(map(len, self.followed)) >= sum(map(len, self.logged))

        wait_until(whole, "the follower has everything")
        assert self.followed == self.logged

    # -- the group -------------------------------------------------------------------------------

    @precondition(lambda self: self.member is None)
    @rule()
    def join(self) -> None:
        self.member = member = self.log.consumer(self.group, [self.topic])
        self.at = {n: self.committed.get(n, 0) for n in range(PARTITIONS)}
        came: list[LogRecord] = []

        def owns_all() -> bool:
            came.extend(member.poll(1, 0.1))
            return len(member.assigned()) == PARTITIONS

        wait_until(owns_all, "the only member owns everything")
        self._check(came)

    @precondition(lambda self: self.member is not None and not self.queued)
    @rule(most=st.integers(1, 30))
    def poll(self, most: int) -> None:
        assert self.member is not None
        left = sum(len(self.logged[n]) - at for n, at in self.at.items())
        self._check(take(self.member, min(most, left)))

    def _check(self, records: list[LogRecord]) -> None:
        for record in records:
            assert record.offset == self.at[record.partition], "nothing left out, nothing twice"
            assert (
                record.value
                == [*self.logged[record.partition], *self._waiting(record)][record.offset]
            )
            self.at[record.partition] += 1

    def _waiting(self, record: LogRecord) -> list[bytes]:
        return [value for number, value in self.queued if number == record.partition]

    @precondition(lambda self: self.member is not None)
    @rule(number=numbers, back=st.integers(0, 5))
    def commit(self, number: int, back: int) -> None:
        assert self.member is not None
        to = max(0, self.at[number] - back)
        self.member.commit({Partition(self.topic, number): to})
        self.committed[number] = to

    @precondition(lambda self: self.member is not None)
    @rule(number=numbers, to=st.integers(0, 40))
    def seek(self, number: int, to: int) -> None:
        assert self.member is not None
        to = min(to, len(self.logged[number]))
        self.member.seek(Partition(self.topic, number), to)
        self.at[number] = to

    @rule(number=numbers, to=st.integers(0, 40))
    def set_from_outside(self, number: int, to: int) -> None:
        to = min(to, len(self.logged[number]))
        partition = Partition(self.topic, number)
        if self.member is not None:
            with pytest.raises(UsageError, match="is running"):
                self.log.set_committed(self.group, {partition: to})
        else:
            self.log.set_committed(self.group, {partition: to})
            self.committed[number] = to

    @rule()
    def a_stranger_commits(self) -> None:
        stranger = self.log.consumer(self.group, [self.topic])
        with pytest.raises(PartitionsLost):
            stranger.commit({Partition(self.topic, 0): 1})
        stranger.close()

    @precondition(lambda self: self.member is not None)
    @rule()
    def leave(self) -> None:
        assert self.member is not None
        self.member.close()
        self.member = None

    @rule()
    def open_again(self) -> None:
        """Another process sees the same."""
        other = open_log(self.url)
        self._same(other)
        other.close()

    @invariant()
    def same(self) -> None:
        if not self.queued:
            self._same(self.log)

    def _same(self, log: Log) -> None:
        for number in range(PARTITIONS):
            partition = Partition(self.topic, number)
            if not self.queued:
                assert log.bounds(partition) == (0, len(self.logged[number]))
            assert log.committed(self.group, partition) == self.committed.get(number)

    def teardown(self) -> None:
        if hasattr(self, "member"):
            for part in (self.member, self.producer, self.follower, self.log):
                if part is not None:
                    part.close()


def check(url: str, examples: int, steps: int) -> None:
    machine = type("Machine", (LogMachine,), {"url": url})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_sqlite_log_is_a_list_a_partition(tmp_path: Path) -> None:
    check(f"sqlite:{tmp_path / 'log.db'}", examples=30, steps=40)


@pytest.mark.slow
def test_the_kafka_log_is_a_list_a_partition(request: pytest.FixtureRequest) -> None:
    broker: Any = request.getfixturevalue("broker")
    check(f"kafka:{broker}", examples=10, steps=30)
