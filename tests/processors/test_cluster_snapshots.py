"""How often the cluster stage writes its state."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from processors.cluster import snapshot
from processors.cluster.stage import SNAPSHOT_SHARE
from tests.processors.cluster_world import LANE, article, record, stage


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
