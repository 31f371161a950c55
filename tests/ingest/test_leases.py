"""Pollers that share a table of feeds: who asks whom, what passes on, and what an outage does."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from aiohttp import web
from sqlalchemy import event, exc

from ingest import feeds
from ingest.clock import WallClock
from ingest.feeds import Entry, Feed
from ingest.polling import leases
from ingest.polling.agenda import Agenda
from ingest.polling.hosts import Hosts, host_of
from ingest.polling.leases import Leases
from ingest.polling.poller import Poller
from ingest.polling.shares import shared_out
from ingest.settings import IngestSettings
from store.engine import open_database
from store.tables import feeds as feeds_table
from store.tables import hosts, pollers
from tests.ingest.conftest import START, World, item, rss, running

PATIENCE_S = 30


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    made = open_database(database_url, upgrade=True)
    yield made
    made.dispose()


def _add(engine: sa.Engine, count: int, per_host: int = 1) -> None:
    urls = [f"https://outlet{n // per_host}.example/{n}" for n in range(count)]
    feeds.add_many(engine, [Entry(url=url) for url in urls], now=START)


def _let_pass(engine: sa.Engine, name: str) -> None:
    """The time of a poller is over, by the database's clock."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    with engine.begin() as db:
        db.execute(pollers.update().where(pollers.c.name == name).values(until=past))


def _settled(*sharing: Leases) -> list[set[str]]:
    """What each has when all have given back what is the others' and taken their own."""
    for one in sharing:
        one.share()
    for one in sharing:
        one.give_back(dict.fromkeys(one.share().surplus, 0.0))
    return [set(one.share().mine) for one in sharing]


# -- sharing ---------------------------------------------------------------------------------------


def test_pollers_share_all_hosts_and_none_has_two_owners(engine: sa.Engine) -> None:
    _add(engine, 300, per_host=2)
    held = _settled(*(Leases(engine, name, 60, 1) for name in "abc"))
    assert sum(len(some) for some in held) == len(set.union(*held)) == 150
    assert min(len(some) for some in held) > 150 / 3 * 0.7


def test_feeds_of_a_host_have_one_poller_whatever_form_its_name_takes(engine: sa.Engine) -> None:
    forms = ("", "www.", "m.")
    urls = [f"https://{form}news{n}.example/{form}rss" for n in range(20) for form in forms]
    feeds.add_many(engine, [Entry(url=url) for url in urls])
    sharing = [Leases(engine, name, 60, 1) for name in "ab"]
    _settled(*sharing)
    for one in sharing:
        polled = Counter(host_of(feed.url) for feed in feeds.held(engine, one.name))
        assert set(polled.values()) == {3}


def test_one_that_comes_gets_its_part_and_one_that_leaves_hands_it_on(engine: sa.Engine) -> None:
    _add(engine, 60)
    a, b = Leases(engine, "a", 60, 1), Leases(engine, "b", 60, 1)
    assert len(a.share().mine) == 60
    assert b.share().mine == {}  # nothing is taken from one that lives
    first, second = _settled(a, b)
    assert first | second == set(a.share().wanted | b.share().wanted)
    assert second
    b.leave({})
    assert a.signs().free == second
    assert len(a.share().mine) == 60
    assert [row["name"] for row in leases.listing(engine)] == ["a"]


def test_few_hosts_move_when_a_poller_joins() -> None:
    weights = {f"h{n}": 1 for n in range(900)}
    before, after = shared_out(weights, {"a", "b"}), shared_out(weights, {"a", "b", "c"})
    moved = [h for h in weights if before[h] != after[h]]
    assert all(after[h] == "c" for h in moved) or len(moved) < 900 / 3 * 1.3
    assert 200 < sum(who == "c" for who in after.values()) < 400


def test_heavy_hosts_do_not_make_shares_uneven() -> None:
    weights = {f"big{n}": 200 for n in range(9)} | {f"small{n}": 1 for n in range(1200)}
    load: Counter[str] = Counter()
    for host, who in shared_out(weights, {"a", "b", "c"}).items():
        load[who] += weights[host]
    assert max(load.values()) <= 1.1 * 1000 + 1


def test_a_dead_pollers_hosts_pass_on_when_its_time_is_over_and_after_a_gap(
    engine: sa.Engine,
) -> None:
    _add(engine, 10)
    a, b = Leases(engine, "a", 60, 5), Leases(engine, "b", 60, 5)
    a.share()
    assert b.share().mine == {}
    _let_pass(engine, "a")
    assert b.signs().dead == {"a"}
    mine = b.share().mine
    assert len(mine) == 10
    assert all(0 < wait <= 5 for wait in mine.values())


def test_one_past_its_time_that_nobody_noticed_goes_on(engine: sa.Engine) -> None:
    _add(engine, 10)
    a = Leases(engine, "a", 60, 1)
    a.share()
    _let_pass(engine, "a")
    assert len(a.share().mine) == 10


def test_one_past_its_time_that_was_noticed_begins_anew(engine: sa.Engine) -> None:
    _add(engine, 40)
    a, b = Leases(engine, "a", 60, 1), Leases(engine, "b", 60, 1)
    a.share()
    _let_pass(engine, "a")
    assert len(b.share().mine) == 40
    assert a.share().mine == {}


