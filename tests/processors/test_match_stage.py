from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest

from processors.match.settings import MatchSettings
from processors.match.stage import MatchStage
from stream.errors import UsageError
from stream.log.contract import LogRecord, Partition
from stream.records import EVENTS, MATCHED, PLACED, History, HistoryDone, Matched, encode
from stream.stage import Output
from tests.processors.matching import applied, event_record, lima, nothing, oslo, placed, vectors


def stage(*lanes: int) -> MatchStage:
    made = MatchStage(MatchSettings())
    for lane in lanes or (0,):
        made.start(Partition(PLACED, lane), "log")
    return made


def logged(outputs: Sequence[Output]) -> list[LogRecord]:
    return [event_record(o.record, 100 + n) for n, o in enumerate(outputs) if o.topic == EVENTS]


def rewinding(records: Sequence[LogRecord]) -> Iterator[LogRecord]:
    return iter(records)


def of(kind: type, outputs: Sequence[Output]) -> list[Output]:
    return [one for one in outputs if isinstance(one.record, kind)]


def test_articles_are_forwarded_with_decisions_to_their_lane() -> None:
    match = stage(1)
    match.table(applied(oslo(), lima()), nothing)
    record = placed(5, lane=1)
    (output,) = match.process([record])
    assert (output.topic, output.partition, output.key) == (MATCHED, 1, "a5")
    assert isinstance(output.record, Matched)
    assert bytes(output.record.placed) == record.value
    assert [one.event_id for one in output.record.decisions] == ["oslo", "lima"]


def test_without_definitions_articles_pass_undecided() -> None:
    match = stage()
    match.table([], nothing)
    (output,) = match.process([placed(0)])
    assert output.record.decisions == []  # type: ignore[attr-defined]


def test_decisions_do_not_depend_on_batches() -> None:
    one, other = stage(), stage()
    for each in (one, other):
        each.table(applied(oslo(), lima()), nothing)
    records = [placed(n, title=f"Berg in Oslo {n}") for n in range(6)]
    together = one.process(records)
    single = [out for record in reversed(records) for out in other.process([record])]
    assert [encode(o.record) for o in together] == [encode(o.record) for o in reversed(single)]


def test_a_definition_is_active_once_it_has_vectors() -> None:
    match = stage()
    assert list(match.table([event_record(oslo())], nothing)) == []
    assert match.process([placed(0)])[0].record.decisions == []  # type: ignore[attr-defined]
    match.table([event_record(vectors(oslo()))], nothing)
    assert match.process([placed(1)])[0].record.decisions  # type: ignore[attr-defined]


def test_the_older_version_decides_until_the_newer_one_has_vectors() -> None:
    match = stage()
    match.table(applied(oslo()), nothing)
    match.table([event_record(oslo(2))], nothing)
    assert match.process([placed(0)])[0].record.decisions[0].version == 1  # type: ignore[attr-defined]
    match.table([event_record(vectors(oslo(2)))], nothing)
    assert match.process([placed(1)])[0].record.decisions[0].version == 2  # type: ignore[attr-defined]


def test_a_removed_event_matches_nothing() -> None:
    match = stage()
    match.table(applied(oslo()), nothing)
    match.table([event_record(oslo(2, removed=True))], nothing)
    assert match.process([placed(0)])[0].record.decisions == []  # type: ignore[attr-defined]


def test_a_new_definition_looks_back_once_and_then_says_so() -> None:
    match = stage()
    earlier = [placed(0), placed(1)]
    match.process(earlier)
    outputs = list(match.table(applied(oslo()), lambda: rewinding(earlier)))
    assert [o.key for o in of(History, outputs)] == ["a0", "a1"]
    assert all(o.topic == MATCHED and o.partition == 0 for o in of(History, outputs))
    (done,) = of(HistoryDone, outputs)
    assert outputs[-1] is done
    assert (done.record.event_id, done.record.version) == ("oslo", 1)  # type: ignore[attr-defined]
    assert list(match.table(logged(outputs), lambda: rewinding(earlier))) == []
    # Nor does a stage that starts anew, or that gains a partition.
    restarted = stage()
    changes = [*applied(oslo()), *logged(outputs)]
    assert list(restarted.table(changes, lambda: rewinding(earlier))) == []
    assert list(restarted.table([], lambda: rewinding(earlier))) == []


