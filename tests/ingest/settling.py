"""Outcomes of polls that the ledger settles, without polls; and what the audit says of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ingest import feeds
from ingest.books.intake import Intake
from ingest.books.ledger import Brought, Ledger, Outcome, PollReport
from ingest.documents.items import Document, Item
from ingest.fetch.fetcher import Fetched
from store.audit import audit
from tests.ingest.world import World


def rows_of(engine: sa.Engine, view: str) -> list[dict[str, Any]]:
    with engine.connect() as db:
        found = db.execute(sa.text(f"SELECT * FROM {view}")).mappings()
        return sorted((dict(row) for row in found), key=repr)


def brought(
    world: World, url: str, *items: Item, left_out: dict[str, int] | None = None
) -> Brought:
    feeds.add(world.engine, url, now=world.clock.now())
    (feed,) = [f for f in feeds.listing(world.engine) if f.url == url]
    document = Document(kind="rss20", encoding="utf-8", items=[*items], left_out=left_out or {})
    answer = Fetched(body=b"", status=200, content_type="", final_url=url)
    return Brought(
        feed=feed, at=world.clock.now(), answer=answer, document=document, digest=url[-9:]
    )


def read_item(n: int, **fields: Any) -> Item:
    given = {"title": f"Title {n}", "text": f"Text {n}", "url": f"https://news.example/{n}"}
    return Item(position=n, guid=f"id-{n}", **{**given, **fields})


def settle(world: World, *outcomes: Outcome) -> list[PollReport | Exception]:
    book = Ledger(world.engine, Intake(world.engine, world.log), world.settings)
    try:
        return book.settle(outcomes)
    finally:
        book.close()


def gaps(world: World) -> list[str]:
    """What the audit says, articles on their way to the database apart."""
    return [gap.problem for gap in audit(world.engine, in_flight_allowed=True).gaps]
