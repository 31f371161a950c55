"""Feeds are looked at and changed, on either database; every option is documented."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer.main

from dateline.cli import app
from ingest import feeds
from ingest.feeds import Entry
from store import tables
from store.engine import open_database
from tests.conftest import ROOT
from tests.dateline.feeds.program import Run
from tests.dateline.program import told


def test_without_a_database_one_learns_how_to_begin_and_none_is_made(
    run: Run, tmp_path: Path
) -> None:
    for arguments in ((), ("list",)):
        done = run(*arguments)
        assert done.returncode == 0
        assert "dateline feeds add" in done.stdout
    assert json.loads(run("list", "--json").stdout) == []
    assert run("list", "--unhealthy").returncode == 0
    assert "no database yet" in told(run("pause", "https://a.example/"), 2)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def stocked(database_url: str) -> Iterator[tuple[str, sa.Engine]]:
    """A database with a healthy, a silent and a paused feed; the healthy one has been polled."""
    engine = open_database(database_url, upgrade=True)
    names = ("well", "silent", "paused")
    feeds.add_many(engine, [Entry(url=f"https://{n}.example/rss", folder="F") for n in names])
    f = tables.feeds
    now = datetime.now(UTC)
    with engine.begin() as db:
        set_ = f.update().values
        db.execute(set_(health="ok", items_per_day=12.5).where(f.c.url.contains("well")))
        db.execute(
            set_(health="silent", why="nothing new for 9 days").where(f.c.url.contains("sil"))
        )
        for back in (timedelta(minutes=5), timedelta(days=1)):
            db.execute(
                tables.polls.insert().values(
                    source="https://well.example/rss", at=now - back, status=200, seen=3, stored=2,
                    duplicate=1, revised=0, filtered=0, dead=0,
                    reasons={"duplicate: unchanged": 1},
                )
            )  # fmt: skip
    yield database_url, engine
    engine.dispose()


@pytest.fixture
def on(stocked: tuple[str, sa.Engine], run: Run) -> Run:
    return lambda *arguments: run(*arguments, "--db", stocked[0])


def test_the_list_says_who_needs_somebody(on: Run, run: Run) -> None:
    everything = on("list").stdout
    assert "well.example" in everything
    assert "nothing new for 9 days" in everything
    ill: list[dict[str, Any]] = json.loads(on("list", "--unhealthy", "--json").stdout)
    assert [(row["url"], row["health"]) for row in ill] == [
        ("https://silent.example/rss", "silent")
    ]
    assert datetime.fromisoformat(ill[0]["next_at"]).tzinfo is not None
    assert len(json.loads(on("list", "--folder", "F", "--json").stdout)) == 3
    assert json.loads(on("list", "--folder", "G", "--json").stdout) == []
    assert "3 feeds: 3 active.\nUnhealthy: 1 silent." in on().stdout
    assert "behind the command" in told(run("--db", "other.db", "list"), 2)


def test_a_feed_that_nobody_polls_is_late(on: Run, stocked: tuple[str, sa.Engine]) -> None:
    assert "late" not in on("list").stdout
    with stocked[1].begin() as db:
        late = datetime.now(UTC) - timedelta(hours=3, minutes=1)
        db.execute(tables.feeds.update().values(next_at=late))
    assert on("list").stdout.count("3 h late") == 3


def test_one_feed_in_detail(on: Run) -> None:
    shown = on("show", "well.example/rss").stdout
    assert "12.5 items a day" in shown
    assert "2 duplicate: unchanged" in shown
    assert "2 stored, 1 duplicate" in shown
    detail = json.loads(on("show", "well.example/rss", "--json").stdout)
    assert len(detail["polls"]) == 2
    assert sum(day["stored"] for day in detail["days"]) == 4
    assert "did you mean" in told(on("show", "https://wel.example/rss"), 2)


def test_feeds_are_paused_resumed_and_removed(on: Run, stocked: tuple[str, sa.Engine]) -> None:
    url, engine = "https://well.example/rss", stocked[1]

    def state() -> str:
        return feeds.find(engine, url).state

    assert on("pause", url).returncode == 0
    assert state() == "paused"
    assert "resume" in told(on("poll-now", url), 2)
    assert on("resume", url).returncode == 0
    assert state() == "active"
    with engine.begin() as db:
        later = datetime.now(UTC) + timedelta(days=1)
        db.execute(tables.feeds.update().values(next_at=later))
    assert on("poll-now", "http://www.well.example/rss/").returncode == 0
    assert feeds.find(engine, url).next_at <= datetime.now(UTC)
    assert on("remove", url).returncode == 0
    assert url not in [feed.url for feed in feeds.listing(engine)]
    told(on("remove", url), 2)


def test_every_command_and_option_is_documented() -> None:
    text = (ROOT / "docs" / "ingest.md").read_text(encoding="utf-8")
    group: Any = typer.main.get_command(app)
    missing = []
    for name, command_ in group.commands["feeds"].commands.items():
        options = [o for p in command_.params for o in (*p.opts, *p.secondary_opts)]
        wanted = [name, *(o for o in options if o.startswith("--") and o != "--help")]
        missing += [
            f"{name} {w}" for w in wanted if not re.search(rf"(?<![\w-]){w}(?![\w-])", text)
        ]
    assert not missing
