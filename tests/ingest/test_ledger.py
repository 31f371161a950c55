"""The books of ingest: they add up by feed and day, notice a loss, and stay small."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ingest import feeds
from ingest.archive import replay
from ingest.articles import fates, normalise
from ingest.books import intake, ledger
from ingest.books.batches import Batches
from ingest.books.intake import Intake
from ingest.books.ledger import Brought, Failed, Ledger, Outcome, PollReport, Unchanged
from ingest.books.retention import prune
from ingest.documents.items import Document, Item
from ingest.fetch.fetcher import Fetched, NotModified
from store.audit import audit
from store.engine import open_database
from store.tables import feed_items, identities, polls, polls_daily
from store.tables import feeds as feeds_table
from store.views import VIEWS
from stream.errors import Unavailable
from stream.log.contract import Partition
from stream.records import ARTICLES, EVENTS
from tests.ingest.conftest import START, World, item, rss, running


def _rows(engine: sa.Engine, view: str) -> list[dict[str, Any]]:
    with engine.connect() as db:
        found = db.execute(sa.text(f"SELECT * FROM {view}")).mappings()
        return sorted((dict(row) for row in found), key=repr)


def _brought(
    world: World, url: str, *items: Item, left_out: dict[str, int] | None = None
) -> Brought:
    feeds.add(world.engine, url, now=world.clock.now())
    (feed,) = [f for f in feeds.listing(world.engine) if f.url == url]
    document = Document(kind="rss20", encoding="utf-8", items=[*items], left_out=left_out or {})
    answer = Fetched(body=b"", status=200, content_type="", final_url=url)
    return Brought(
        feed=feed, at=world.clock.now(), answer=answer, document=document, digest=url[-9:]
    )


def _item(n: int, **fields: Any) -> Item:
    given = {"title": f"Title {n}", "text": f"Text {n}", "url": f"https://news.example/{n}"}
    return Item(position=n, guid=f"id-{n}", **{**given, **fields})


def _settle(world: World, *outcomes: Outcome) -> list[PollReport | Exception]:
    book = Ledger(world.engine, Intake(world.engine, world.log), world.settings)
    try:
        return book.settle(outcomes)
    finally:
        book.close()


def _gaps(world: World) -> list[str]:
    """What the audit says, articles on their way to the database apart."""
    return [gap.problem for gap in audit(world.engine, in_flight_allowed=True).gaps]


# -- a batch ---------------------------------------------------------------------------------------


def test_a_batch_decides_as_polls_one_by_one_would(world: World, tmp_path: Path) -> None:
    """Feeds that share articles, one of them fuller, in one batch and one after the other."""

    def outcomes() -> list[Outcome]:
        empty = _item(4, title="", text="")
        at = "https://news.example"
        return [
            _brought(world, f"{at}/a", _item(1), _item(2), _item(2)),
            _brought(world, f"{at}/b", _item(2, text="Text 2, longer"), _item(3)),
            _brought(world, f"{at}/c", _item(1), _item(3), empty),
            _brought(world, f"{at}/d", _item(5, error="no"), left_out={"dead: cut": 2}),
        ]

    together = [r.counts for r in _settle(world, *outcomes()) if isinstance(r, PollReport)]
    articles = [(a.id, a.revision) for a in world.articles()]
    with world.engine.begin() as db:
        for table in (feed_items, identities, polls):
            db.execute(table.delete())
    singly = [r.counts for o in outcomes() for r in _settle(world, o) if isinstance(r, PollReport)]
    assert singly == together
    assert [(a.id, a.revision) for a in world.articles()][len(articles) :] == articles
    assert len(articles) == 4  # 1, 2, the fuller 2, 3
    assert _gaps(world) == []


def test_one_bad_feed_does_not_cost_the_others_theirs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = normalise.candidates

    def breaks(document: Document, **kwargs: Any) -> Any:
        if document.title == "bad":
            raise ValueError("nobody thought of this")
        return real(document, **kwargs)

    monkeypatch.setattr(normalise, "candidates", breaks)
    batch = [_brought(world, f"https://news.example/{n}", _item(n)) for n in range(7)]
    batch[4].document.title = "bad"
    reports = _settle(world, *batch)
    outcomes = [r.outcome for r in reports if isinstance(r, PollReport)]
    assert outcomes == ["ok"] * 4 + ["bug"] + ["ok"] * 2
    assert len({a.id for a in world.articles()}) == 6
    bad = feeds.listing(world.engine)[4]
    assert bad.error == "the poll broke (ValueError: nobody thought of this)"
    assert _gaps(world) == []


def test_a_row_that_the_database_refuses_costs_its_own_feed_only(world: World) -> None:
    batch = [_brought(world, f"https://news.example/{n}", _item(n)) for n in range(4)]
    # The same feed at the same time again: its row is there already.
    batch[2] = batch[1]
    reports = _settle(world, *batch)
    assert isinstance(reports[2], sa.exc.IntegrityError)
    assert [isinstance(r, PollReport) for r in reports] == [True, True, False, True]
    assert {row.source for row in world.ledger()} == {
        f"https://news.example/{n}" for n in (0, 1, 3)
    }
    assert _gaps(world) == []


@pytest.mark.parametrize("step", ["_save_identities", "_save_items"])
def test_a_batch_cut_off_between_append_and_save_is_appended_again(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def crash(*_: object) -> None:
        raise Unavailable("the database is gone")

    batch = [_brought(world, f"https://news.example/{n}", _item(n), _item(9)) for n in range(3)]
    with monkeypatch.context() as broken:
        broken.setattr(intake, step, crash)
        assert all(isinstance(r, Unavailable) for r in _settle(world, *batch))
    assert world.ledger() == []
    reports = _settle(world, *batch)
    assert all(isinstance(r, PollReport) for r in reports)
    found = [(a.id, a.revision) for a in world.articles()]
    assert found[:4] == found[4:]
    assert [row.seen for row in world.ledger()] == [2, 2, 2]
    assert _gaps(world) == []


def test_two_pollers_that_bring_one_article_at_once_book_it_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one saves between this one's look-up and its save."""
    mine = _brought(world, "https://news.example/a", _item(1), _item(2))
    other = _brought(world, "https://news.example/b", _item(2), _item(3))
    real, reports = Intake._append, list[PollReport | Exception]()

    def overtaken(self: Intake, articles: Any) -> None:
        real(self, articles)
        if not reports:
            reports.append(TimeoutError())
            reports[:] = _settle(world, other)

    monkeypatch.setattr(Intake, "_append", overtaken)
    reports += _settle(world, mine)
    counts = [r.counts for r in reports if isinstance(r, PollReport)]
    assert counts == [{"stored": 2}, {"stored": 1, "duplicate": 1}]
    assert _gaps(world) == []


