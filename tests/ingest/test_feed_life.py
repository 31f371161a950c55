"""Feeds over weeks, from a real server to the row: moves, wishes, illness, twins, silence."""

from __future__ import annotations

import io
from datetime import timedelta

import sqlalchemy as sa
from aiohttp import web
from prometheus_client import REGISTRY

from ingest import feeds
from ingest.feeds import Feed
from ingest.policy import health, moves, overlap
from ingest.policy.blackout import Blackout
from ingest.policy.outcome import after_error
from sinks.alerts.channels.console import ConsoleChannel
from sinks.alerts.deliver import Deliverer
from sinks.alerts.settings import AlertSettings
from store import views
from store.connection import reading
from store.engine import open_database
from store.tables import feed_items, identities
from store.tables import feeds as table
from tests.ingest.world import START, World, item, rss, running

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def _add(world: World, path: str) -> str:
    url = world.site.url(path)
    feeds.add(world.engine, url, now=world.clock.now())
    return url


def _feed(world: World, url: str) -> Feed:
    return feeds.find(world.engine, url)


def _shown(world: World, url: str) -> dict[str, object]:
    table = views.v_feeds.table
    with reading(world.engine) as db:
        return dict(db.execute(sa.select(table).where(table.c.url == url)).mappings().one())


def _moved(world: World, path: str, status: int = 301) -> None:
    """/old redirects to `path` from now on."""

    async def old(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": world.site.url(path)})

    world.site.pages["/old"] = old


def test_a_redirect_that_stays_a_week_becomes_the_address_and_the_wording_stays_its_own(
    world: World,
) -> None:
    world.site.pages |= {"/old": rss(item(1, date=None)), "/new": rss(item(1, date=None))}

    async def scenario() -> None:
        old, new = _add(world, "/old"), world.site.url("/new")
        feeds.add(world.engine, old, "news.example", now=world.clock.now())
        await world.polled()
        _moved(world, "/new")
        for _ in range(7):
            await world.polled(DAY)
        assert _shown(world, old)["health"] == "moved"
        assert _shown(world, old)["moved_to"] == new
        asked = _feed(world, old).id
        await world.polled(2 * DAY)
        moved = _feed(world, new)
        assert (moved.id, moved.url, moved.outlet, moved.moved_to, moved.health) == (
            asked, new, "news.example", None, "ok",
        )  # fmt: skip
        world.site.pages["/new"] = rss(item(1, date=None, text="A text that has been edited."))
        world.site.requests.clear()
        (report,) = await world.polled()
        assert report.counts["revised"] == 1
        assert report.reasons == {"revised: edited": 1}, "its own wording, not another feed's"
        assert [r.path for r in world.site.requests] == ["/new"]

    running(scenario, world)
    with world.engine.connect() as db:
        assert db.execute(sa.select(identities.c.source)).scalars().all() == [
            world.site.url("/new")
        ]


def test_a_temporary_redirect_and_one_to_a_web_page_are_never_adopted(world: World) -> None:
    world.site.pages |= {"/new": rss(item(1)), "/login": b"<!doctype html><html><p>Log in</html>"}

    async def scenario() -> None:
        old = _add(world, "/old")
        _moved(world, "/new", 302)
        for _ in range(10):
            await world.polled()
        assert _feed(world, old).moved_to is None
        _moved(world, "/login")
        for _ in range(10):
            await world.polled()
        assert _feed(world, old).url == old
        assert _shown(world, old)["health"] == "blocked"

    running(scenario, world)


def test_two_feeds_that_move_to_one_address_are_not_merged_but_said(world: World) -> None:
    world.site.pages["/new"] = rss(item(1))

    async def scenario() -> None:
        old, new = _add(world, "/old"), _add(world, "/new")
        _moved(world, "/new/")  # the same, written differently
        for n in range(9):
            world.site.pages["/new/"] = rss(item(n))
            world.site.pages["/new"] = rss(item(n))
            await world.polled()
        shown = _shown(world, old)
        assert shown["health"] == "moved"
        assert shown["why"] == (
            f"moved to {new}/, which is polled as a feed of its own; remove this one"
        )
        feeds.remove(world.engine, new)
        await world.polled()
        assert [f.url for f in feeds.listing(world.engine)] == [f"{new}/"]

    running(scenario, world)


def test_what_a_document_asks_for_holds_for_the_answers_without_one(world: World) -> None:
    async def page(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match"):
            return web.Response(status=304)
        body = rss(*[item(n) for n in range(30)]).replace(b"<item>", b"<ttl>180</ttl><item>", 1)
        return web.Response(body=body, headers={"ETag": '"1"'})

    world.site.pages["/a"] = page

    async def scenario() -> None:
        _add(world, "/a")
        for outcome in ("ok", "unchanged"):
            (report,) = await world.polled()
            assert report.outcome == outcome
            assert 3 * HOUR <= report.next_at - report.at <= 6 * HOUR

    running(scenario, world)


def test_a_feed_that_is_gone_for_months_comes_back(world: World) -> None:
    async def gone(_: web.Request) -> web.Response:
        return web.Response(status=410)

    world.site.pages["/a"] = rss(item(1))

    async def scenario() -> None:
        url = _add(world, "/a")
        await world.polled()
        world.site.pages["/a"] = gone
        asked = sum([len(await world.polled(DAY)) for _ in range(90)])
        assert 12 < asked < 25, "daily at first, then weekly"
        assert _shown(world, url)["health"] == "gone"
        world.site.pages["/a"] = rss(item(2))
        while not (reports := await world.polled()):
            pass
        assert reports[0].counts["stored"] == 1
        assert _shown(world, url)["health"] == "ok"

    running(scenario, world)


def test_a_feed_of_anothers_items_is_found_out_the_next_day(world: World) -> None:
    async def scenario() -> None:
        one, other, own = (_add(world, path) for path in ("/one", "/other", "/own"))
        for day in range(3):
            items = [item(n, guid=f"g{n}") for n in range(day, day + 20)]
            world.site.pages["/one"] = rss(*items)
            world.site.pages["/other"] = rss(*items[::-1])
            world.site.pages["/own"] = rss(*[item(f"own{n}") for n in range(day, day + 20)])
            await world.polled()
        found = {url: _shown(world, url) for url in (one, other, own)}
        assert [found[u]["health"] for u in (one, other, own)] == ["duplicated", "duplicated", "ok"]
        assert str(found[one]["why"]).endswith(f"% of its items are also in {other}")

    running(scenario, world)


def test_a_feed_that_falls_silent_is_told_to_the_operator_and_its_return_too(world: World) -> None:
    out = io.StringIO()
    deliverer = Deliverer(
        world.engine, AlertSettings(), channels=[ConsoleChannel(out=out)], clock=world.clock.now
    )  # fmt: skip

    def told() -> str:
        out.truncate(0)
        out.seek(0)
        deliverer.look()
        deliverer.step()
        return out.getvalue()

    async def scenario() -> None:
        url = _add(world, "/a")
        for n in range(20):
            world.site.pages["/a"] = rss(item(n, date=None))
            for _ in range(4):
                await world.polled(6 * HOUR)
        assert told() == ""
        for _ in range(9):
            await world.polled(6 * HOUR)
        assert told() == "", "three days are three times its usual day, and not more"
        await world.polled(6 * HOUR)
        assert f"A feed has fallen silent: {url}" in told()
        await world.polled()
        assert told() == ""
        assert health.count(world.engine)["silent"] == 1
        assert REGISTRY.get_sample_value("dateline_ingest_feeds", {"health": "silent"}) == 1
        world.site.pages["/a"] = rss(item(99, date=None))
        await world.polled()
        assert f"Now ok: {url}" in told()

    running(scenario, world)


def test_a_clock_that_ran_a_year_ahead_and_was_set_right_harms_nothing(world: World) -> None:
    world.site.pages["/a"] = rss(item(1))

    async def scenario() -> None:
        url = _add(world, "/a")
        wrong = START + timedelta(days=365)
        with world.engine.begin() as db:
            db.execute(table.update().values(last_at=wrong, last_ok=wrong, next_at=wrong + HOUR))
        (report,) = await world.polled(HOUR)
        assert report.counts["stored"] == 1
        assert _feed(world, url).next_at < START + DAY

    running(scenario, world)


def test_when_our_own_network_is_away_nobody_is_waited_for_longer(world: World) -> None:
    blackout = Blackout()
    hosts = [f"https://{n}.example/rss" for n in range(6)]
    assert [blackout.failed(url, "connection") for url in hosts] == [False] * 4 + [True] * 2
    assert not blackout.failed(hosts[0], "status"), "one that refuses has been reached"
    assert [blackout.failed(hosts[0], "timeout") for _ in range(9)] == [False] * 9, "one host"
    feed = Feed(
        id=1, url=hosts[0], state="active", added=START, next_at=START, interval_s=600,
        errors_in_row=30,
    )  # fmt: skip
    waits = [
        after_error(
            feed, START, world.settings, kind="connection", sentence="", status=None, cut_off=cut
        )["next_at"] - START
        for cut in (True, False)
    ]  # fmt: skip
    assert waits[0] <= timedelta(minutes=11)
    assert waits[1] >= DAY


def test_both_databases_find_twins_adopt_moves_and_count(database_url: str) -> None:
    engine = open_database(database_url, upgrade=True)
    one, two = (f"https://{n}.example/rss" for n in ("one", "two"))
    for url in (one, two):
        feeds.add(engine, url, now=START)
    with engine.begin() as db:
        db.execute(table.update().where(table.c.url == one).values(moved_to=f"{one}2"))
        ids = {f.url: f.id for f in feeds.listing(engine)}
        db.execute(
            feed_items.insert(),
            [
                {"feed_id": ids[url], "item_key": str(n), "article_id": f"a{n}",
                 "content_hash": "", "first_seen": START, "last_seen": START}
                for url, count in ((one, 4), (two, 3)) for n in range(count)
            ],
        )  # fmt: skip
    with engine.begin() as db:
        assert overlap.twin(db, feeds.find(engine, one), START) == (two, 0.75)
        assert overlap.twin(db, feeds.find(engine, two), START) == (one, 1.0)
        assert overlap.twin(db, feeds.find(engine, two), START + DAY) is None
        assert moves.adopt(db, feeds.find(engine, one), START)["url"] == f"{one}2"
    assert health.count(engine)["new"] == 2
    engine.dispose()
