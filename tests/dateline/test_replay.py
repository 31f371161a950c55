"""An archive through the whole program: what the database holds afterwards, and what is printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from store.compare import derived_rows
from store.connection import reading
from store.engine import open_database
from tests.dateline.program import EVENTS, dateline

FLOOD = (
    ("r1", "River Arle bursts its banks at Tollmere", "The Arle rose above its flood wall at"
     " Tollmere before dawn and water reached the market square.", "2024-02-03T06:10:00+00:00"),
    ("r2", "Tollmere under water after the Arle overtops its wall", "Four hundred people left"
     " their homes in Tollmere as the river Arle came over the wall.", "2024-02-03T08:40:00+00:00"),
    ("r3", "Pumps arrive in flooded Tollmere", "Fire crews from three counties are pumping the"
     " market square of Tollmere, where the Arle is falling slowly.", "2024-02-04T11:00:00+00:00"),
    ("r4", "Bakers' strike enters a second week in Harnow", "Bakers in Harnow voted to stay out"
     " over night pay; two mediators have been named.", "2024-02-05T09:00:00+00:00"),
    ("r5", "Harnow bakers reject a four per cent offer", "The bakers' union in Harnow turned down"
     " four per cent and asks for a night bonus.", "2024-02-06T17:30:00+00:00"),
    ("r6", "Chess: sixteen-year-old wins the Lindholm open", "Ida Vass drew her last game and took"
     " the Lindholm open by half a point.", "2024-02-06T20:15:00+00:00"),
    ("r7", "Observatory at Kestrel Point reopens its dome", "After two years of repairs the"
     " telescope at Kestrel Point sees the sky again.", "2024-02-07T10:00:00+00:00"),
    ("r8", "Ferry to Osk island cancelled until Monday", "A cracked shaft keeps the Osk ferry in"
     " port; a fishing boat carries the post.", "2024-02-08T07:45:00+00:00"),
    ("r9", "Trump and Kim shake hands at the DMZ", "Donald Trump met Kim Jong Un at Panmunjom on"
     " Sunday and stepped across the demarcation line.", "2019-06-30T09:00:00+00:00"),
    ("r10", "Vineyards in the Sorne valley fear late frost", "Growers lit candles between the rows"
     " as the thermometer fell to minus three.", "2024-02-09T05:30:00+00:00"),
    ("r11", "Library of Tollmere dries nine thousand books", "Volunteers spread the flooded books"
     " of the Tollmere library in a sports hall.", "2024-02-10T13:00:00+00:00"),
    ("r12", "Why small towns keep their clock towers", "An essay on keeping time in public, from"
     " brass wheels to radio signals.", None),
)  # fmt: skip


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    engine = open_database(database)
    try:
        with reading(engine) as connection:
            return [tuple(row) for row in connection.execute(sa.text(query))]
    finally:
        engine.dispose()


def everything(database: Path) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
    engine = open_database(database)
    try:
        return derived_rows(engine)
    finally:
        engine.dispose()


def said(folder: Path, *arguments: str | Path) -> str:
    """Standard output of a command that succeeds."""
    done = dateline(folder, *arguments)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def editorials(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `seeds.db`, the two editorials replayed against the sample events."""
    folder = tmp_path_factory.mktemp("editorials")
    said(folder, "replay", shared_data / "seeds.jsonl", "--events", EVENTS)
    return folder


@pytest.mark.parametrize(
    ("ref", "event", "rival"),
    [
        ("seed-000", "kim-trump-singapore", "kim-moon-panmunjom"),  # it carries a date
        ("seed-001", "kim-trump-dmz", "kim-trump-hanoi"),  # it carries none
    ],
)
def test_editorial_matches_its_event_before_the_look_alike(
    editorials: Path, shared_data: Path, ref: str, event: str, rival: str
) -> None:
    found = {
        event_id: json.loads(reasons)
        for event_id, article, matched, reasons in rows(
            editorials / "seeds.db", "SELECT event_id, ref, matched, reasons FROM v_matches"
        )
        if article == ref and matched
    }
    assert event in found
    assert found[event]["rival"] == rival
    texts = map(json.loads, (shared_data / "seeds.jsonl").read_text("utf-8").splitlines())
    text = next(one["text"] for one in texts if one["id"] == ref)
    explained = said(editorials, "events", "explain", event, ref, "--db", "seeds.db")
    sentence = explained.split("speaks most for it: “", 1)[1].split("”\n", 1)[0]
    # Word for word; only the line breaks of the page are the printer's own.
    assert len(sentence.split()) > 5
    assert " ".join(sentence.split()) in " ".join(text.split())
    assert found[event]["sentence"] in text
    assert rival in explained


def test_undated_editorial_matches_only_one_event(editorials: Path) -> None:
    query = "SELECT event_id FROM v_matches WHERE ref = 'seed-001' AND matched"
    assert rows(editorials / "seeds.db", query) == [("kim-trump-dmz",)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `small.jsonl` (twelve articles and a broken line) replayed into `small.db`."""
    folder = tmp_path_factory.mktemp("small")
    lines = [
        json.dumps({"id": ref, "title": title, "text": text, "published": published})
        for ref, title, text, published in FLOOD
    ]
    lines.insert(5, '{"id": "torn", "title": "A line that ends in the mid')
    (folder / "small.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    said(folder, "replay", "small.jsonl", "--events", EVENTS)
    return folder


def test_every_article_is_in_one_story(small: Path) -> None:
    held = rows(small / "small.db", "SELECT ref, story_id FROM v_story_articles")
    assert sorted(ref for ref, _ in held) == sorted(one[0] for one in FLOOD)
    assert all(story for _, story in held)


def test_broken_line_is_counted_with_its_number(small: Path) -> None:
    fates = rows(small / "small.db", "SELECT fate, reason, count FROM v_fates WHERE fate = 'dead'")
    assert sum(count for _, _, count in fates) == 1
    assert "line 6" in " ".join(reason for _, reason, _ in fates)


def test_article_without_a_date_is_stored_without_one(small: Path) -> None:
    query = "SELECT ref FROM v_articles WHERE published IS NULL"
    assert rows(small / "small.db", query) == [("r12",)]


def test_second_replay_changes_nothing(small: Path) -> None:
    before = everything(small / "small.db")
    assert len(before["articles"]) == len(FLOOD)
    said(small, "replay", "small.jsonl", "--events", EVENTS)
    assert everything(small / "small.db") == before


def test_audit_finds_no_gaps(small: Path) -> None:
    assert "0 gaps" in said(small, "audit", "--db", "small.db")


def test_rebuilt_database_holds_the_same_rows(small: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.db"
    said(small, "db", "rebuild", again, "--db", "small.db")
    assert said(small, "db", "compare", again, "--db", "small.db").strip() == "The same rows."
    engine = open_database(again)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE articles SET title = 'Other' WHERE ref = 'r4'"))
    engine.dispose()
    assert dateline(small, "db", "compare", again, "--db", "small.db").returncode == 1


@pytest.mark.slow
def test_real_archive_keeps_every_article_once(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "clustering" / "localnews-dev.jsonl"
    if not file.exists():
        pytest.skip("localnews-dev.jsonl is not on this machine")
    wanted = sorted(json.loads(line)["id"] for line in file.read_text("utf-8").splitlines())
    said(tmp_path, "replay", file, "--db", "local.db")
    held = rows(tmp_path / "local.db", "SELECT ref FROM v_story_articles")
    assert sorted(ref for (ref,) in held) == wanted
    assert "0 gaps" in said(tmp_path, "audit", "--db", "local.db")
