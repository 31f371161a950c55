"""What an operator does with feeds, on either database.

The program runs inside the test's process (a start takes longer than most of these commands), once
also as one of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer.main

from dateline.cli import app, main
from ingest import feeds
from ingest.feeds import Entry
from store import tables
from store.engine import open_database
from tests.dateline.program import command, environment
from tests.dateline.test_cli import told
from tests.ingest.world import Site, item, rss, started

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """`dateline feeds …` in the test's folder, with the loopback network allowed."""
    for name in [name for name in os.environ if name.startswith("DATELINE_")]:
        if not name.startswith("DATELINE_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DATELINE_INGEST__ALLOW_NETWORKS", '["127.0.0.0/8"]')
    monkeypatch.setenv("DATELINE_INGEST__HOST_GAP", "0")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def go(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        given = ["dateline", "feeds", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", given)
        code: int | str | None = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        assert isinstance(code, int)
        captured = capfd.readouterr()
        return subprocess.CompletedProcess(given, code, captured.out, captured.err)

    return go


@pytest.fixture
def site() -> Iterator[Site]:
    """Serves from a thread, so that a process can be waited for."""
    made, ready, loop = Site(), threading.Event(), asyncio.new_event_loop()

    def serve() -> None:
        runner = loop.run_until_complete(started(made))
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(10)
    yield made
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def declared(*paths: str) -> bytes:
    links = "".join(
        f'<link rel="alternate" type="application/rss+xml" href="{path}">' for path in paths
    )
    return f"<!doctype html><html><head>{links}</head></html>".encode()


def polled(run: Run) -> list[str]:
    listed = run("list", "--json")
    return [row["url"] for row in json.loads(listed.stdout)]


# -- adding ----------------------------------------------------------------------------------------


def test_the_one_feed_of_a_page_is_added(run: Run, site: Site) -> None:
    site.pages["/"] = declared("/rss")
    site.pages["/rss"] = rss(item(1), title="The [b]one[/b]")
    done = run("add", site.url("/"))
    assert done.returncode == 0, done.stderr
    assert f"Added {site.url('/rss')}: The [b]one[/b]; rss20, 1 item, the newest" in done.stdout
    again = run("add", site.url("/rss"))
    assert "polled already" in again.stdout
    assert polled(run) == [site.url("/rss")]


def test_of_several_feeds_none_is_guessed(run: Run, tmp_path: Path, site: Site) -> None:
    site.pages["/"] = declared("/world", "/sport")
    site.pages["/world"], site.pages["/sport"] = rss(item(1)), rss(item(2), item(3))
    done = run("add", site.url("/"))
    line = told(done, 2)
    assert "2 feeds" in line
    assert "--first" in line
    assert site.url("/world") in done.stdout
    assert not list(tmp_path.iterdir())  # nothing was added, so nothing was made
    run("add", "--first", site.url("/"))
    assert polled(run) == [site.url("/world")]
    both = json.loads(run("add", "--all", "--json", site.url("/")).stdout)
    assert both[0]["added"] == [site.url("/sport")]
    assert both[0]["known"] == [site.url("/world")]
    assert [f["items"] for f in both[0]["found"]] == [1, 2]


def test_a_person_is_asked_which(run: Run, tmp_path: Path, site: Site) -> None:
    site.pages["/"] = declared("/world", "/sport", "/arts")
    for n, path in enumerate(("/world", "/sport", "/arts")):
        site.pages[path] = rss(item(n))
    ours, theirs = pty.openpty()
    os.write(ours, b"4\n3,1\n")  # 4 there is not, so it is asked again
    process = subprocess.Popen(
        command("feeds", "add", site.url("/")), cwd=tmp_path, stdin=theirs, stdout=theirs,
        stderr=subprocess.DEVNULL, env={**environment(), **dict(os.environ)},
    )  # fmt: skip
    os.close(theirs)
    try:
        with contextlib.suppress(OSError):  # Linux says EIO at the end of a terminal
            while os.read(ours, 65536):
                pass
        assert process.wait(60) == 0
    finally:
        process.kill()
        os.close(ours)
    assert polled(run) == [site.url("/arts"), site.url("/world")]


def test_a_good_address_is_added_beside_a_bad_one(run: Run, tmp_path: Path, site: Site) -> None:
    site.pages["/rss"] = rss(item(1))
    line = told(run("add", site.url("/rss"), site.url("/none")), 1)
    assert "404" in line
    assert polled(run) == [site.url("/rss")]


def test_without_a_check_nobody_is_asked(run: Run, tmp_path: Path, site: Site) -> None:
    done = run(
        "add", "--no-check", "--outlet", "x.example", "--folder", "A/B", "--full-text",
        site.url("/page"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert site.requests == []
    shown = json.loads(run("show", site.url("/page"), "--json").stdout)
    assert (shown["outlet"], shown["folder"], shown["full_text"]) == ("x.example", "A/B", True)


# -- checking --------------------------------------------------------------------------------------


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


# -- lists -----------------------------------------------------------------------------------------

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


# -- looking and changing --------------------------------------------------------------------------


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


# -- documentation ---------------------------------------------------------------------------------


def test_every_command_and_option_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "ingest.md").read_text(encoding="utf-8")
    group: Any = typer.main.get_command(app)
    missing = []
    for name, command_ in group.commands["feeds"].commands.items():
        options = [o for p in command_.params for o in (*p.opts, *p.secondary_opts)]
        wanted = [name, *(o for o in options if o.startswith("--") and o != "--help")]
        missing += [
            f"{name} {w}" for w in wanted if not re.search(rf"(?<![\w-]){w}(?![\w-])", text)
        ]
    assert not missing
