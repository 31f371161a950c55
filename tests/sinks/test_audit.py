"""The audit: every item has one fate, and what has none is named."""

from __future__ import annotations

import sqlalchemy as sa

from store import tables
from store.audit import audit
from stream.records import DEAD, Dead
from tests.sinks.world import NOON, Feed, matched, view


def _appended(engine: sa.Engine, *revisions: tuple[str, str]) -> None:
    columns = tables.identities.c
    with engine.begin() as connection:
        for id_, revision in revisions:
            row = {"article_id": id_, "revision": revision, "content_hash": "h", "text_length": 1,
                   "source": "archive", "appended": NOON}  # fmt: skip
            extra = {c.name: "" for c in columns if c.name not in row and not c.nullable}
            connection.execute(tables.identities.insert(), row | extra)


def _poll(engine: sa.Engine, source: str, **counts: object) -> None:
    with engine.begin() as connection:
        row = {"source": source, "at": NOON, "reasons": {}} | counts
        connection.execute(tables.polls.insert(), row)


def _dead(id_: str) -> Dead:
    return Dead(
        stage="embed", topic="dateline.articles", partition=0, offset=3, error="ValueError",
        message="no", attempts=2, first_failed=NOON, article_id=id_, revision="r1",
    )  # fmt: skip


def test_books_that_balance(feed: Feed, engine: sa.Engine) -> None:
    _poll(engine, "feed-1", seen=6, stored=2, duplicate=2, filtered=2,
          reasons={"filtered: no title and no text": 2, "duplicate: same text": 1})  # fmt: skip
    _appended(engine, ("a", "r2"), ("z", "r1"))
    feed(matched("a"), matched("a", revision="r2"))
    feed(_dead("z"), topic=DEAD)
    report = audit(engine)
    assert report.gaps == []
    assert (report.seen, report.appended, report.stored, report.dead) == (6, 2, 1, 1)
    assert report.articles == 1
    assert report.fates == {
        "database: revised: kept its story": 1,
        "database: stored: joined a story": 1,
        "embed: dead: ValueError": 1,
        "ingest: duplicate": 1,
        "ingest: duplicate: same text": 1,
        "ingest: filtered: no title and no text": 2,
        "ingest: stored": 2,
    }
    assert "every item has its fate" in report.as_text()
    assert report.as_dict()["polls"]["filtered"] == 2
    assert len(view(engine, "v_fates")) == 7


def test_a_poll_that_does_not_add_up_is_a_gap(engine: sa.Engine) -> None:
    _poll(engine, "feed-1", seen=3, duplicate=2)
    _poll(engine, "feed-2", seen=3, duplicate=1, revised=1, dead=1)
    [gap] = audit(engine).gaps
    assert gap.key.startswith("feed-1 at 2018-05-27")
    assert gap.problem == "3 items seen, 2 have a fate"


def test_a_folded_day_that_does_not_add_up_is_a_gap(engine: sa.Engine) -> None:
    counts = {"stored": 0, "revised": 0, "duplicate": 2, "filtered": 0, "dead": 0}
    rows = [
        {"source": source, "day": "2018-05-27", "polls": 9, "failed": 0, "seen": seen,
         "reasons": {}, **counts}
        for source, seen in (("feed-1", 3), ("feed-2", 2))
    ]  # fmt: skip
    with engine.begin() as connection:
        connection.execute(tables.polls_daily.insert(), rows)
    report = audit(engine)
    assert [(gap.what, gap.key) for gap in report.gaps] == [("day", "feed-1 on 2018-05-27")]
    assert report.seen == 5


def test_an_item_booked_as_stored_that_nobody_knows_is_a_gap(engine: sa.Engine) -> None:
    _poll(engine, "feed-1", seen=1, stored=1)
    [gap] = audit(engine).gaps
    assert gap.problem == "1 items were stored, 0 articles known"


def test_a_revision_without_a_fate_is_a_gap_unless_it_may_be_on_its_way(
    feed: Feed, engine: sa.Engine
) -> None:
    _poll(engine, "feed-1", seen=3, stored=2, revised=1)
    _appended(engine, ("a", "r2"), ("b", "r1"))
    feed(matched("a"), matched("b"))
    [gap] = audit(engine).gaps
    assert (gap.what, gap.key) == ("revision", "a@r2")
    flying = audit(engine, in_flight_allowed=True)
    assert (flying.gaps, flying.in_flight, flying.stored) == ([], 1, 1)
