"""What every transport must do for groups."""

from __future__ import annotations

import threading

import pytest

from stream.errors import LogChanged, PartitionsLost, UsageError
from stream.log.contract import Log, Partition
from tests.stream.transports import Member, append, child, make_topic, take, wait_until


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