def test_a_batch_of_polls_without_news_leaves_their_rows(world: World) -> None:
    shown = _brought(world, "https://news.example/a", _item(1))
    _settle(world, shown)
    later = START + timedelta(hours=1)
    (feed,) = feeds.listing(world.engine)
    reports = _settle(
        world,
        Unchanged(feed=feed, at=later, answer=NotModified()),
        Failed(feed=feed, at=later + timedelta(hours=1), kind="timeout", sentence="no answer"),
    )
    assert [r.outcome for r in reports if isinstance(r, PollReport)] == ["unchanged", "timeout"]
    assert [(row.outcome, row.seen) for row in world.ledger()] == [
        ("ok", 1), ("unchanged", 0), ("timeout", 0),
    ]  # fmt: skip


def test_what_waits_while_a_batch_is_worked_on_goes_together() -> None:
    async def scenario() -> None:
        from concurrent.futures import ThreadPoolExecutor
        from threading import Event

        batches: list[list[int]] = []
        free, loop, begun = Event(), asyncio.get_running_loop(), asyncio.Event()

        def work(some: Any) -> list[Any]:
            batches.append(list(some))
            loop.call_soon_threadsafe(begun.set)
            free.wait(30)
            return [ValueError("five") if n == 5 else n * 2 for n in some]

        with ThreadPoolExecutor(1) as thread:
            doing: Batches[int, int] = Batches(thread, work, 3, lambda: 0)
            tasks = [asyncio.create_task(doing.done(0))]
            await begun.wait()
            tasks += [asyncio.create_task(doing.done(n)) for n in range(1, 6)]
            await asyncio.sleep(0)
            free.set()
            found = await asyncio.gather(*tasks, return_exceptions=True)
        assert found[:5] == [0, 2, 4, 6, 8]
        assert isinstance(found[5], ValueError)
        assert batches == [[0], [1, 2, 3], [4, 5]]

    asyncio.run(scenario())