def test_a_look_back_cut_off_before_it_was_told_done_is_done_again_the_same() -> None:
    earlier = [placed(0), placed(1)]
    first = list(stage().table(applied(oslo()), lambda: rewinding(earlier)))
    again = list(stage().table(applied(oslo()), lambda: rewinding(earlier)))
    assert [encode(o.record) for o in again] == [encode(o.record) for o in first]
    assert len(of(HistoryDone, again)) == 1


def test_only_the_new_definition_looks_back() -> None:
    match = stage()
    earlier = [placed(0)]
    done = list(match.table(applied(oslo()), lambda: rewinding(earlier)))
    match.table(logged(done), nothing)
    outputs = list(match.table(applied(lima()), lambda: rewinding(earlier)))
    assert [one.record.event_id for one in of(HistoryDone, outputs)] == ["lima"]  # type: ignore[attr-defined]
    for one in of(History, outputs):
        assert {d.event_id for d in one.record.decisions} == {"lima"}  # type: ignore[attr-defined]


def test_each_lane_looks_back_for_itself_when_it_is_owned() -> None:
    match = stage(0)
    first = list(match.table(applied(oslo()), lambda: rewinding([placed(0)])))
    match.table(logged(first), nothing)
    match.start(Partition(PLACED, 1), "log")
    second = list(match.table([], lambda: rewinding([placed(0), placed(7, lane=1)])))
    assert [(o.key, o.partition) for o in of(History, second)] == [("a7", 1)]
    assert [o.record.lane for o in of(HistoryDone, second)] == [1]  # type: ignore[attr-defined]


def test_the_look_back_reaches_so_many_days_from_the_newest_article() -> None:
    def on(n: int, month: int, day: int) -> LogRecord:
        return placed(n, published=datetime(2024, month, day, tzinfo=UTC))

    earlier = [on(0, 4, 1), on(1, 5, 10), on(2, 5, 31)]
    outputs = list(stage().table(applied(oslo(lookback_days=30)), lambda: rewinding(earlier)))
    assert [o.key for o in of(History, outputs)] == ["a1", "a2"]


def test_events_applied_together_look_back_together() -> None:
    match = stage()
    earlier = [placed(0)]
    half = [event_record(oslo()), event_record(lima()), event_record(vectors(oslo()))]
    assert list(match.table(half, lambda: rewinding(earlier))) == []
    outputs = list(match.table([event_record(vectors(lima()))], lambda: rewinding(earlier)))
    (history,) = of(History, outputs)
    assert [d.event_id for d in history.record.decisions] == ["oslo", "lima"]  # type: ignore[attr-defined]
    assert len(of(HistoryDone, outputs)) == 2


def test_vectors_of_another_model_do_not_look_back_again() -> None:
    settings = MatchSettings(uncalibrated=True)
    match = MatchStage(settings)
    match.start(Partition(PLACED, 0), "log")
    done = list(match.table(applied(oslo()), lambda: rewinding([placed(0)])))
    other = event_record(vectors(oslo(), "other@1"), 50)
    assert list(match.table([*logged(done), other], lambda: rewinding([placed(0)]))) == []
    (output,) = match.process([placed(1, model="other@1")])
    assert [d.calibrated for d in output.record.decisions] == [False]  # type: ignore[attr-defined]


def test_vectors_of_a_model_no_longer_in_use_do_no_harm() -> None:
    old = event_record(vectors(oslo(), "other@1"))
    match = stage()
    match.table([event_record(oslo()), old, event_record(vectors(oslo()))], nothing)
    assert match.process([placed(0)])[0].record.decisions  # type: ignore[attr-defined]


def test_a_model_that_nobody_calibrated_stops_the_stage() -> None:
    with pytest.raises(UsageError, match="other@1"):
        stage().table([event_record(oslo()), event_record(vectors(oslo(), "other@1"))], nothing)
