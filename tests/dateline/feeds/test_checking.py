"""A document is checked, and shown without harm."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.dateline.feeds.program import Run
from tests.dateline.program import command, environment, told
from tests.ingest.world import item, rss


def test_check_tells_items_as_one_object_a_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(rss(item(1), item(1)))
    (tmp_path / "b.xml").write_bytes(b"<html></html>")
    done = run("check", "--json", "a.xml", "b.xml")
    assert done.returncode == 1
    assert done.stderr == ""
    one, other = map(json.loads, done.stdout.splitlines())
    assert (one["target"], one["counts"]["duplicate"], one["refusal"]) == ("a.xml", 1, None)
    assert (other["target"], other["refusal"]["kind"]) == ("b.xml", "page")
    assert not (tmp_path / "dateline.db").exists()


@pytest.mark.parametrize("columns", [80, 200])
def test_check_fits_the_window_and_prints_hostile_text_as_text(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    hostile, long = "[/b][link=file:///x]Ferry [blink]sinks", f"https://n.example/{'a' * 300}"
    body = rss(
        item(1, title=hostile, link=long), item(2, date=None), item(2, date=None),
        title="A &#x202e;title[/]",
    )  # fmt: skip
    (tmp_path / "a.xml").write_bytes(body)
    monkeypatch.setenv("COLUMNS", str(columns))
    done = run("check", "a.xml")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= columns
    assert hostile in " ".join(done.stdout.split())
    assert "no date" in done.stdout
    assert "3 items: 2 stored, 1 duplicate" in done.stdout
    assert "\u202e" not in done.stdout


def test_a_refused_document_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(b"")
    assert "empty" in told(run("check", "a.xml"), 1)
    assert "neither a URL nor a file" in told(run("check", "absent"), 2)


def test_as_a_process_a_document_comes_through_a_pipe(tmp_path: Path) -> None:
    done = subprocess.run(
        command("feeds", "check", "-", "--json"), input=rss(item(1)), cwd=tmp_path,
        env=environment(), capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["counts"]["stored"] == 1
