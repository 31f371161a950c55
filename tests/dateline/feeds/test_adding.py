"""Feeds are added: from a page that declares them, or as they are."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
from pathlib import Path

from tests.dateline.feeds.program import Run, polled
from tests.dateline.program import command, environment, told
from tests.ingest.world import Site, item, rss


def declared(*paths: str) -> bytes:
    links = "".join(
        f'<link rel="alternate" type="application/rss+xml" href="{path}">' for path in paths
    )
    return f"<!doctype html><html><head>{links}</head></html>".encode()


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
