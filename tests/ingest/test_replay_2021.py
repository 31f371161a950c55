"""Five days of a live web, through the real poller: the figures of docs/ingest.md.

What the feeds did is counted here by a reading of its own (lxml, guid by guid), so that the two
can disagree. Half of the feeds, with everything that any of them did, are enough for every day;
DATELINE_WHOLE_REPLAY=1 plays all 16 (a minute).
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from lxml import etree

from ingest import feeds
from ingest.books.ledger import PollReport
from ingest.clock import VirtualClock
from store.engine import open_database
from store.tables import identities
from stream.records import Article
from tests.ingest.world import World, running

WHOLE = bool(os.environ.get("DATELINE_WHOLE_REPLAY"))
HALF = ("cnn", "dailytelegraph", "gmanews", "latimes", "philstar", "rnz", "rnzcovid19", "stuffnz")


@dataclass
class Reading:
    """What the feeds did, by the ids that they gave."""

    items: int = 0
    blocked: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    headlines: list[tuple[datetime, str]] = field(default_factory=list)  # when, what it became


@dataclass
class Played:
    reports: list[PollReport] = field(default_factory=list)
    again: list[list[PollReport]] = field(default_factory=list)
    articles: list[Article] = field(default_factory=list)

    @property
    def fates(self) -> Counter[str]:
        return Counter(f for r in self.reports for f, n in r.counts.items() for _ in range(n))

    @property
    def reasons(self) -> Counter[str]:
        return sum((Counter(r.reasons) for r in self.reports), Counter())


def _polls(folder: Path) -> list[tuple[datetime, Path]]:
    """(moment, document), in order of time and then of feed."""
    found = [
        (datetime.strptime(path.stem, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC), path)
        for path in folder.glob("*/*.xml")
        if WHOLE or path.parent.name in HALF
    ]
    return sorted(found, key=lambda poll: (poll[0], poll[1].parent.name))


def _read(polls: Iterable[tuple[datetime, Path]]) -> Reading:
    reading = Reading()
    shown: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    present: dict[str, set[str]] = defaultdict(set)
    for at, path in polls:
        feed, items = path.parent.name, list(_items(path.read_bytes()))
        if not items:
            reading.blocked += 1
            continue
        reading.items += len(items)
        now = {one.get("guid") or one.get("link", ""): one for one in reversed(items)}
        for name, one in now.items():
            before = shown[feed].get(name)
            if before is None:
                reading.counts["ids"] += 1
                continue
            for what in ("title", "pubDate", "link", "description"):
                reading.counts[what] += before.get(what) != one.get(what)
            if before.get("title") != one.get("title"):
                reading.headlines.append((at, one.get("title", "")))
            reading.counts["returned"] += name not in present[feed]
        shown[feed] |= now
        present[feed] = set(now)
    # The only two feeds of one outlet.
    reading.counts["in both feeds"] = len(shown["rnz"].keys() & shown["rnzcovid19"].keys())
    return reading


def _items(document: bytes) -> Iterator[dict[str, str]]:
    root = etree.fromstring(document, etree.XMLParser(recover=True))
    if root is None or etree.QName(root).localname not in ("rss", "RDF"):
        return
    for item in root.iter("{*}item"):
        yield {
            child.tag: " ".join("".join(child.itertext()).split())
            for child in reversed(item)
            if isinstance(child.tag, str) and "{" not in child.tag
        }


async def _play(
    world: World, polls: Iterable[tuple[datetime, Path]], tail: bytes = b""
) -> list[PollReport]:
    reports: list[PollReport] = []
    async with world.poller() as poller:
        known = {feed.url: feed for feed in feeds.listing(world.engine)}
        for at, path in polls:
            address = f"/{path.parent.name}"
            world.site.pages[address] = path.read_bytes() + tail
            await world.clock.sleep_until(at, asyncio.Event())
            report = await poller.poll(known[world.site.url(address)])
            assert report.feed is not None
            known[report.url] = report.feed
            reports.append(report)
    return reports


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "feeds" / "replay-2021-09"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[World]:
    path = tmp_path_factory.mktemp("replay")
    shutil.copyfile(empty_database, path / "dateline.db")
    made = World(path, open_database(f"sqlite:///{path / 'dateline.db'}"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def played(world: World, folder: Path) -> Played:
    polls = _polls(folder)
    world.clock = VirtualClock(polls[0][0])
    found = Played()

    async def scenario() -> None:
        for name in sorted({path.parent.name for _, path in polls}):
            feeds.add(world.engine, world.site.url(f"/{name}"), now=world.clock.now())
        found.reports = await _play(world, polls)
        found.articles = world.articles()
        first = {path.parent.name: (at, path) for at, path in reversed(polls)}
        last = {path.parent.name: (at, path) for at, path in polls}
        for hours, documents in enumerate((last, first), 1):
            at = polls[-1][0] + timedelta(hours=hours)
            later = [(at, path) for _, path in sorted(documents.values())]
            # Another byte, or nobody would read the document that came last.
            found.again.append(await _play(world, later, b"\n" * hours))

    running(scenario, world)
    return found


@pytest.fixture(scope="module")
def reading(folder: Path) -> Reading:
    return _read(_polls(folder))


def _of(whole: dict[str, int], half: dict[str, int]) -> dict[str, int]:
    return whole if WHOLE else half


def test_what_the_feeds_did_is_what_the_document_says(reading: Reading) -> None:
    found = {"items": reading.items, "blocked": reading.blocked, **reading.counts}
    assert found == _of(
        {"items": 36_481, "blocked": 72, "ids": 3_147, "in both feeds": 48, "title": 283,
         "description": 257, "pubDate": 1_202, "link": 56, "returned": 109},
        {"items": 11_298, "blocked": 71, "ids": 1_222, "in both feeds": 48, "title": 133,
         "description": 121, "pubDate": 256, "link": 52, "returned": 74},
    )  # fmt: skip


def test_every_item_of_five_days_has_one_fate_and_a_true_reason(
    played: Played, reading: Reading
) -> None:
    assert sum(r.seen for r in played.reports) == played.fates.total() == reading.items
    assert dict(played.fates) == _of(
        {"stored": 3_101, "revised": 402, "duplicate": 32_978},
        {"stored": 1_176, "revised": 184, "duplicate": 9_938},
    )
    assert dict(played.reasons) == _of(
        {
            "stored: another story under an address that had named one before": 2,
            "revised: edited": 390,
            "revised: an earlier wording returned": 10,
            "revised: a fuller text than the other feed's": 2,
            "duplicate: unchanged": 32_912,
            "duplicate: known from another feed": 47,
            "duplicate: unchanged here; another feed's wording stands": 1,
            "duplicate: the same article stands twice in this document": 18,
        },
        {
            "stored: another story under an address that had named one before": 2,
            "revised: edited": 175,
            "revised: an earlier wording returned": 7,
            "revised: a fuller text than the other feed's": 2,
            "duplicate: unchanged": 9_890,
            "duplicate: known from another feed": 47,
            "duplicate: unchanged here; another feed's wording stands": 1,
        },
    )


def test_block_pages_bring_nothing_and_withdraw_nothing(played: Played, reading: Reading) -> None:
    blocked = [r for r in played.reports if r.outcome != "ok"]
    assert {r.outcome for r in blocked} == {"page"}
    assert len(blocked) == reading.blocked
    assert not any(r.counts for r in blocked)


def test_ids_articles_and_what_was_folded_add_up(
    played: Played, reading: Reading, world: World
) -> None:
    with world.engine.connect() as db:
        articles = db.execute(sa.select(sa.func.count()).select_from(identities)).scalar_one()
    assert articles == played.fates["stored"] == len({a.id for a in played.articles})
    reused = sum(n for reason, n in played.reasons.items() if reason.startswith("stored: another"))
    assert articles == reading.counts["ids"] - reading.counts["in both feeds"] + reused


def test_every_changed_headline_is_on_the_log(played: Played, reading: Reading) -> None:
    logged = {(article.title.casefold(), article.fetched) for article in played.articles}
    times: dict[str, list[datetime]] = defaultdict(list)
    for title, at in logged:
        times[title].append(at)
    missing = [
        (at, title)
        for at, title in reading.headlines
        if not any(moment <= at for moment in times[title.casefold()])
    ]
    assert missing == []


def test_no_article_changes_its_outlet_and_no_two_outlets_share_one(played: Played) -> None:
    outlets: dict[str, set[str]] = defaultdict(set)
    told: dict[str, set[str]] = defaultdict(set)
    for article in played.articles:
        outlets[article.id].add(article.outlet)
        told[article.title.casefold()].add(article.outlet)
    assert all(len(found) == 1 for found in outlets.values())
    assert sum(len(found) > 1 for found in told.values()) == _of({"n": 5}, {"n": 4})["n"]


def test_documents_of_before_bring_no_new_article(played: Played) -> None:
    last, first = ([Counter(r.counts) for r in some] for some in played.again)
    assert sum(one["stored"] for one in (*last, *first)) == 0
    assert sum(one["revised"] for one in last) == 0
