"""The poller against a real server: nothing new twice, edits, crashes, slow hosts."""

from __future__ import annotations

import asyncio
import gzip
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from aiohttp import web

from ingest import feeds
from ingest.books.ledger import PollReport
from ingest.settings import IngestSettings
from store.engine import open_database
from store.tables import feed_items, identities
from store.tables import feeds as feeds_table
from stream.errors import Unavailable
from tests.ingest.conftest import START, World, item, rss, running


def _add(world: World, path: str, outlet: str | None = None) -> str:
    url = world.site.url(path)
    feeds.add(world.engine, url, outlet, now=world.clock.now())
    return url


def _sums(report: PollReport) -> dict[str, int]:
    return {fate: n for fate, n in report.counts.items() if n}


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
            _add(world, f"/{f.name}")
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
        assert [
            (r.url, r.counts) for r in second if set(_sums(r)) - {"duplicate", "filtered"}
        ] == []
        assert len(world.articles()) == appended
        seen = [{r.url: sum(r.counts.values()) for r in polled} for polled in (first, second)]
        assert seen[0] == seen[1]

    running(scenario, world)


def test_every_poll_leaves_a_row_whose_fates_add_up(world: World) -> None:
    world.site.pages["/a"] = rss(item(1), item(1), item(2), item(3, title="", text=""))

    async def scenario() -> None:
        _add(world, "/a")
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
        _add(world, "/a")
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
        _add(world, "/a")
        await world.polled()

    running(scenario, world)
    assert [a.ref for a in world.articles()] == ["id-2", "id-1", "id-3"]
    undated = world.articles()[2]
    assert undated.published is None
    assert undated.published_from == "none"
    assert undated.fetched == START + timedelta(days=1)


def test_a_text_that_returns_to_an_earlier_wording_is_a_third_revision(world: World) -> None:
    async def scenario() -> None:
        _add(world, "/a")
        for text in ("The ship sank.", "The ship was towed.", "The ship sank."):
            world.site.pages["/a"] = rss(item(1, text=text))
            await world.polled()

    running(scenario, world)
    found = world.articles()
    assert len({a.id for a in found}) == 1
    assert len({a.revision for a in found}) == 3


def test_an_item_that_vanishes_and_returns_is_nothing_new(world: World) -> None:
    async def scenario() -> None:
        _add(world, "/a")
        for items in ([item(1), item(2)], [item(2)], [item(1), item(2)]):
            world.site.pages["/a"] = rss(*items)
            await world.polled()

    running(scenario, world)
    assert len(world.articles()) == 2


def test_new_dates_alone_are_nothing_new(world: World) -> None:
    async def scenario() -> None:
        _add(world, "/a")
        for hour in (10, 11):
            world.site.pages["/a"] = rss(item(1, date=f"Mon, 20 Sep 2021 {hour}:00:00 GMT"))
            await world.polled()

    running(scenario, world)
    assert len(world.articles()) == 1


def test_the_fullest_text_wins_between_feeds_of_an_outlet(world: World) -> None:
    short, full = "A ship sank.", "A ship sank off Crete. All were saved by fishermen at dawn."
    world.site.pages |= {
        "/short": rss(item(1, text=short)),
        "/full": rss(item(1, text=full, guid="another-guid")),
    }

    async def scenario() -> None:
        _add(world, "/short")
        await world.polled()
        _add(world, "/full")
        await world.polled()
        # The shorter one is edited, but its wording no longer stands; then the standing one is.
        world.site.pages["/short"] = rss(item(1, text="A ship has sunk."))
        await world.polled()
        world.site.pages["/full"] = rss(item(1, text="A boat sank."))
        await world.polled()

    running(scenario, world)
    assert [a.text for a in world.articles()] == [short, full, "A boat sank."]
    assert len({a.id for a in world.articles()}) == 1


def test_an_aggregator_does_not_replace_the_publishers_words(world: World) -> None:
    world.site.pages |= {
        "/own": rss(item(1, text="A ship sank.")),
        "/other": rss(item(1, text="A ship sank, says somebody else at far greater length.")),
    }

    async def scenario() -> None:
        _add(world, "/own", "news.example")
        await world.polled()
        _add(world, "/other", "aggregator.example")
        reports = await world.polled()
        assert {"duplicate: another outlet's article": 1} in [r.reasons for r in reports]

    running(scenario, world)
    assert len(world.articles()) == 1


def test_an_edited_headline_with_a_new_address_is_the_same_article(world: World) -> None:
    async def scenario() -> None:
        _add(world, "/a")
        world.site.pages["/a"] = rss(
            item(1, title="Ship sinks", link="https://news.example/ship-sinks")
        )
        await world.polled()
        world.site.pages["/a"] = rss(
            item(1, title="Ship towed", link="https://news.example/ship-towed")
        )
        await world.polled()

    running(scenario, world)
    first, second = world.articles()
    assert first.id == second.id
    assert first.revision != second.revision