def test_the_first_of_several_waits_a_moment_for_the_others() -> None:
    async def scenario() -> None:
        from concurrent.futures import ThreadPoolExecutor

        batches: list[list[int]] = []

        def work(some: Any) -> list[Any]:
            batches.append(list(some))
            return list(some)

        with ThreadPoolExecutor(1) as thread:
            doing: Batches[int, int] = Batches(thread, work, 9, lambda: 3)
            first = asyncio.create_task(doing.done(1))
            await asyncio.sleep(0)  # it is waiting now
            await asyncio.gather(doing.done(2), doing.done(3), first)
        assert batches == [[1, 2, 3]]

    asyncio.run(scenario())


# -- a loss at each step ---------------------------------------------------------------------------


def _lose_last(real: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    return lambda *args, **kwargs: real(*args, **kwargs)[:-1]


@pytest.mark.parametrize(
    ("where", "name"), [(normalise, "candidates"), (fates, "best")], ids=["normalise", "best"]
)
def test_an_item_lost_before_it_is_decided_is_a_gap(
    world: World, monkeypatch: pytest.MonkeyPatch, where: Any, name: str
) -> None:
    monkeypatch.setattr(where, name, _lose_last(getattr(where, name)))
    _settle(world, _brought(world, "https://news.example/a", _item(1), _item(2)))
    assert _gaps(world) == ["2 items seen, 1 have a fate"]


def test_an_item_whose_fate_is_not_booked_is_a_gap(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fates.Tally.add

    def forgets(tally: fates.Tally, fate: str, reason: str = "", count: int = 1) -> None:
        if fate != fates.FILTERED:
            real(tally, fate, reason, count)

    monkeypatch.setattr(fates.Tally, "add", forgets)
    _settle(world, _brought(world, "https://news.example/a", _item(1), _item(2, title="", text="")))
    assert _gaps(world) == ["2 items seen, 1 have a fate"]


def test_an_article_lost_on_its_way_to_the_database_is_a_gap(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = intake._save_identities

    def forgets(db: sa.Connection, deliveries: Any, known: Any) -> None:
        del deliveries[0].new[-1]
        real(db, deliveries, known)

    monkeypatch.setattr(intake, "_save_identities", forgets)
    _settle(world, _brought(world, "https://news.example/a", _item(1), _item(2)))
    assert _gaps(world) == ["2 items were stored, 1 articles known"]


def test_an_article_lost_before_the_log_is_a_gap(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Intake, "_append", lambda *_: None)
    _settle(world, _brought(world, "https://news.example/a", _item(1)))
    assert [gap.what for gap in audit(world.engine).gaps] == ["revision"]


def test_a_line_lost_from_an_archive_is_a_gap(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.jsonl"
    path.write_text('{"id": "1", "title": "One"}\n{"id": "2", "title": "Two"}\nbroken\n')
    real = fates.decide
    monkeypatch.setattr(
        fates, "decide", lambda c, *rest: ("lost", "") if c.position == 2 else real(c, *rest)
    )
    assert replay(path, world.log, world.engine).seen == 3
    assert "3 items seen, 2 have a fate" in _gaps(world)


# -- by feed and day -------------------------------------------------------------------------------


def test_the_ledger_adds_up_by_feed_and_day(world: World) -> None:
    async def scenario() -> None:
        for path in ("/a", "/b"):
            feeds.add(world.engine, world.site.url(path), now=world.clock.now())
        world.site.pages["/a"] = rss(item(1), item(2), item(2))
        await world.polled()
        world.site.pages["/a"] = rss(item(1, text="Edited."), item(3))
        await world.polled()

    running(scenario, world)
    a, b = world.site.url("/a"), world.site.url("/b")
    none = {"stored": 0, "revised": 0, "duplicate": 0, "filtered": 0, "dead": 0}
    days = [(START + timedelta(days=n)).date().isoformat() for n in (1, 2)]
    assert _rows(world.engine, "v_ledger") == sorted(
        [
            {"source": a, "day": days[0], "polls": 1, "failed": 0, "seen": 3, **none,
             "stored": 2, "duplicate": 1},
            {"source": a, "day": days[1], "polls": 1, "failed": 0, "seen": 2, **none,
             "stored": 1, "revised": 1},
            {"source": b, "day": days[0], "polls": 1, "failed": 1, "seen": 0, **none},
            {"source": b, "day": days[1], "polls": 1, "failed": 1, "seen": 0, **none},
        ],
        key=repr,
    )  # fmt: skip
    assert _gaps(world) == []


# -- what is kept ----------------------------------------------------------------------------------


def _many_days(world: World) -> None:
    """Two feeds over ten days: news on the first, then twelve polls a day without any."""
    shown = [_brought(world, f"https://news.example/{n}", _item(n), _item(7)) for n in range(2)]
    times = [START + timedelta(days=d, hours=h) for d in range(10) for h in range(1, 13)]
    quiet = [
        Unchanged(feed=s.feed, at=at, answer=NotModified())
        if at.hour % 6
        else Failed(feed=s.feed, at=at, kind="timeout", sentence="no answer")
        for at in times
        for s in shown
    ]
    _settle(world, *shown, *quiet)


def test_folding_keeps_every_sum_and_may_be_repeated(database_url: str, tmp_path: Path) -> None:
    world = World(tmp_path, open_database(database_url, upgrade=True))
    try:
        _many_days(world)
        before = {view.name: _rows(world.engine, view.name) for view in VIEWS}
        now, had = START + timedelta(days=10), len(world.ledger())

        planned = prune(world.engine, world.settings, now, dry_run=True)
        assert len(world.ledger()) == had
        done = prune(world.engine, world.settings, now)
        assert (done.polls, done.items) == (planned.polls, planned.items)
        assert done.polls > had / 2
        assert len(world.ledger()) == had - done.polls
        assert {view: _rows(world.engine, view) for view in before} == before
        # What brought news or failed keeps its row, and so do the last two days.
        kept = [row for row in world.ledger() if row.outcome == "unchanged"]
        assert min(row.at for row in kept) >= now - timedelta(days=3)
        assert prune(world.engine, world.settings, now).polls == 0

        # Later the rest goes, into days that are there already.
        done = prune(world.engine, world.settings, now + timedelta(days=200))
        assert world.ledger() == []
        assert {view: _rows(world.engine, view) for view in before} == before
        with world.engine.connect() as db:
            assert len(db.execute(sa.select(polls_daily)).all()) == len(before["v_ledger"])
        assert _gaps(world) == []
    finally:
        world.close()


def test_a_fold_that_is_cut_off_loses_and_doubles_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _many_days(world)
    before = _rows(world.engine, "v_ledger")
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
    assert _rows(world.engine, "v_ledger") == before
    prune(world.engine, world.settings, START + timedelta(days=10))
    assert _rows(world.engine, "v_ledger") == before


def test_a_running_poller_prunes_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingest.clock import ScaledClock

    _many_days(world)
    before, had = _rows(world.engine, "v_ledger"), len(world.ledger())
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
    assert _rows(world.engine, "v_ledger") == before
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


def test_a_digest_tells_documents_apart_by_all_that_their_reading_depends_on() -> None:
    def of(body: bytes, kind: str, url: str) -> str:
        return ledger.body_hash(Fetched(body=body, status=200, content_type=kind, final_url=url))

    digests = {of(b"a", "x", "u"), of(b"b", "x", "u"), of(b"a", "y", "u"), of(b"a", "x", "v")}
    assert len(digests) == 4
