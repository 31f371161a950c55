"""The books of ingest: a batch of polls, and sums by feed and day."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ingest import feeds
from ingest.articles import normalise
from ingest.books import intake, ledger
from ingest.books.intake import Intake
from ingest.books.ledger import Failed, Outcome, PollReport, Unchanged
from ingest.documents.items import Document
from ingest.fetch.fetcher import Fetched, NotModified
from store.tables import feed_items, identities, polls
from stream.errors import Unavailable
from tests.ingest.settling import brought, gaps, read_item, rows_of, settle
from tests.ingest.world import START, World, item, rss, running


def test_a_batch_decides_as_polls_one_by_one_would(world: World, tmp_path: Path) -> None:
    """Feeds that share articles, one of them fuller, in one batch and one after the other."""

    def outcomes() -> list[Outcome]:
        empty = read_item(4, title="", text="")
        at = "https://news.example"
        return [
            brought(world, f"{at}/a", read_item(1), read_item(2), read_item(2)),
            brought(world, f"{at}/b", read_item(2, text="Text 2, longer"), read_item(3)),
            brought(world, f"{at}/c", read_item(1), read_item(3), empty),
            brought(world, f"{at}/d", read_item(5, error="no"), left_out={"dead: cut": 2}),
        ]

    together = [r.counts for r in settle(world, *outcomes()) if isinstance(r, PollReport)]
    articles = [(a.id, a.revision) for a in world.articles()]
    with world.engine.begin() as db:
        for table in (feed_items, identities, polls):
            db.execute(table.delete())
    singly = [r.counts for o in outcomes() for r in settle(world, o) if isinstance(r, PollReport)]
    assert singly == together
    assert [(a.id, a.revision) for a in world.articles()][len(articles) :] == articles
    assert len(articles) == 4  # 1, 2, the fuller 2, 3
    assert gaps(world) == []


def test_one_bad_feed_does_not_cost_the_others_theirs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = normalise.candidates

    def breaks(document: Document, **kwargs: Any) -> Any:
        if document.title == "bad":
            raise ValueError("nobody thought of this")
        return real(document, **kwargs)

    monkeypatch.setattr(normalise, "candidates", breaks)
    batch = [brought(world, f"https://news.example/{n}", read_item(n)) for n in range(7)]
    batch[4].document.title = "bad"
    reports = settle(world, *batch)
    outcomes = [r.outcome for r in reports if isinstance(r, PollReport)]
    assert outcomes == ["ok"] * 4 + ["bug"] + ["ok"] * 2
    assert len({a.id for a in world.articles()}) == 6
    bad = feeds.listing(world.engine)[4]
    assert bad.error == "the poll broke (ValueError: nobody thought of this)"
    assert gaps(world) == []


def test_a_row_that_the_database_refuses_costs_its_own_feed_only(world: World) -> None:
    batch = [brought(world, f"https://news.example/{n}", read_item(n)) for n in range(4)]
    # The same feed at the same time again: its row is there already.
    batch[2] = batch[1]
    reports = settle(world, *batch)
    assert isinstance(reports[2], sa.exc.IntegrityError)
    assert [isinstance(r, PollReport) for r in reports] == [True, True, False, True]
    assert {row.source for row in world.ledger()} == {
        f"https://news.example/{n}" for n in (0, 1, 3)
    }
    assert gaps(world) == []


@pytest.mark.parametrize("step", ["_save_identities", "_save_items"])
def test_a_batch_cut_off_between_append_and_save_is_appended_again(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def crash(*_: object) -> None:
        raise Unavailable("the database is gone")

    batch = [
        brought(world, f"https://news.example/{n}", read_item(n), read_item(9)) for n in range(3)
    ]
    with monkeypatch.context() as broken:
        broken.setattr(intake, step, crash)
        assert all(isinstance(r, Unavailable) for r in settle(world, *batch))
    assert world.ledger() == []
    reports = settle(world, *batch)
    assert all(isinstance(r, PollReport) for r in reports)
    found = [(a.id, a.revision) for a in world.articles()]
    assert found[:4] == found[4:]
    assert [row.seen for row in world.ledger()] == [2, 2, 2]
    assert gaps(world) == []


def test_two_pollers_that_bring_one_article_at_once_book_it_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one saves between this one's look-up and its save."""
    mine = brought(world, "https://news.example/a", read_item(1), read_item(2))
    other = brought(world, "https://news.example/b", read_item(2), read_item(3))
    real, reports = Intake._append, list[PollReport | Exception]()

    def overtaken(self: Intake, articles: Any) -> None:
        real(self, articles)
        if not reports:
            reports.append(TimeoutError())
            reports[:] = settle(world, other)

    monkeypatch.setattr(Intake, "_append", overtaken)
    reports += settle(world, mine)
    counts = [r.counts for r in reports if isinstance(r, PollReport)]
    assert counts == [{"stored": 2}, {"stored": 1, "duplicate": 1}]
    assert gaps(world) == []


def test_a_batch_of_polls_without_news_leaves_their_rows(world: World) -> None:
    shown = brought(world, "https://news.example/a", read_item(1))
    settle(world, shown)
    later = START + timedelta(hours=1)
    (feed,) = feeds.listing(world.engine)
    reports = settle(
        world,
        Unchanged(feed=feed, at=later, answer=NotModified()),
        Failed(feed=feed, at=later + timedelta(hours=1), kind="timeout", sentence="no answer"),
    )
    assert [r.outcome for r in reports if isinstance(r, PollReport)] == ["unchanged", "timeout"]
    assert [(row.outcome, row.seen) for row in world.ledger()] == [
        ("ok", 1), ("unchanged", 0), ("timeout", 0),
    ]  # fmt: skip


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
    assert rows_of(world.engine, "v_ledger") == sorted(
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
    assert gaps(world) == []


def test_a_digest_tells_documents_apart_by_all_that_their_reading_depends_on() -> None:
    def of(body: bytes, kind: str, url: str) -> str:
        return ledger.body_hash(Fetched(body=body, status=200, content_type=kind, final_url=url))

    digests = {of(b"a", "x", "u"), of(b"b", "x", "u"), of(b"a", "y", "u"), of(b"a", "x", "v")}
    assert len(digests) == 4
