"""Replay of archives: deterministic, complete, and never stopped by a bad line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest import archive
from stream.errors import Unavailable, UsageError
from stream.records import BACKFILL_LANE, MAX_ARTICLE_BYTES, encode
from tests.ingest.world import World


def _file(folder: Path, rows: Sequence[object], name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return path


def _row(n: int, **other: object) -> dict[str, object]:
    return {
        "id": f"r{n}", "title": f"Headline {n}", "text": f"Text of article {n}.", "lang": "en",
        "published": f"2021-07-{n + 1:02}T08:00:00", "source": "News.Example", "url": None,
    } | other  # fmt: skip


def test_the_same_archive_twice_appends_nothing_new(world: World, tmp_path: Path) -> None:
    path = _file(tmp_path, [_row(n) for n in range(5)])
    first = archive.replay(path, world.log, world.engine)
    second = archive.replay(path, world.log, world.engine)
    assert (first.seen, first.stored) == (5, 5)
    assert (second.seen, second.duplicate) == (5, 5)
    assert len(world.articles()) == 5
    assert [row.seen for row in world.ledger()] == [5, 5]


def test_rows_carry_their_fields(world: World, tmp_path: Path) -> None:
    row = _row(1, published="2021-07-02T08:00:00+02:00", url="HTTPS://News.Example/1#x", more=[1])
    archive.replay(_file(tmp_path, [row]), world.log, world.engine)
    (found,) = world.articles()
    assert (found.ref, found.title, found.text) == ("r1", "Headline 1", "Text of article 1.")
    assert (found.outlet, found.lang, found.url) == (
        "news.example",
        "en",
        "https://news.example/1#x",
    )
    assert found.published == found.fetched == datetime(2021, 7, 2, 6, tzinfo=UTC)
    assert (found.published_from, found.lane) == ("feed", BACKFILL_LANE)


def test_an_undated_article_takes_the_time_of_the_dated_one_before_it(
    world: World, tmp_path: Path
) -> None:
    rows = [_row(n, published=None) if n in (0, 2) else _row(n) for n in range(4)]
    rows.append(_row(4, published="?"))
    archive.replay(_file(tmp_path, rows), world.log, world.engine)
    days = {a.ref: a.fetched.day for a in world.articles()}
    assert days == {"r0": 2, "r1": 2, "r2": 2, "r3": 4, "r4": 4}
    undated = world.articles()[2]
    assert (undated.published, undated.published_from) == (None, "none")


def test_a_wholly_undated_archive_has_a_fixed_time(world: World, tmp_path: Path) -> None:
    archive.replay(_file(tmp_path, [_row(0, published=None)]), world.log, world.engine)
    assert world.articles()[0].fetched == archive.UNDATED


def test_broken_lines_are_dead_with_their_number_and_the_rest_goes_on(
    world: World, tmp_path: Path
) -> None:
    rows = [_row(0), "{broken", "", _row(1, title=5), "[1]", _row(2), _row(3, title=None, text="")]
    report = archive.replay(_file(tmp_path, rows), world.log, world.engine)
    assert (report.seen, report.stored, report.dead, report.filtered) == (6, 2, 3, 1)
    assert report.reasons["dead: line 2: not valid JSON"] == 1
    assert report.reasons["dead: line 4: title is no text"] == 1
    assert report.reasons["filtered: no title and no text"] == 1


def test_rows_that_repeat_an_id_are_revisions_once(world: World, tmp_path: Path) -> None:
    rows = [_row(0), _row(0, text="Edited."), _row(0, text="Edited."), _row(0)]
    path = _file(tmp_path, rows)
    first = archive.replay(path, world.log, world.engine)
    assert (first.stored, first.revised, first.duplicate) == (1, 2, 1)
    again = archive.replay(path, world.log, world.engine)
    assert (again.stored, again.revised, again.duplicate) == (0, 0, 4)
    assert len({(a.id, a.revision) for a in world.articles()}) == 3


def test_rows_with_the_same_words_are_articles_of_their_own(world: World, tmp_path: Path) -> None:
    rows = [_row(n, title="Same", text="Words.", url="https://news.example/1") for n in range(3)]
    report = archive.replay(_file(tmp_path, rows), world.log, world.engine)
    assert report.stored == 3


def test_rows_without_id_are_known_by_url_or_words(world: World, tmp_path: Path) -> None:
    rows = [
        _row(0, id=None, url="https://news.example/a"),
        _row(0, id=None, url="https://www.news.example/a/?utm_source=x"),
        _row(1, id=None),
        _row(1, id=None),
    ]
    report = archive.replay(_file(tmp_path, rows), world.log, world.engine)
    assert (report.stored, report.duplicate) == (2, 2)


def test_a_killed_run_goes_on_and_repeats_the_same_ids(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _file(tmp_path, [_row(n) for n in range(6)])
    monkeypatch.setattr(archive, "_CHUNK", 2)
    saves = 0
    real = archive._Run._ledger

    def dies(self: archive._Run, *args: object) -> None:
        nonlocal saves
        saves += 1
        if saves == 2:
            raise Unavailable("killed between append and save")
        real(self, *args)  # type: ignore[arg-type]

    with monkeypatch.context() as broken:
        broken.setattr(archive._Run, "_ledger", dies)
        with pytest.raises(Unavailable):
            archive.replay(path, world.log, world.engine)
    report = archive.replay(path, world.log, world.engine)
    assert (report.duplicate, report.stored) == (2, 4)
    names = [(a.id, a.revision) for a in world.articles()]
    assert len(names) == 8
    assert len(set(names)) == 6
    assert names[2:4] == names[4:6]


def test_an_article_too_large_for_a_record_is_cut_and_says_so(world: World, tmp_path: Path) -> None:
    text = 'He said "no" and left. ' * 40_000
    report = archive.replay(_file(tmp_path, [_row(0, text=text)]), world.log, world.engine)
    (found,) = world.articles()
    assert len(encode(found)) <= MAX_ARTICLE_BYTES
    assert found.text.endswith("left.")
    assert report.reasons == {"stored: new; text cut to fit a record": 1}


@pytest.mark.parametrize("content", ["", "id,title\n1,x\n", "<rss/>\n", "[1]\n[2]\n"])
def test_what_is_no_archive_is_refused(world: World, tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(content)
    with pytest.raises(UsageError):
        archive.replay(path, world.log, world.engine)
    assert world.ledger() == []


def test_a_missing_archive_is_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.jsonl"):
        archive.replay(tmp_path / "nowhere.jsonl", world.log, world.engine)


def test_progress_reaches_the_number_of_lines(world: World, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = _file(tmp_path, [_row(n) for n in range(5)])
    archive.replay(path, world.log, world.engine, progress=lambda *now: told.append(now))
    assert told[-1] == (5, 5)


@pytest.mark.parametrize(
    "name",
    ["seeds.jsonl", "clustering/og2021-dev.jsonl", "clustering/localnews-dev.jsonl",
     "clustering/ecbplus-train.jsonl", "clustering/mmds2025-dev.jsonl"],
)  # fmt: skip
def test_every_line_of_the_real_archives_becomes_an_article(
    world: World, shared_data: Path, name: str
) -> None:
    path = shared_data / name
    lines = sum(1 for line in path.read_text().splitlines() if line.strip())
    report = archive.replay(path, world.log, world.engine)
    assert (report.seen, report.stored) == (lines, lines)
    assert len({a.ref for a in world.articles()}) == lines
