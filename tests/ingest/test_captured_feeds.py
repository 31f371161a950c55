"""Captured feeds: what the index says of each, and two readers that must agree."""

from __future__ import annotations

import csv
import re
from datetime import timedelta
from pathlib import Path

import pytest

from ingest.documents import dates, oddfeed, parse, xmlfeed
from ingest.documents.decode import decode, legal_document
from ingest.documents.entries import Feed
from ingest.documents.items import Document, Item
from ingest.documents.markup import tidy

BASE = "https://feeds.example/news/feed.xml"
# Captions of pictures are no summary for our reader; feedparser takes the last description.
_CAPTION = re.compile(r"<media:description\b.*?</media:description>", re.DOTALL)
# Where the index, made with another reader, is wrong or counts something else.
_DATES_NO_PARSER_READ = {
    "cdv-cz-1",
    "drugrecalls-1",
    "ilmessaggero-1",
    "koreatimes-1",
    "news18-hindi-1",
}
_ONLY_PICTURES = {"indianexpress-1", "publico-1", "wired-1"}
_BRITISH_SUMMER, _AFTERNOON = "skysports-1", "nbcnewyork-1"  # read as UTC; without its "PM"
_IN_THEIR_ORDER = "elastic-jsonfeed-1"  # the first and the last, not the oldest and the newest
_EXCUSED = {
    *((name, "with_date") for name in _DATES_NO_PARSER_READ),
    *((name, "with_summary") for name in _ONLY_PICTURES),
    *(
        (name, column)
        for name in (_BRITISH_SUMMER, _AFTERNOON, _IN_THEIR_ORDER)
        for column in ("oldest_item", "newest_item")
    ),
}


@pytest.fixture
def real(shared_data: Path) -> Path:
    return shared_data / "feeds" / "real"


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "INDEX.tsv").open(newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def test_items_titles_links_dates_and_ids_are_as_counted(real: Path) -> None:
    wrong = []
    for row in _rows(real):
        name = row["file"].rpartition(".")[0]
        found = parse.parse((real / row["file"]).read_bytes(), "", BASE, 2000)
        assert isinstance(found, Document), (row["file"], found)
        items = found.items
        counts = {
            "items": len(items),
            "with_title": sum(1 for i in items if i.title),
            "with_link": sum(1 for i in items if i.url),
            "with_summary": sum(1 for i in items if i.text),
            "with_date": sum(1 for i in items if i.published),
            "with_id": sum(1 for i in items if i.guid),
        }
        wrong += [
            f"{name} {column}: {row[column]} in the index, {count} read"
            for column, count in counts.items()
            if row[column] and int(row[column]) != count and (name, column) not in _EXCUSED
        ]
        times = sorted(i.published for i in items if i.published)
        for column, ours in (("oldest_item", times[:1]), ("newest_item", times[-1:])):
            if row[column] and ours and (name, column) not in _EXCUSED:
                theirs = dates.read(row[column])
                assert theirs is not None, row[column]
                if abs(theirs - ours[0]) >= timedelta(minutes=1):
                    wrong.append(f"{name} {column}: {row[column]}, {ours[0]} read")
    assert not wrong, "\n".join(wrong)


def _items(feed: Feed) -> list[Item]:
    language = feed.channel.first("language") or feed.channel.lang
    return [parse._item(n, e, BASE, language) for n, e in enumerate(feed.entries)]


def test_our_reader_and_feedparser_read_the_same(real: Path, shared_data: Path) -> None:
    """Field by field, over all captured feeds and a sample of the polls."""
    polls = sorted((shared_data / "feeds" / "replay-2021-09").glob("*/*.xml"))[::10]
    compared, wrong = 0, []
    for path in [*sorted(real.glob("*.xml")), *polls]:
        text, _ = decode(_CAPTION.sub("", path.read_bytes().decode("latin-1")).encode("latin-1"))
        start, root = parse._first_element(text)
        if root in ("", "html"):
            continue
        tidied = tidy(text[start:], 2000)
        try:
            ours = xmlfeed.read(legal_document(text[start:]), 2000)
        except xmlfeed.Odd:  # not well-formed, or a rare dialect
            try:
                ours = xmlfeed.read(tidied.text, 2000)
            except xmlfeed.Odd:
                continue
        theirs = oddfeed.read(tidied, BASE, 2000)
        compared += 1
        pairs = list(zip(_items(ours), _items(theirs), strict=False))
        if (
            len(ours.entries) != len(theirs.entries)
            or tidied.left_out
            or ours.version != theirs.version
        ):
            wrong.append(f"{path}: {len(ours.entries)} items, {len(theirs.entries)} in feedparser")
        wrong += [f"{path} {one.position}: {one} {other}" for one, other in pairs if one != other]
    assert compared > 200
    assert not wrong, "\n".join(wrong)[:3000]


def test_of_el_pais_the_articles_own_links_are_read(real: Path) -> None:
    """In 68 of its items an `atom:link` names a related story after the item's own link."""
    found = parse.parse((real / "elpais-2.xml").read_bytes(), "", BASE, 2000)
    assert isinstance(found, Document)
    own = [i.url == i.guid or (i.guid or "").startswith("http") is False for i in found.items]
    assert found.items
    assert all(own)
