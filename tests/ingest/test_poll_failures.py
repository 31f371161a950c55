"""Polls that fail: servers that hang or drip, a crash, a database that is away."""

from __future__ import annotations

import asyncio
import gzip
from datetime import timedelta

import pytest
import sqlalchemy as sa
from aiohttp import web

from ingest import feeds
from store.tables import identities
from stream.errors import Unavailable
from tests.ingest.world import START, World, add_feed, item, rss, running, sums


def test_a_crash_between_append_and_save_appends_the_same_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.site.pages["/a"] = rss(item(1), item(2))

    def crash(*_: object, **__: object) -> None:
        raise Unavailable("the database is gone")

    async def scenario() -> None:
        add_feed(world, "/a")
        with monkeypatch.context() as broken:
            broken.setattr("ingest.books.intake._save_items", crash)
            with pytest.raises(Unavailable):
                await world.polled()
        with world.engine.connect() as db:
            assert db.execute(sa.select(identities)).all() == []
        await world.polled()

    running(scenario, world)
    found = [(a.id, a.revision) for a in world.articles()]
    assert found[:2] == found[2:]
    assert [row.stored for row in world.ledger()] == [2]


def test_a_web_page_is_an_error_and_brings_nothing(world: World) -> None:
    world.site.pages["/a"] = b"<!DOCTYPE html><html><body><item>Please log in</item></body></html>"

    async def scenario() -> None:
        add_feed(world, "/a")
        (report,) = await world.polled()
        assert report.outcome == "page"

    running(scenario, world)
    (feed,) = feeds.listing(world.engine)
    assert feed.errors_in_row == 1
    assert feed.error is not None
    assert "a web page came where a feed was expected" in feed.error
    assert world.articles() == []


def test_a_hanging_feed_does_not_delay_the_others(world: World) -> None:
    """The hanging one answers only when the other has been polled."""
    polled = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        await polled.wait()
        return web.Response(body=rss(item("slow")))

    async def quick(request: web.Request) -> web.Response:
        polled.set()
        return web.Response(body=rss(item("quick")))

    world.site.pages |= {"/slow": hang, "/quick": quick}

    async def scenario() -> None:
        slow = world.site.url("/slow")
        quick = world.site.url("/quick").replace("127.0.0.1", "localhost")
        for url in (slow, quick):
            feeds.add(world.engine, url, now=START)
        world.clock.jumps = False
        async with world.poller() as poller:
            assert [r.outcome for r in await poller.poll_due()] == ["ok", "ok"]

    running(scenario, world)


def test_a_server_that_drips_meets_the_deadline(world: World) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"<")
                await asyncio.sleep(0.05)
        except (ConnectionError, asyncio.CancelledError):
            return answer

    world.site.pages |= {"/drip": drip, "/fine": rss(item(1))}
    world.settings.deadline = 0.3

    async def scenario() -> None:
        add_feed(world, "/drip")
        add_feed(world, "/fine")
        reports = await world.polled()
        assert [r.outcome for r in reports] == ["timeout", "ok"]

    running(scenario, world)


def test_a_bomb_is_stopped_while_it_unpacks(world: World) -> None:
    async def bomb(request: web.Request) -> web.Response:
        body = gzip.compress(b"<rss>" + b" " * 50_000_000)
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    world.site.pages["/a"] = bomb
    world.settings.max_bytes = 1_000_000

    async def scenario() -> None:
        add_feed(world, "/a")
        (report,) = await world.polled()
        assert report.outcome == "too-large"

    running(scenario, world)


def test_errors_back_off_and_a_success_forgives(world: World) -> None:
    async def scenario() -> None:
        add_feed(world, "/a")
        waits = []
        for _ in range(3):
            (report,) = await world.polled()
            waits.append((report.next_at - report.at).total_seconds())
        assert waits[0] < waits[1] < waits[2]
        world.site.pages["/a"] = rss(item(1))
        (report,) = await world.polled()
        assert report.outcome == "ok"

    running(scenario, world)
    (feed,) = feeds.listing(world.engine)
    assert (feed.errors_in_row, feed.error) == (0, None)


def test_retry_after_is_respected_within_bounds(world: World) -> None:
    async def busy(request: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": "7200"})

    world.site.pages["/a"] = busy

    async def scenario() -> None:
        add_feed(world, "/a")
        (report,) = await world.polled()
        assert report.next_at - report.at > timedelta(seconds=7200 * 0.9)

    running(scenario, world)


def test_a_cut_off_last_item_is_dead_and_comes_whole_later(world: World) -> None:
    whole = rss(item(1), item(2, text="A long text that is cut somewhere in the middle."))

    async def scenario() -> None:
        add_feed(world, "/a")
        world.site.pages["/a"] = whole[: whole.index(b"somewhere")]
        (report,) = await world.polled()
        assert sums(report) == {"stored": 1, "dead": 1}
        world.site.pages["/a"] = whole
        (report,) = await world.polled()
        assert sums(report) == {"duplicate": 1, "stored": 1}

    running(scenario, world)


def test_a_stop_does_not_wait_for_a_server_that_hangs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.clock import WallClock

    monkeypatch.setattr("ingest.polling.poller._GRACE_S", 0.05)
    world.settings.deadline = 600
    world.settings.concurrency = 1

    async def scenario() -> None:
        stop = asyncio.Event()

        async def hang(request: web.Request) -> web.Response:
            stop.set()
            await asyncio.sleep(600)
            return web.Response()

        world.site.pages |= {"/a": hang, "/b": hang}
        world.clock = WallClock()  # type: ignore[assignment]
        add_feed(world, "/a")
        add_feed(world, "/b")
        await asyncio.wait_for(world.poller().run(stop), 60)
        assert len(world.site.requests) == 1  # the other had not begun

    running(scenario, world)
    assert world.ledger() == []


def test_run_waits_out_a_database_that_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.clock import VirtualClock

    monkeypatch.setattr("ingest.polling.poller.BACKOFF_S", (0.01, 0.02))
    world.site.pages["/a"] = rss(item(1))
    world.clock = VirtualClock(START, START + timedelta(hours=1))
    away = 2
    real = feeds.held

    def held(*args: object, **kwargs: object) -> object:
        nonlocal away
        away -= 1
        if away >= 0:
            raise Unavailable("the database does not answer")
        return real(*args, **kwargs)  # type: ignore[arg-type]

    async def scenario() -> None:
        add_feed(world, "/a")
        monkeypatch.setattr("ingest.feeds.held", held)
        await asyncio.wait_for(world.poller().run(asyncio.Event()), 60)

    running(scenario, world)
    assert len(world.articles()) == 1


def test_a_feed_removed_while_it_is_polled_harms_nothing(world: World) -> None:
    async def page(request: web.Request) -> web.Response:
        assert feeds.remove(world.engine, world.site.url("/a"))
        return web.Response(body=rss(item(1)))

    world.site.pages["/a"] = page

    async def scenario() -> None:
        add_feed(world, "/a")
        (report,) = await world.polled()
        assert report.outcome == "removed"

    running(scenario, world)
    assert world.articles() == []
    assert feeds.listing(world.engine) == []
