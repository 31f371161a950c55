"""How often the cluster stage writes its state."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from msgspec import Raw, structs

from processors.cluster import snapshot
from processors.cluster import stage as stages
from processors.cluster.stage import SNAPSHOT_SHARE
from stream.records import Article, encode
from tests.processors.cluster_world import LANE, article, placed, record, records, stage
from tests.processors.cluster_world import three_stories as told


def saga() -> list[Article]:
    """Stories with an article every few days, for weeks: members are forgotten while they are
    open. And edits of what is asleep by then."""
    made = list[Article]()
    for turn in range(8):
        for number, one in enumerate(told(2)):
            when = article(0, "", hours=4 * 24 * turn + number).fetched
            new = {"id": f"{turn}-{one.id}", "published": when, "fetched": when}
            made.append(structs.replace(one, **new))
        if turn:
            again = made[-7]
            made.append(structs.replace(again, revision="r2", text=again.text + " Corrected."))
    return made


def test_stories_that_sleep_in_a_snapshot_go_on_as_if_they_had_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = records(saga())
    expected = [encode(one) for one in placed(stage(), given)]
    # One that never restarts and lets go of all after each snapshot ...
    monkeypatch.setattr(stages, "LIE_DOWN_FROM", 0)
    every = {"snapshot_every": 1, "snapshot_at_latest": 1}
    on, found = stage(tmp_path / "one", **every), list[bytes]()
    for at, one in enumerate(given):
        found += [encode(made) for made in placed(on, [one])]
        on.committed({LANE: at + 1})
    assert found == expected
    # ... and one that starts anew each time, and writes what it never asked for again.
    found.clear()
    for at, one in enumerate(given):
        on = stage(tmp_path / "other", **every)
        found += [encode(made) for made in placed(on, [one])]
        on.committed({LANE: at + 1})
    assert found == expected


def test_what_is_not_asked_for_is_not_read(tmp_path: Path) -> None:
    given = records(told(4))
    on = stage(tmp_path, snapshot_every=1)
    placed(on, given)
    on.committed({LANE: len(given)})
    known = stage(tmp_path)._lanes[0].known
    assert len(known) == len(given)
    assert all(isinstance(one, Raw) for _, one in known.as_held())


def test_writing_a_large_snapshot_is_no_standstill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "ENTRIES", 1)
    given, beats = records(told(4)), list[int]()
    on = stage(tmp_path, snapshot_every=1)
    on.beat = lambda: beats.append(1)
    placed(on, given)
    on.committed({LANE: len(given)})
    assert len(beats) > len(given)


def test_the_more_articles_are_open_the_more_must_be_new_for_a_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    save = snapshot.save

    def counted(folder: Path, lane: object, *more: str) -> Path:
        written.append(lane.next)  # type: ignore[attr-defined]
        return save(folder, lane, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(snapshot, "save", counted)
    on = stage(tmp_path, snapshot_every=4)
    for number in range(120):
        on.process([record(article(number, f"Headline number {number} of many"), number)])
        on.committed({LANE: number + 1})
    steps = [after - before for before, after in pairwise(written)]
    assert written[:3] == [4, 8, 12]
    assert steps[-1] >= written[-1] // SNAPSHOT_SHARE > 4
    # ... but no longer than the operator would wait at a restart.
    written.clear()
    on = stage(tmp_path, snapshot_every=4, snapshot_at_latest=6)
    for number in range(120, 160):
        on.process([record(article(number, f"Headline number {number} of many"), number)])
        on.committed({LANE: number + 1})
    assert [after - before for before, after in pairwise(written)] == [6] * (len(written) - 1)
    assert len(written) > 2
