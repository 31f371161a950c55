"""The books stay small: what is folded and what is forgotten."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ingest import feeds
from ingest.books import intake
from ingest.books.ledger import Failed, Unchanged
from ingest.books.retention import prune
from ingest.fetch.fetcher import NotModified
from store.engine import open_database
from store.tables import feed_items, polls_daily
from store.tables import feeds as feeds_table
from store.views import VIEWS
from stream.log.contract import Partition
from stream.records import ARTICLES, EVENTS
from tests.ingest.settling import brought, gaps, read_item, rows_of, settle
from tests.ingest.world import START, World, item, rss, running


def _many_days(world: World) -> None:
    """Two feeds over ten days: news on the first, then twelve polls a day without any."""
    shown = [
        brought(world, f"https://news.example/{n}", read_item(n), read_item(7)) for n in range(2)
    ]
    times = [START + timedelta(days=d, hours=h) for d in range(10) for h in range(1, 13)]
    quiet = [
        Unchanged(feed=s.feed, at=at, answer=NotModified())
        if at.hour % 6
        else Failed(feed=s.feed, at=at, kind="timeout", sentence="no answer")
        for at in times
        for s in shown
    ]
    settle(world, *shown, *quiet)


def test_folding_keeps_every_sum_and_may_be_repeated(database_url: str, tmp_path: Path) -> None:
    world = World(tmp_path, open_database(database_url, upgrade=True))
    try:
        _many_days(world)
        before = {view.name: rows_of(world.engine, view.name) for view in VIEWS}
        now, had = START + timedelta(days=10), len(world.ledger())

        planned = prune(world.engine, world.settings, now, dry_run=True)
        assert len(world.ledger()) == had
        done = prune(world.engine, world.settings, now)
        assert (done.polls, done.items) == (planned.polls, planned.items)
        assert done.polls > had / 2
        assert len(world.ledger()) == had - done.polls
        assert {view: rows_of(world.engine, view) for view in before} == before
        # What brought news or failed keeps its row, and so do the last two days.
        kept = [row for row in world.ledger() if row.outcome == "unchanged"]
        assert min(row.at for row in kept) >= now - timedelta(days=3)
        assert prune(world.engine, world.settings, now).polls == 0

        # Later the rest goes, into days that are there already.
        done = prune(world.engine, world.settings, now + timedelta(days=200))
        assert world.ledger() == []
        assert {view: rows_of(world.engine, view) for view in before} == before
        with world.engine.connect() as db:
            assert len(db.execute(sa.select(polls_daily)).all()) == len(before["v_ledger"])
        assert gaps(world) == []
    finally:
        world.close()


def test_a_fold_that_is_cut_off_loses_and_doubles_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _many_days(world)
    before = rows_of(world.engine, "v_ledger")
    monkeypatch.setattr("ingest.books.retention._CHUNK", 1)
    real, calls = intake.upsert, 0

    def dies(*args: Any, **kwargs: Any) -> None:
        nonlocal calls
        calls += 1
        real(*args, **kwargs)
        if calls == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("ingest.books.retention.upsert", dies)
        with pytest.raises(KeyboardInterrupt):
            prune(world.engine, world.settings, START + timedelta(days=10))
    assert rows_of(world.engine, "v_ledger") == before
    prune(world.engine, world.settings, START + timedelta(days=10))
    assert rows_of(world.engine, "v_ledger") == before


def test_a_running_poller_prunes_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingest.clock import ScaledClock

    _many_days(world)
    before, had = rows_of(world.engine, "v_ledger"), len(world.ledger())
    with world.engine.begin() as db:
        db.execute(feeds_table.update().values(state="paused"))
    monkeypatch.setattr("ingest.books.retention._FIRST_S", 0.0)
    world.clock = ScaledClock(START + timedelta(days=10), 1)  # type: ignore[assignment]
    records = [Partition(topic, 0) for topic in (ARTICLES, EVENTS)]
    producer = world.log.producer()
    producer.send(EVENTS, b"{}", partition=0)
    producer.close()
    had_records = [world.log.bounds(one) for one in records]
    assert all(first < after for first, after in had_records)
    with closing(sqlite3.connect(world.log._file.path)) as file, file:  # as if 41 days had passed
        file.execute("UPDATE records SET time = time - 41 * 86400000")

    async def scenario() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        prune_log = world.log.prune

        def pruned(now: datetime) -> int:
            gone = prune_log(now)
            loop.call_soon_threadsafe(stop.set)
            return gone

        monkeypatch.setattr(world.log, "prune", pruned)
        await asyncio.wait_for(world.poller().run(stop), 60)

    asyncio.run(scenario())
    assert len(world.ledger()) < had / 2
    assert rows_of(world.engine, "v_ledger") == before
    # The log forgets what it is to keep for 40 days, and never what it keeps for ever.
    (_, end), events = had_records
    assert [world.log.bounds(one) for one in records] == [(end, end), events]


def test_items_not_shown_for_long_are_forgotten_but_those_still_shown_are_not(
    world: World,
) -> None:
    async def scenario() -> None:
        for path in ("/busy", "/asleep"):
            feeds.add(world.engine, world.site.url(path), now=world.clock.now())
        world.site.pages |= {"/busy": rss(item(1), item(2)), "/asleep": rss(item(8))}
        await world.polled()
        world.site.pages["/busy"] = rss(item(2), item(3))
        await world.polled(timedelta(days=100))  # the other is as it was

    running(scenario, world)
    assert prune(world.engine, world.settings, world.clock.now()).items == 1
    with world.engine.connect() as db:
        assert sorted(db.execute(sa.select(feed_items.c.item_key)).scalars()) == [
            "id-2", "id-3", "id-8",
        ]  # fmt: skip


def test_an_item_that_returns_after_it_was_forgotten_is_still_known(world: World) -> None:
    async def scenario() -> None:
        feeds.add(world.engine, world.site.url("/a"), now=world.clock.now())
        for items in ([item(1), item(2)], [item(2)], [item(1), item(2)]):
            world.site.pages["/a"] = rss(*items)
            await world.polled(timedelta(days=100))
            prune(world.engine, world.settings, world.clock.now())

    running(scenario, world)
    assert len(world.articles()) == 2