def test_a_process_that_died_on_this_machine_is_noticed_at_once(engine: sa.Engine) -> None:
    _add(engine, 10)
    said = subprocess.run(
        [sys.executable, "-c", "from ingest.polling import process; print(process.identity())"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    if not said:
        pytest.skip("this system does not tell which processes are alive")
    a, b = Leases(engine, "a", 60, 1), Leases(engine, "b", 60, 1)
    a.share()
    assert b.signs().dead == set()  # it is this very process
    with engine.begin() as db:
        db.execute(pollers.update().where(pollers.c.name == "a").values(process=said))
    dead = b.signs().dead
    assert dead == {"a"}
    assert len(b.share(dead).mine) == 10


def test_a_hold_passes_on_with_the_host(engine: sa.Engine) -> None:
    _add(engine, 1)
    a, b = Leases(engine, "a", 60, 1), Leases(engine, "b", 60, 1)
    a.share()
    a.note({"outlet0.example": 600.0})
    _let_pass(engine, "a")
    assert 590 < b.share().mine["outlet0.example"] <= 600


def test_feeds_from_before_there_were_leases_are_polled(engine: sa.Engine) -> None:
    with engine.begin() as db:
        row = {"url": "https://www.news.example/rss", "added": START, "next_at": START}
        db.execute(feeds_table.insert().values(**row, interval_s=300.0))
    Leases(engine, "a", 60, 1).share()
    (feed,) = feeds.held(engine, "a")
    assert feed.host == "news.example"


def test_hosts_without_feeds_are_forgotten_but_not_while_they_want_rest(engine: sa.Engine) -> None:
    _add(engine, 2)
    a = Leases(engine, "a", 60, 1)
    a.share()
    for n in range(2):
        feeds.remove(engine, f"https://outlet{n}.example/{n}")
    assert a.share().surplus == {"outlet0.example", "outlet1.example"}
    a.give_back({"outlet0.example": 0.0, "outlet1.example": 600.0})
    a.share()
    with engine.connect() as db:
        assert list(db.execute(sa.select(hosts.c.host)).scalars()) == ["outlet1.example"]


# -- what others may not overwrite -----------------------------------------------------------------


def test_a_poller_whose_lease_has_passed_on_saves_nothing(world: World) -> None:
    other = Leases(world.engine, "other", 60, 0)

    async def page(request: web.Request) -> web.Response:
        with world.engine.connect() as db:
            (name,) = db.execute(sa.select(pollers.c.name)).scalars()
        _let_pass(world.engine, name)
        assert len(other.share().mine) == 1
        return web.Response(body=rss(item(1)), headers={"ETag": '"mine"'})

    world.site.pages["/a"] = page

    async def scenario() -> None:
        feeds.add(world.engine, world.site.url("/a"), now=START)
        (report,) = await world.polled()
        assert report.outcome == "passed-on"
        assert await world.polled() == []

    running(scenario, world)
    (feed,) = feeds.listing(world.engine)
    assert (feed.etag, feed.last_at) == (None, None)
    assert world.ledger() == []


# -- hosts -----------------------------------------------------------------------------------------


def test_a_server_that_has_enough_is_left_alone_with_all_its_feeds(world: World) -> None:
    async def enough(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "1800"})

    world.site.pages |= {"/a": enough, "/b": rss(item(1))}

    async def scenario() -> None:
        for path in ("/a", "/b"):
            feeds.add(world.engine, world.site.url(path), now=START)
        assert [r.status for r in await world.polled()] == [429]
        assert await world.polled(timedelta(minutes=29)) == []
        assert len(world.site.requests) == 1
        assert "ok" in [r.outcome for r in await world.polled(timedelta(minutes=2))]

    running(scenario, world)


def test_a_silent_host_waits_longer_each_time_and_one_slow_feed_costs_the_others_nothing() -> None:
    clock = WallClock()
    kept = Hosts(IngestSettings(deadline=30), clock)
    url = "https://news.example/a"

    def wait() -> float:
        at = kept.free_at("news.example")
        return (at - clock.now()).total_seconds() if at else 0.0

    kept.silent(url)
    assert wait() <= 1
    kept.answered(url)
    kept.silent(url)
    assert wait() <= 1
    kept.silent(url)
    assert 50 < wait() <= 60
    kept.silent(url)
    assert 100 < wait() <= 120
    assert kept.free_at("other.example") is None


def _feed(number: int, host: str, minutes: float) -> Feed:
    return Feed(
        id=number, url=f"https://{host}/{number}", host=host, state="active", added=START,
        next_at=START + timedelta(minutes=minutes), interval_s=300,
    )  # fmt: skip


def test_a_host_is_asked_for_one_feed_at_a_time_and_waits_in_nobodys_way() -> None:
    agenda = Agenda(lambda host: None)
    for number in range(3):
        agenda.put(_feed(number, "big.example", number / 10))
    agenda.put(_feed(9, "small.example", 1))
    now = START + timedelta(minutes=5)
    begun = [agenda.begin(now), agenda.begin(now), agenda.begin(now)]
    assert [feed and feed.id for feed in begun] == [0, 9, None]
    agenda.asked("big.example")
    assert (again := agenda.begin(now)) is not None
    assert again.id == 1


def test_a_host_that_may_not_be_asked_yet_is_not_begun() -> None:
    free_at = {"a.example": START + timedelta(minutes=9)}
    agenda = Agenda(free_at.get)
    agenda.put(_feed(1, "a.example", 0))
    agenda.put(_feed(2, "b.example", 4))
    assert agenda.begin(START) is None
    assert agenda.next_at() == START + timedelta(minutes=4)
    assert [f.id for f in agenda.all_due(START + timedelta(minutes=5))] == [2]
    assert agenda.next_at() == free_at["a.example"]


def test_a_feed_that_is_put_again_counts_as_it_is_now() -> None:
    agenda = Agenda(lambda host: None)
    agenda.put(_feed(1, "a.example", 0))
    agenda.put(_feed(1, "a.example", 10))
    assert agenda.begin(START + timedelta(minutes=5)) is None
    agenda.put(_feed(1, "a.example", 2))
    assert agenda.begin(START + timedelta(minutes=5)) is not None
    assert len(agenda) == 0


# -- running ---------------------------------------------------------------------------------------


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
