"""A loss at any step of ingest is a gap in its books."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ingest.archive import replay
from ingest.articles import fates, normalise
from ingest.books import intake
from ingest.books.intake import Intake
from store.audit import audit
from tests.ingest.settling import brought, gaps, read_item, settle
from tests.ingest.world import World


def _lose_last(real: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    return lambda *args, **kwargs: real(*args, **kwargs)[:-1]


@pytest.mark.parametrize(
    ("where", "name"), [(normalise, "candidates"), (fates, "best")], ids=["normalise", "best"]
)
def test_an_item_lost_before_it_is_decided_is_a_gap(
    world: World, monkeypatch: pytest.MonkeyPatch, where: Any, name: str
) -> None:
    monkeypatch.setattr(where, name, _lose_last(getattr(where, name)))
    settle(world, brought(world, "https://news.example/a", read_item(1), read_item(2)))
    assert gaps(world) == ["2 items seen, 1 have a fate"]


def test_an_item_whose_fate_is_not_booked_is_a_gap(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fates.Tally.add

    def forgets(tally: fates.Tally, fate: str, reason: str = "", count: int = 1) -> None:
        if fate != fates.FILTERED:
            real(tally, fate, reason, count)

    monkeypatch.setattr(fates.Tally, "add", forgets)
    settle(
        world,
        brought(world, "https://news.example/a", read_item(1), read_item(2, title="", text="")),
    )
    assert gaps(world) == ["2 items seen, 1 have a fate"]


def test_an_article_lost_on_its_way_to_the_database_is_a_gap(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = intake._save_identities

    def forgets(db: sa.Connection, deliveries: Any, known: Any) -> None:
        del deliveries[0].new[-1]
        real(db, deliveries, known)

    monkeypatch.setattr(intake, "_save_identities", forgets)
    settle(world, brought(world, "https://news.example/a", read_item(1), read_item(2)))
    assert gaps(world) == ["2 items were stored, 1 articles known"]


def test_an_article_lost_before_the_log_is_a_gap(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Intake, "_append", lambda *_: None)
    settle(world, brought(world, "https://news.example/a", read_item(1)))
    assert [gap.what for gap in audit(world.engine).gaps] == ["revision"]


def test_a_line_lost_from_an_archive_is_a_gap(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.jsonl"
    path.write_text('{"id": "1", "title": "One"}\n{"id": "2", "title": "Two"}\nbroken\n')
    real = fates.decide
    monkeypatch.setattr(
        fates, "decide", lambda c, *rest: ("lost", "") if c.position == 2 else real(c, *rest)
    )
    assert replay(path, world.log, world.engine).seen == 3
    assert "3 items seen, 2 have a fate" in gaps(world)
