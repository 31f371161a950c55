"""Pollers at work in one database: what others change, an outage, and each feed once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from aiohttp import web
from sqlalchemy import event, exc

from ingest import feeds
from ingest.clock import WallClock
from ingest.polling import leases
from ingest.polling.poller import Poller
from store.tables import feeds as feeds_table
from tests.ingest.sharing import PATIENCE_S
from tests.ingest.world import World, item, rss, running


@contextmanager
def _outage(engine: sa.Engine) -> Iterator[None]:
    """Whoever says anything to the database hears that it is away."""

    def away(*_: object) -> None:
        raise exc.OperationalError("anything", {}, Exception("the server is away"))

    event.listen(engine, "before_cursor_execute", away)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", away)


def _run(world: World, monkeypatch: pytest.MonkeyPatch, **settings: float) -> Poller:
    monkeypatch.setattr("ingest.polling.keeper._LOOK_S", 0.02)
    monkeypatch.setattr("ingest.polling.outage.BACKOFF_S", (0.02, 0.05))
    for name, value in settings.items():
        setattr(world.settings, name, value)
    world.clock = WallClock()  # type: ignore[assignment]
    return world.poller()


async def _until(true: object) -> None:
    assert callable(true)
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110  what is in the database is not announced
            await asyncio.sleep(0.01)


def test_feeds_added_hurried_and_paused_by_others_are_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.site.pages["/a"] = rss(item(1))
    poller = _run(world, monkeypatch)

    async def scenario() -> None:
        stop = asyncio.Event()
        run = asyncio.create_task(poller.run(stop))
        url = world.site.url("/a")
        await _until(lambda: leases.listing(world.engine))
        feeds.add(world.engine, url)
        await _until(lambda: len(world.ledger()) == 1)
        feeds.set_state(world.engine, url, "active", now=datetime.now(UTC))
        await _until(lambda: len(world.ledger()) == 2)
        feeds.set_state(world.engine, url, "paused", now=datetime.now(UTC))
        await _until(lambda: not poller._agenda.ids())
        stop.set()
        await asyncio.wait_for(run, PATIENCE_S)

    running(scenario, world)
    assert leases.listing(world.engine) == []  # it left


def test_polls_go_on_through_an_outage_and_are_saved_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    poller = _run(world, monkeypatch)

    async def scenario() -> None:
        stop = asyncio.Event()
        world.site.pages |= {"/a": rss(item(1)), "/b": rss(item(2))}
        feeds.add(world.engine, world.site.url("/a"))
        feeds.add(world.engine, world.site.url("/b"))
        soon = datetime.now(UTC) + timedelta(days=1)
        with world.engine.begin() as db:
            db.execute(feeds_table.update().values(next_at=soon))
        run = asyncio.create_task(poller.run(stop))
        await _until(lambda: len(poller._agenda) == 2)
        with _outage(world.engine):
            for feed_id in poller._agenda.ids():  # they become due during the outage
                feed = poller._agenda.get(feed_id)
                assert feed is not None
                feed.next_at = datetime.now(UTC)
                poller._agenda.drop(feed_id)
                poller._agenda.put(feed)
            await _until(lambda: len(world.site.requests) == 2)
            assert world.articles() == []
            assert poller.problem() is None
        await _until(lambda: len(world.articles()) == 2)
        await _until(lambda: len(world.ledger()) == 2)
        stop.set()
        await asyncio.wait_for(run, PATIENCE_S)

    running(scenario, world)
    assert len(world.site.requests) == 2


def test_when_leases_end_in_an_outage_it_stops_says_so_and_comes_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    poller = _run(world, monkeypatch, lease=1.0)

    async def scenario() -> None:
        stop, hanging = asyncio.Event(), asyncio.Event()

        async def hang(request: web.Request) -> web.Response:
            hanging.set()
            await asyncio.sleep(600)
            return web.Response()

        world.site.pages["/a"] = hang
        world.settings.deadline = 600
        feeds.add(world.engine, world.site.url("/a"))
        run = asyncio.create_task(poller.run(stop))
        await asyncio.wait_for(hanging.wait(), PATIENCE_S)
        with _outage(world.engine):
            await _until(poller.problem)
            assert "have not been renewed" in str(poller.problem())
            await _until(lambda: not poller._hand.polls)  # another may ask that host now
            asked = len(world.site.requests)
            world.site.pages["/a"] = rss(item(1))
            poller._wake.set()
            await asyncio.sleep(0.1)
            assert len(world.site.requests) == asked
        await _until(lambda: len(world.ledger()) == 1)
        assert poller.problem() is None
        stop.set()
        await asyncio.wait_for(run, PATIENCE_S)

    running(scenario, world)
    assert len(world.articles()) == 1


def test_two_pollers_in_one_database_poll_each_feed_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = [_run(world, monkeypatch), _run(world, monkeypatch)]

    async def scenario() -> None:
        stop = asyncio.Event()
        runs = [asyncio.create_task(poller.run(stop)) for poller in pair]
        port = world.site.base.rpartition(":")[2]
        await _until(lambda: len(leases.listing(world.engine)) == 2)
        for n in range(1, 3):
            host = ("127.0.0.1", "localhost")[n - 1]
            for path in ("/a", "/b", "/c"):
                world.site.pages[path] = rss(item(path[1:]))
                feeds.add(world.engine, f"http://{host}:{port}{path}")
        await _until(lambda: len(world.ledger()) >= 6)
        stop.set()
        await asyncio.wait_for(asyncio.gather(*runs), PATIENCE_S)

    running(scenario, world)
    assert len(world.site.requests) == len(world.ledger()) == 6
