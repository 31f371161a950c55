"""The poller against a real server: every item has a fate, and nothing is new twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from aiohttp import web

from ingest import feeds
from ingest.settings import IngestSettings
from store.engine import open_database
from store.tables import feed_items
from store.tables import feeds as feeds_table
from tests.ingest.world import START, World, add_feed, item, rss, running, sums


def test_captured_feeds_have_a_fate_for_every_item_and_bring_nothing_new_twice(
    world: World, shared_data: Path
) -> None:
    files = [
        f
        for f in sorted((shared_data / "feeds" / "real").iterdir())
        if f.suffix in (".xml", ".json")
    ]
    world.site.pages |= {f"/{f.name}": f.read_bytes() for f in files}

    async def scenario() -> None:
        for f in files:
            add_feed(world, f"/{f.name}")
        first = await world.polled()
        assert [r.url for r in first if r.outcome != "ok"] == []
        appended = len(world.articles())
        assert (
            sum(r.counts.get("stored", 0) + r.counts.get("revised", 0) for r in first) == appended
        )
        assert sum(sum(r.counts.values()) for r in first) >= 4379
        # Served anew with another byte, so that the documents are read again.
        world.site.pages = {p: b + b"\n" for p, b in world.site.pages.items()}  # type: ignore[operator]
        second = await world.polled()
        assert len(second) == len(files)
        assert [(r.url, r.counts) for r in second if set(sums(r)) - {"duplicate", "filtered"}] == []
        assert len(world.articles()) == appended
        seen = [{r.url: sum(r.counts.values()) for r in polled} for polled in (first, second)]
        assert seen[0] == seen[1]

    running(scenario, world)


def test_every_poll_leaves_a_row_whose_fates_add_up(world: World) -> None:
    world.site.pages["/a"] = rss(item(1), item(1), item(2), item(3, title="", text=""))

    async def scenario() -> None:
        add_feed(world, "/a")
        await world.polled()

    running(scenario, world)
    (row,) = world.ledger()
    assert (row.seen, row.stored, row.duplicate, row.filtered, row.dead) == (4, 2, 1, 1, 0)
    assert row.reasons["filtered: no title and no text"] == 1


def test_an_unchanged_feed_is_asked_conditionally(world: World) -> None:
    async def page(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == '"v1"':
            return web.Response(status=304)
        return web.Response(body=rss(item(1)), headers={"ETag": '"v1"'})

    world.site.pages["/a"] = page

    async def scenario() -> None:
        add_feed(world, "/a")
        await world.polled()
        (report,) = await world.polled()
        assert (report.status, report.outcome, report.counts) == (304, "unchanged", {})

    running(scenario, world)
    assert [row.seen for row in world.ledger()] == [1, 0]
    assert len(world.articles()) == 1


def test_articles_are_appended_oldest_first(world: World) -> None:
    world.site.pages["/a"] = rss(
        item(1, date="Mon, 20 Sep 2021 11:00:00 GMT"),
        item(2, date="Mon, 20 Sep 2021 09:00:00 GMT"),
        item(3, date=None),
    )

    async def scenario() -> None:
        add_feed(world, "/a")
        await world.polled()

    running(scenario, world)
    assert [a.ref for a in world.articles()] == ["id-2", "id-1", "id-3"]
    undated = world.articles()[2]
    assert undated.published is None
    assert undated.published_from == "none"
    assert undated.fetched == START + timedelta(days=1)


def test_a_gap_between_two_polls_is_reported(world: World) -> None:
    async def scenario() -> None:
        add_feed(world, "/a")
        world.site.pages["/a"] = rss(item(1), item(2))
        assert not (await world.polled())[0].missed
        world.site.pages["/a"] = rss(item(3), item(4))
        assert (await world.polled())[0].missed

    running(scenario, world)


def test_run_polls_until_the_clock_ends(world: World) -> None:
    from ingest.clock import VirtualClock

    world.site.pages["/a"] = rss(item(1))
    world.clock = VirtualClock(START, START + timedelta(days=2))

    async def scenario() -> None:
        add_feed(world, "/a")
        await asyncio.wait_for(world.poller().run(asyncio.Event()), 60)

    running(scenario, world)
    assert len(world.articles()) == 1
    times = [row.at for row in world.ledger()]
    assert len(times) > 4
    assert max(times) <= START + timedelta(days=2)


def test_run_on_real_time_polls_and_stops_when_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.clock import WallClock
    from ingest.polling import poller

    # The first document waits until its reader has started, which a busy machine may take long for.
    monkeypatch.setattr(poller, "_GRACE_S", 60.0)

    async def scenario() -> None:
        stop = asyncio.Event()

        async def page(request: web.Request) -> web.Response:
            stop.set()
            return web.Response(body=rss(item(1)))

        world.site.pages["/a"] = page
        world.clock = WallClock()  # type: ignore[assignment]
        add_feed(world, "/a")
        await asyncio.wait_for(world.poller().run(stop), 60)

    running(scenario, world)
    assert len(world.articles()) == 1  # the poll in hand was finished


def test_removing_a_feed_forgets_what_it_showed(world: World) -> None:
    world.site.pages["/a"] = rss(item(1))

    async def scenario() -> None:
        url = add_feed(world, "/a")
        await world.polled()
        assert feeds.remove(world.engine, url)
        assert not feeds.remove(world.engine, url)

    running(scenario, world)
    with world.engine.connect() as db:
        assert db.execute(sa.select(feed_items)).all() == []
        assert db.execute(sa.select(feeds_table)).all() == []


def test_postgresql_keeps_the_same_ledger(postgres_url: str, tmp_path: Path) -> None:
    world = World(tmp_path, open_database(postgres_url, upgrade=True))

    async def scenario() -> None:
        add_feed(world, "/a")
        world.site.pages["/a"] = rss(item(1), item(2))
        await world.polled()
        world.site.pages["/a"] = rss(item(1, text="Other words."), item(2), item(3))
        await world.polled()

    try:
        running(scenario, world)
        rows = [(row.seen, row.stored, row.revised, row.duplicate) for row in world.ledger()]
        assert rows == [(2, 2, 0, 0), (3, 1, 1, 1)]
        assert len(world.articles()) == 4
        assert feeds.remove(world.engine, world.site.url("/a"))
    finally:
        world.close()


def test_settings_refuse_unknown_keys() -> None:
    with pytest.raises(ValueError, match="extra"):
        IngestSettings(intervall=5)  # type: ignore[call-arg]
