"""What a check says is what a poll would do, item by item."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path

import pytest

from ingest import feeds
from ingest.settings import IngestSettings
from ingest.subscriptions.check import Served, check, check_all
from ingest.subscriptions.checked import Checked
from stream.errors import UsageError
from tests.ingest.world import START, World, item, rss, running

SETTINGS = IngestSettings()
KEYS = [
    "target", "url", "kind", "encoding", "title", "link", "language", "hints", "ended", "refusal",
    "items", "left_out", "counts",
]  # fmt: skip
ITEM_KEYS = [
    "position", "fate", "reason", "title", "url", "guid", "published", "published_from", "author",
    "lang", "outlet", "text", "article_id",
]  # fmt: skip


def checked(folder: Path, body: bytes, served: Served | None = None) -> Checked:
    path = folder / "feed.xml"
    path.write_bytes(body)
    return check(str(path), SETTINGS, served)


def test_items_come_in_the_documents_order_each_with_its_fate(tmp_path: Path) -> None:
    short, full = item(1, text="Short."), item(1, text="Short. But this one tells more of it.")
    found = checked(tmp_path, rss(item(2, title="", text=""), short, full, item(3)))
    assert [i.position for i in found.items] == [0, 1, 2, 3]
    # Of one article that stands twice the fuller text is taken, as in a poll.
    assert [i.fate for i in found.items] == ["filtered", "duplicate", "stored", "stored"]
    assert all(i.reason for i in found.items if i.fate != "stored")
    assert found.items[2].title == "Headline number 1 of the day"
    assert found.items[2].url == "https://news.example/1"
    assert found.counts == {"seen": 4, "stored": 2, "duplicate": 1, "filtered": 1, "dead": 0}


def test_a_check_says_what_a_poll_then_does(world: World, tmp_path: Path) -> None:
    body = rss(
        item(1), item(1), item(2, title="", text=""), item(3, date="yesterday or so"),
        item(4, link="", guid="https://news.example/4"), "<item><title>Cut",
    )  # fmt: skip
    world.site.pages["/feed"] = body
    reports = []

    async def scenario() -> None:
        feeds.add(world.engine, world.site.url("/feed"), now=START)
        reports.extend(await world.polled())

    running(scenario, world)
    found = checked(tmp_path, body, Served(base=world.site.url("/feed")))
    (report,) = reports
    polled = {fate: n for fate, n in report.counts.items() if n}
    assert polled == {f: n for f, n in found.counts.items() if n and f != "seen"}
    stored = {a.id: (a.title, a.url, a.published) for a in world.articles()}
    assert stored == {
        i.article_id: (i.title, i.url, i.published) for i in found.items if i.fate == "stored"
    }


def test_the_json_has_every_key_whatever_came(tmp_path: Path) -> None:
    for body in (rss(item(1)), rss(), b"<html>no feed</html>", b""):
        plain = json.loads(json.dumps(checked(tmp_path, body).as_dict()))
        assert list(plain) == KEYS
        assert list(plain["counts"]) == ["seen", "stored", "duplicate", "filtered", "dead"]
        for one in plain["items"]:
            assert list(one) == ITEM_KEYS
    (one,) = checked(tmp_path, rss(item(1))).as_dict()["items"]
    assert one["published"] == "2021-09-20T10:00:00+00:00"
    assert one["published_from"] == "feed"


def test_what_the_document_says_of_itself_is_told(tmp_path: Path) -> None:
    body = rss(item(1), title="Morning &amp; evening", language="de").replace(
        b"<link>", b"<ttl>30</ttl><link>", 1
    )
    found = checked(tmp_path, body)
    assert (found.kind, found.encoding, found.title) == ("rss20", "utf-8", "Morning & evening")
    assert (found.link, found.language) == ("https://news.example/", "de")
    assert found.hints is not None
    assert found.hints["ttl"] == 1800


def test_a_refused_document_says_why(tmp_path: Path) -> None:
    found = checked(tmp_path, b"<!doctype html><html><body>Log in</body></html>")
    assert found.refusal is not None
    assert found.refusal.kind == "page"
    assert "web page" in found.refusal.sentence
    assert found.items == []
    assert found.counts["seen"] == 0


def test_items_beyond_the_cap_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "long.xml"
    path.write_bytes(rss(*(item(n) for n in range(30))))
    found = check(str(path), IngestSettings(max_items=10))
    assert len(found.items) == 10
    assert [(x.fate, x.count) for x in found.left_out] == [("filtered", 20)]
    assert found.counts["seen"] == 30


def test_a_file_is_read_as_if_it_had_been_served(tmp_path: Path) -> None:
    body = rss(item(1, link="/a/1", title="Übung")).replace(b' encoding="utf-8"', b"")
    found = checked(
        tmp_path, body.decode().encode("iso8859-1"),
        Served("https://x.example/feeds/1", "application/rss+xml; charset=iso-8859-1"),
    )  # fmt: skip
    assert found.items[0].url == "https://x.example/a/1"
    assert found.items[0].title == "Übung"
    assert found.encoding == "cp1252"


def test_gzip_is_undone_within_the_cap(tmp_path: Path) -> None:
    assert checked(tmp_path, gzip.compress(rss(item(1)))).counts["stored"] == 1
    twice = gzip.compress(gzip.compress(rss(item(1))))
    assert checked(tmp_path, twice, Served(content_encoding="gzip, gzip")).counts["stored"] == 1
    broken = checked(tmp_path, gzip.compress(rss(item(1)))[:-20])
    bomb = checked(tmp_path, gzip.compress(bytes(SETTINGS.max_bytes + 1)))
    assert broken.refusal is not None
    assert bomb.refusal is not None
    assert (broken.refusal.kind, bomb.refusal.kind) == ("encoding", "too-large")


def test_many_files_are_told_in_their_order(tmp_path: Path) -> None:
    names = []
    for n in range(12):
        path = tmp_path / f"{n}.xml"
        path.write_bytes(rss(*(item(f"{n}-{i}") for i in range(200 if n == 0 else 1))))
        names.append(str(path))
    told: list[Checked] = []
    check_all(names, SETTINGS, told.append, jobs=2)
    assert [c.target for c in told] == names
    assert [c.counts["stored"] for c in told] == [200] + [1] * 11


def test_a_url_is_asked_through_the_guard(world: World) -> None:
    world.site.pages["/a"] = rss(item(1))

    async def asked(path: str, settings: IngestSettings) -> Checked:
        return await asyncio.to_thread(check, world.site.url(path), settings)

    async def scenario() -> None:
        found = await asked("/a", world.settings)
        assert found.url == world.site.url("/a")
        assert found.counts["stored"] == 1
        missing, private = await asked("/b", world.settings), await asked("/a", IngestSettings())
        assert missing.refusal is not None
        assert private.refusal is not None
        assert (missing.refusal.kind, private.refusal.kind) == ("status", "address")

    running(scenario, world)
    assert world.articles() == []


@pytest.mark.parametrize("target", ["nothing", "", "no/such/file.xml", "ftp://news.example/rss"])
def test_what_is_neither_url_nor_file_is_wrong_usage(target: str) -> None:
    with pytest.raises(UsageError):
        check(target, SETTINGS)


def test_every_shared_document_has_a_fate_for_every_item(shared_data: Path) -> None:
    paths = sorted((shared_data / "feeds" / "hostile").glob("*.xml"))
    told: list[Checked] = []
    check_all(map(str, paths), IngestSettings(parse_deadline=30), told.append, jobs=2)
    assert len(told) == len(paths)
    for found in told:
        assert (found.refusal is None) == (found.kind is not None), found.target
        total = sum(n for fate, n in found.counts.items() if fate != "seen")
        assert total == found.counts["seen"], found.target
        assert [i.position for i in found.items] == sorted({i.position for i in found.items})
        json.dumps(found.as_dict()).encode()
