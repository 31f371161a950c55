"""Feeds that are read on one day after the other."""

from __future__ import annotations

from datetime import timedelta

from ingest import feeds
from ingest.books.intake import Intake
from ingest.books.ledger import Brought, Ledger, PollReport
from ingest.documents.items import Document
from ingest.documents.parse import parse
from ingest.fetch.outcomes import Fetched
from stream.records import Article
from tests.ingest.world import START, World

LONG = " ".join(f"Sentence number {n} tells of the ferry, the crew and the sea." for n in range(90))
ONE, TWO = "https://feeds.example/one", "https://feeds.example/two"


class Days:
    """Feeds that show what they are told to at noon of one day after the other. Read and settled
    as polls are, without the processes and the network of polls, which take most of their time."""

    def __init__(self, world: World) -> None:
        self.world, self.now = world, START
        self.ledger = Ledger(world.engine, Intake(world.engine, world.log), world.settings)

    def show(self, document: bytes, url: str = ONE) -> PollReport:
        if url not in {feed.url for feed in feeds.listing(self.world.engine)}:
            feeds.add(self.world.engine, url, now=START)
        feed = next(f for f in feeds.listing(self.world.engine) if f.url == url)
        self.now += timedelta(days=1)
        answer = Fetched(body=document, status=200, content_type="text/xml", final_url=url)
        found = parse(document, answer.content_type, url, 2000)
        assert isinstance(found, Document)
        brought = Brought(
            feed=feed, at=self.now, answer=answer, document=found, digest=str(self.now)
        )
        (report,) = self.ledger.settle([brought])
        assert isinstance(report, PollReport)
        return report


def polled(days: Days, *documents: bytes) -> list[PollReport]:
    return [days.show(document) for document in documents]


def day(n: int, hour: int = 10) -> str:
    return f"{n} Sep 2021 {hour:02}:00:00 GMT"


def ids(articles: list[Article]) -> int:
    return len({a.id for a in articles})