def test_a_guid_reused_for_another_story_is_a_new_article(world: World) -> None:
    async def scenario() -> None:
        _add(world, "/a")
        world.site.pages["/a"] = rss(
            item(
                1, title="Ferry sinks off Crete", text="Forty saved.", link="https://news.example/f"
            )
        )
        await world.polled()
        world.site.pages["/a"] = rss(
            item(
                1,
                title="Central bank raises rates",
                text="By half a point.",
                link="https://news.example/r",
            )
        )
        await world.polled()

    running(scenario, world)
    assert len({a.id for a in world.articles()}) == 2


def test_a_crash_between_append_and_save_appends_the_same_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.site.pages["/a"] = rss(item(1), item(2))

    def crash(*_: object, **__: object) -> None:
        raise Unavailable("the database is gone")

    async def scenario() -> None:
        _add(world, "/a")
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
        _add(world, "/a")
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
        _add(world, "/drip")
        _add(world, "/fine")
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
        _add(world, "/a")
        (report,) = await world.polled()
        assert report.outcome == "too-large"

    running(scenario, world)


def test_errors_back_off_and_a_success_forgives(world: World) -> None:
    async def scenario() -> None:
        _add(world, "/a")
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
        _add(world, "/a")
        (report,) = await world.polled()
        assert report.next_at - report.at > timedelta(seconds=7200 * 0.9)

    running(scenario, world)


def test_a_gap_between_two_polls_is_reported(world: World) -> None:
    async def scenario() -> None:
        _add(world, "/a")
        world.site.pages["/a"] = rss(item(1), item(2))
        assert not (await world.polled())[0].missed
        world.site.pages["/a"] = rss(item(3), item(4))
        assert (await world.polled())[0].missed

    running(scenario, world)


def test_a_cut_off_last_item_is_dead_and_comes_whole_later(world: World) -> None:
    whole = rss(item(1), item(2, text="A long text that is cut somewhere in the middle."))

    async def scenario() -> None:
        _add(world, "/a")
        world.site.pages["/a"] = whole[: whole.index(b"somewhere")]
        (report,) = await world.polled()
        assert _sums(report) == {"stored": 1, "dead": 1}
        world.site.pages["/a"] = whole
        (report,) = await world.polled()
        assert _sums(report) == {"duplicate": 1, "stored": 1}

    running(scenario, world)


def test_run_polls_until_the_clock_ends(world: World) -> None:
    from ingest.clock import VirtualClock

    world.site.pages["/a"] = rss(item(1))
    world.clock = VirtualClock(START, START + timedelta(days=2))

    async def scenario() -> None:
        _add(world, "/a")
        await asyncio.wait_for(world.poller().run(asyncio.Event()), 60)

    running(scenario, world)
    assert len(world.articles()) == 1
    times = [row.at for row in world.ledger()]
    assert len(times) > 4
    assert max(times) <= START + timedelta(days=2)


def test_run_on_real_time_polls_and_stops_when_told(world: World) -> None:
    from ingest.clock import WallClock

    async def scenario() -> None:
        stop = asyncio.Event()

        async def page(request: web.Request) -> web.Response:
            stop.set()
            return web.Response(body=rss(item(1)))

        world.site.pages["/a"] = page
        world.clock = WallClock()  # type: ignore[assignment]
        _add(world, "/a")
        await asyncio.wait_for(world.poller().run(stop), 60)

    running(scenario, world)
    assert len(world.articles()) == 1  # the poll in hand was finished


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
        _add(world, "/a")
        _add(world, "/b")
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
        _add(world, "/a")
        monkeypatch.setattr("ingest.feeds.held", held)
        await asyncio.wait_for(world.poller().run(asyncio.Event()), 60)

    running(scenario, world)
    assert len(world.articles()) == 1


def test_removing_a_feed_forgets_what_it_showed(world: World) -> None:
    world.site.pages["/a"] = rss(item(1))

    async def scenario() -> None:
        url = _add(world, "/a")
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
        _add(world, "/a")
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


def test_a_feed_removed_while_it_is_polled_harms_nothing(world: World) -> None:
    async def page(request: web.Request) -> web.Response:
        assert feeds.remove(world.engine, world.site.url("/a"))
        return web.Response(body=rss(item(1)))

    world.site.pages["/a"] = page

    async def scenario() -> None:
        _add(world, "/a")
        (report,) = await world.polled()
        assert report.outcome == "removed"

    running(scenario, world)
    assert world.articles() == []
    assert feeds.listing(world.engine) == []


def test_settings_refuse_unknown_keys() -> None:
    with pytest.raises(ValueError, match="extra"):
        IngestSettings(intervall=5)  # type: ignore[call-arg]
