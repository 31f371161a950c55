"""Lists of feeds come in and go out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.dateline.feeds.program import Run

LIST = """<?xml version="1.0"?>
<opml version="2.0"><body><outline text="Asia">
<outline type="rss" text="A" xmlUrl="https://a.example/rss"/>
<outline type="rss" text="Again" xmlUrl="http://www.a.example/rss/"/>
<outline type="rss" text="Bad" xmlUrl="javascript:alert(1)"/>
</outline></body></opml>"""


def test_a_dry_run_changes_nothing_at_all(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list.opml").write_text(LIST)
    done = run("import", "list.opml", "--dry-run", "--json")
    assert done.returncode == 1
    told_of = json.loads(done.stdout)
    assert told_of["counts"] == {"added": 1, "known": 1, "problems": 1}
    assert told_of["problems"][0]["line"] == 5
    assert [p.name for p in tmp_path.iterdir()] == ["list.opml"]


def test_a_list_comes_in_and_goes_out(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "list.opml").write_text(LIST)
    done = run("import", "list.opml")
    assert done.returncode == 1
    assert "Added 1 feed" in done.stdout
    assert "line 5: javascript:alert(1)" in done.stdout
    out = run("export").stdout
    assert '<outline text="Asia">' in out
    assert "https://a.example/rss" in out
    other = tmp_path / "other"
    other.mkdir()
    (other / "list.opml").write_text(out)
    monkeypatch.chdir(other)
    assert run("import", "list.opml").returncode == 0
    assert run("export").stdout == out
