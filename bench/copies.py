"""Copies between outlets, measured on captured feeds against pairs judged by hand.

    dateline bench copies DATA [--cache DIR] [--json]

DATA is the folder with feeds/real and feeds/replay-2021-09. Their documents are read as ingest
reads them and placed by the real cluster stage in order of time. The pairs in `data/copies.jsonl`
(ids of articles, which are hashes of their addresses) were gathered by a looser method than the
stage's and judged by reading: the same text apart from boilerplate, cuts and small edits is a
copy, another text on the same news is none, null is what the feeds' words do not decide.
"""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from statistics import median_low
from typing import NamedTuple

import msgspec
from msgspec import Raw

from bench import entry
from bench.streams import UNDATED
from bench.tracking import CACHE, Cache
from ingest.articles.fates import Tally
from ingest.articles.normalise import candidates
from ingest.documents import dates, parse
from ingest.documents.items import Document
from processors.cluster.settings import ClusterSettings
from processors.cluster.stage import ClusterStage
from processors.embed.encoder import Encoder, article_text
from processors.embed.settings import EmbedSettings
from stream.errors import UsageError
from stream.log.contract import LogRecord, Partition
from stream.records import EMBEDDED, Article, Embedded, Placed, encode

LABELS = Path(__file__).parent / "data" / "copies.jsonl"
MAX_ITEMS = 2000
# 95 % of a normal distribution lie so many standard deviations around its middle.
Z = 1.96

Pair = tuple[str, str]


class Share(NamedTuple):
    """`right` of `all`, with Wilson's 95 % interval."""

    right: int
    all: int

    @property
    def value(self) -> float:
        return self.right / self.all if self.all else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        n, p = self.all, self.value
        if not n:
            return 0.0, 1.0
        middle = p + Z * Z / (2 * n)
        width = Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
        return (middle - width) / (1 + Z * Z / n), (middle + width) / (1 + Z * Z / n)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.3f} ({self.right} of {self.all}; 95 % {low:.2f}–{high:.2f})"


class Report(NamedTuple):
    articles: int
    judged: int
    precision: Share
    recall: Share
    open: int  # found, and left open by the judge
    unjudged: list[Pair]  # found, and never looked at: they count nowhere
    wrong: list[Pair]
    missed: list[Pair]


def captured(data: Path) -> list[Article]:
    """Every article of the captured feeds as it was first seen, in order of event time."""
    polls = sorted((data / "feeds" / "replay-2021-09").glob("*/*.xml"), key=lambda one: one.name)
    documents = [(path, path.parent.name, _moment(path.stem)) for path in polls]
    documents += _single(data / "feeds" / "real")
    if not polls:
        raise UsageError(f"expected feeds/real and feeds/replay-2021-09 in {data}")
    found: dict[str, Article] = {}
    last: dict[str, bytes] = {}
    for path, feed, at in documents:
        body = path.read_bytes()
        if last.get(feed) != body:
            last[feed] = body
            for one in _articles(body, f"https://{feed}.example/feed", at):
                found.setdefault(one.id, one)
    return sorted(found.values(), key=lambda one: (one.event_time, one.id))


def _single(folder: Path) -> Iterator[tuple[Path, str, datetime]]:
    """The documents captured once, at their newest item; one without dates, when most of its
    collection was captured."""
    with (folder / "INDEX.tsv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    together: dict[str, list[datetime]] = defaultdict(list)
    for row in rows:
        if (at := dates.read(row["newest_item"])) is not None:
            together[row["source_repo"]].append(at)
    for row in rows:
        others = together[row["source_repo"]] or [UNDATED]
        newest = dates.read(row["newest_item"]) or median_low(others)
        if (path := folder / row["file"]).suffix == ".xml":
            yield path, path.stem, newest


def _articles(body: bytes, url: str, at: datetime) -> Iterator[Article]:
    document = parse.parse(body, "", url, MAX_ITEMS)
    if not isinstance(document, Document):
        return
    for one in candidates(document, feed_url=url, outlet=None, fetched=at, tally=Tally.empty()):
        one.article.revision = "1"
        yield one.article


def _moment(stem: str) -> datetime:
    return datetime.strptime(stem, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def copies(articles: Sequence[Article], encoder: Cache) -> set[Pair]:
    """Pairs of articles of two outlets that the cluster stage takes for one text."""
    vectors = encoder.encode([article_text(one.title, one.text) for one in articles])
    stage = ClusterStage(ClusterSettings())
    lane = Partition(EMBEDDED, 0)
    stage.start(lane, "bench")
    texts: dict[str, list[Article]] = defaultdict(list)
    for offset, (one, vector) in enumerate(zip(articles, vectors, strict=True)):
        embedded = Embedded(
            article=Raw(encode(one)), model=encoder.name, dims=len(vector) // 2, vector=vector
        )
        record = LogRecord(EMBEDDED, 0, offset, None, encode(embedded), {}, one.fetched)
        for output in stage.process([record]):
            assert isinstance(output.record, Placed)
            texts[output.record.copy_of or one.id].append(one)
    return {
        (min(one.id, other.id), max(one.id, other.id))
        for members in texts.values()
        for one, other in combinations(members, 2)
        if one.outlet != other.outlet
    }


def measure(articles: Sequence[Article], found: set[Pair]) -> Report:
    """`found` against the judged pairs of which both articles are there."""
    here = {one.id for one in articles}
    judged: dict[Pair, bool | None] = {}
    for line in LABELS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["a"] in here and row["b"] in here:
            judged[row["a"], row["b"]] = row["copy"]
    if not judged:
        raise UsageError("none of the judged pairs is in these feeds: expected the captured ones")
    true = {pair for pair, copy in judged.items() if copy}
    right, wrong = found & true, {pair for pair in found if judged.get(pair) is False}
    return Report(
        len(articles),
        len(judged),
        Share(len(right), len(right) + len(wrong)),
        Share(len(right), len(true)),
        sum(judged.get(pair, False) is None for pair in found),
        sorted(found - set(judged)),
        sorted(wrong),
        sorted(true - found),
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = entry.parser("copies", __doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for vectors")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    articles = captured(options.data)
    encoder = Cache(Encoder(EmbedSettings()), options.cache)
    found = copies(articles, encoder)
    encoder.save()
    report = measure(articles, found)
    if options.json:
        print(msgspec.json.encode(report._asdict()).decode())
        return
    print(f"{report.articles:,} articles, {report.judged} pairs judged, {len(found)} pairs found")
    print(f"precision {report.precision}")
    print(f"recall    {report.recall}")
    print(f"found and left open by the judge: {report.open}; never judged: {len(report.unjudged)}")
    titles = {one.id: f"{one.outlet}: {one.title[:70]}" for one in articles}
    for name in ("wrong", "missed", "unjudged"):
        for a, b in getattr(report, name):
            print(f"{name:9} {a} {titles[a]}\n{'':9} {b} {titles[b]}")


if __name__ == "__main__":
    entry.run(main)
