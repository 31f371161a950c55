"""The list of feeds: adding, OPML, checking before adding."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ingest import feeds, opml
from ingest.check import check
from ingest.settings import IngestSettings
from stream.errors import DatelineError, UsageError
from tests.ingest.conftest import START, World, item, rss, running


def test_a_feed_is_added_once_and_due_at_once(world: World) -> None:
    assert feeds.add(world.engine, "news.example/rss", now=START)
    assert not feeds.add(world.engine, "https://news.example/rss", "news.example", now=START)
    (feed,) = feeds.due(world.engine, START)
    assert (feed.url, feed.outlet) == ("https://news.example/rss", "news.example")


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "javascript:alert(1)", "http://"])
def test_what_cannot_be_polled_is_not_added(world: World, url: str) -> None:
    with pytest.raises(UsageError):
        feeds.add(world.engine, url)
    assert feeds.listing(world.engine) == []


def test_many_feeds_are_spread_over_time(world: World) -> None:
    entries = [(f"https://news.example/{n}", None, None) for n in range(500)]
    assert feeds.add_many(world.engine, entries, now=START) == 500
    assert 50 <= len(feeds.due(world.engine, START)) < 500


def test_a_paused_feed_is_not_polled_until_it_is_active_again(world: World) -> None:
    feeds.add(world.engine, "https://news.example/rss", now=START)
    assert feeds.set_state(world.engine, "https://news.example/rss", "paused", now=START)
    assert feeds.due(world.engine, START) == []
    assert feeds.set_state(world.engine, "https://news.example/rss", "active", now=START)
    assert len(feeds.due(world.engine, START)) == 1


def test_gone_is_believed_after_repeats_only(world: World) -> None:
    feeds.add(world.engine, "https://news.example/rss", now=START)
    (feed,) = feeds.listing(world.engine)
    states = []
    for errors in range(8):
        feed.errors_in_row = errors
        columns = feeds.after_error(
            feed, START, world.settings, sentence="Gone", status=410, retry_after=None
        )
        states.append(columns["state"])
    assert states[0] == "active"
    assert states[-1] == "gone"


def test_opml_goes_out_and_comes_back(world: World, tmp_path: Path) -> None:
    feeds.add(world.engine, "https://news.example/rss", title="News & more", now=START)
    opml.write(tmp_path / "feeds.opml", feeds.listing(world.engine))
    (entry,) = opml.read(tmp_path / "feeds.opml")
    assert entry == opml.Entry("https://news.example/rss", "News & more")


@pytest.mark.parametrize(
    "content",
    [
        "name,url\nx,https://news.example/\n",
        "<rss/>",
        '<!DOCTYPE opml [<!ENTITY a "b">]><opml><body><outline text="&a;"/></body></opml>',
        "",
    ],
)
def test_what_is_no_opml_is_refused_with_a_clear_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.opml"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"x\.opml"):
        opml.read(path)


def test_check_shows_items_as_they_would_be_ingested(world: World, tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_bytes(rss(item(1), item(1), item(2, title="", text="")))
    rows = check(str(path), world.settings)
    assert [r["fate"] for r in rows] == ["stored", "duplicate", "filtered"]
    assert rows[0]["title"] == "Headline number 1 of the day"
    assert rows[0]["url"] == "https://news.example/1"
    assert world.articles() == []


def test_check_asks_a_url_and_says_why_it_failed(world: World) -> None:
    world.site.pages["/a"] = rss(item(1))

    async def scenario() -> None:
        rows = await asyncio.to_thread(check, world.site.url("/a"), world.settings)
        assert len(rows) == 1
        with pytest.raises(DatelineError, match="404"):
            await asyncio.to_thread(check, world.site.url("/missing"), world.settings)
        with pytest.raises(DatelineError, match="not public"):
            await asyncio.to_thread(check, world.site.url("/a"), IngestSettings())

    running(scenario, world)
    with pytest.raises(UsageError):
        check("nothing", world.settings)
