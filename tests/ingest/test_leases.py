"""Pollers that share a table of feeds: who asks whom, and what passes on."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from aiohttp import web

from ingest import feeds
from ingest.feeds import Entry
from ingest.polling import leases
from ingest.polling.hosts import host_of
from ingest.polling.leases import Leases
from ingest.polling.shares import shared_out
from store.engine import open_database
from store.tables import feeds as feeds_table
from store.tables import hosts, pollers
from tests.ingest.sharing import add_feeds, let_pass
from tests.ingest.world import START, World, item, rss, running


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    made = open_database(database_url, upgrade=True)
    yield made
    made.dispose()


def _settled(*sharing: Leases) -> list[set[str]]:
    """What each has when all have given back what is the others' and taken their own."""
    for one in sharing:
        one.share()
    for one in sharing:
        one.give_back(dict.fromkeys(one.share().surplus, 0.0))
    return [set(one.share().mine) for one in sharing]


def test_pollers_share_all_hosts_and_none_has_two_owners(engine: sa.Engine) -> None:
    add_feeds(engine, 300, per_host=2)
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
    add_feeds(engine, 60)
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
    add_feeds(engine, 10)
    a, b = Leases(engine, "a", 60, 5), Leases(engine, "b", 60, 5)
    a.share()
    assert b.share().mine == {}
    let_pass(engine, "a")
    assert b.signs().dead == {"a"}
    mine = b.share().mine
    assert len(mine) == 10
    assert all(0 < wait <= 5 for wait in mine.values())


def test_one_past_its_time_that_nobody_noticed_goes_on(engine: sa.Engine) -> None:
    add_feeds(engine, 10)
    a = Leases(engine, "a", 60, 1)
    a.share()
    let_pass(engine, "a")
    assert len(a.share().mine) == 10


def test_one_past_its_time_that_was_noticed_begins_anew(engine: sa.Engine) -> None:
    add_feeds(engine, 40)
    a, b = Leases(engine, "a", 60, 1), Leases(engine, "b", 60, 1)
    a.share()
    let_pass(engine, "a")
    assert len(b.share().mine) == 40
    assert a.share().mine == {}


def test_a_process_that_died_on_this_machine_is_noticed_at_once(engine: sa.Engine) -> None:
    add_feeds(engine, 10)
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
    add_feeds(engine, 1)
    a, b = Leases(engine, "a", 60, 1), Leases(engine, "b", 60, 1)
    a.share()
    a.note({"outlet0.example": 600.0})
    let_pass(engine, "a")
    assert 590 < b.share().mine["outlet0.example"] <= 600


def test_feeds_from_before_there_were_leases_are_polled(engine: sa.Engine) -> None:
    with engine.begin() as db:
        row = {"url": "https://www.news.example/rss", "added": START, "next_at": START}
        db.execute(feeds_table.insert().values(**row, interval_s=300.0))
    Leases(engine, "a", 60, 1).share()
    (feed,) = feeds.held(engine, "a")
    assert feed.host == "news.example"


def test_hosts_without_feeds_are_forgotten_but_not_while_they_want_rest(engine: sa.Engine) -> None:
    add_feeds(engine, 2)
    a = Leases(engine, "a", 60, 1)
    a.share()
    for n in range(2):
        feeds.remove(engine, f"https://outlet{n}.example/{n}")
    assert a.share().surplus == {"outlet0.example", "outlet1.example"}
    a.give_back({"outlet0.example": 0.0, "outlet1.example": 600.0})
    a.share()
    with engine.connect() as db:
        assert list(db.execute(sa.select(hosts.c.host)).scalars()) == ["outlet1.example"]


def test_a_poller_whose_lease_has_passed_on_saves_nothing(world: World) -> None:
    other = Leases(world.engine, "other", 60, 0)

    async def page(request: web.Request) -> web.Response:
        with world.engine.connect() as db:
            (name,) = db.execute(sa.select(pollers.c.name)).scalars()
        let_pass(world.engine, name)
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
