"""What placing and matching an article cost as the stream grows, beside an exact scan.

    dateline bench cost [--open 1000,10000,30000,100000] [--events 4,100,1000] [--timed 500]

The stream is made (see `bench.world`). Nothing closes, so the articles given are the articles
open. Every figure is of the last `--timed` articles before a level is reached, through the real
stage and the real judge, after a full collection of garbage; of matching, in batches as its stage
does it, the best of three passes (placing cannot be done twice). The exact scan is one float32
product over as many centres as there are open stories and their 24 highest: what finding
candidates alone would cost.
"""

from __future__ import annotations

import gc
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from bench import entry, tables
from bench.shares import STEPS, Shares
from bench.world import DIMS, MODEL, START, World
from processors.cluster import snapshot
from processors.cluster.settings import ClusterSettings
from processors.cluster.stage import ClusterStage
from processors.match import decision
from processors.match.events import build
from processors.match.judge import Judge
from processors.match.settings import MatchSettings
from stream.log.contract import LogRecord, Partition
from stream.records import EMBEDDED, Article, Embedded, encode
from stream.stage import Loop

PASSES = 3

Sample = Sequence[tuple[Article, NDArray[np.float32]]]


def record(article: Article, vector: NDArray[np.float32], offset: int) -> LogRecord:
    raw = vector.astype("<f2").tobytes()
    embedded = Embedded(article=Raw(encode(article)), model=MODEL, dims=DIMS, vector=raw)
    key, fetched = article.id.encode(), article.fetched
    return LogRecord(EMBEDDED, 0, offset, key, encode(embedded), {}, fetched)


def memory() -> float:
    """Resident memory of this process in MB."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


def exact_scan(stories: int, timed: int) -> float:
    """ms of processor time for one exact product over that many centres, and its 24 highest."""
    centres = np.random.default_rng(1).standard_normal((stories, DIMS)).astype(np.float32)
    rows = centres[: min(20, timed)].copy()
    started = time.process_time()
    for row in rows:
        near = centres @ row
        np.argpartition(near, max(0, stories - 24))
    return 1000 * (time.process_time() - started) / len(rows)


def judge_of(world: World, events: int, *, listed: bool = True) -> Judge:
    """Of events about stories of the stream; without listed names the others tell (a crowd)."""
    definitions, vectors = zip(*(world.definition(i) for i in range(events)), strict=True)
    if not listed:
        definitions = tuple(
            msgspec.structs.replace(one, actors=[], places=[]) for one in definitions
        )
    table = build(definitions, {one.event_id: one for one in vectors})
    return Judge(table, decision.load(MODEL), MatchSettings())


class Matching(NamedTuple):
    """ms an article, and decisions kept for one. `alone`: each in a batch of its own."""

    all: float
    teasers: float
    texts: float
    alone: float
    kept: float


def matching(judge: Judge, sample: Sample) -> Matching:
    """As the stage does it, in batches; of each figure the best of three passes."""
    texts = [one for one in sample if len(one[0].text) > 1000]
    teasers = [one for one in sample if len(one[0].text) <= 1000]
    kept = sum(map(len, judge.kept_all(sample)))
    spent = [min(_spent(judge, one) for _ in range(PASSES)) for one in (sample, teasers, texts)]
    alone = min(_spent(judge, sample, together=1) for _ in range(PASSES))
    return Matching(spent[0], spent[1], spent[2], alone, kept / len(sample))


def _spent(judge: Judge, sample: Sample, together: int | None = None) -> float:
    """ms of processor time an article, so many given at once (None = all)."""
    size = together or len(sample)
    started = time.process_time()
    for at in range(0, len(sample), size):
        judge.kept_all(sample[at : at + size])
    return 1000 * (time.process_time() - started) / len(sample)


def saved(stage: ClusterStage) -> tuple[float, float, float]:
    """(seconds, MB) of a snapshot, and seconds of processor time to start from it."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        path = snapshot.save(Path(folder), stage._lanes[0], "bench", "bench", START, 0, stage.beat)
        seconds = time.perf_counter() - started
        again = stage._new_lane(0)
        started = time.process_time()
        snapshot.load(path, again, "bench", "bench")
        return seconds, path.stat().st_size / 1e6, time.process_time() - started


def shares(
    stage: ClusterStage, judge: Judge, sample: Sample, offset: int
) -> list[tuple[str, str, float]]:
    """(part, step, ms an article) of articles that are placed and matched now."""
    counted = Shares()
    with counted.measured():
        given = [record(*one, number) for number, one in enumerate(sample, offset)]
        stage.ahead(given)
        for one in given:
            stage.process([one])
        judge.kept_all(sample)
    per = 1000 / len(sample)
    return [(step.part, step.name, per * counted.seconds[step]) for step in STEPS]


HEAD = ("open articles", "stories", "placing ms", "p95", "matching ms", "both ms", "exact scan ms",
        "both / scan", "kB an article", "snapshot", "start")  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    parser = entry.parser("cost", __doc__)
    parser.add_argument(
        "--open", type=entry.numbers, default="1000,10000,30000,100000", metavar="N,N",
        help="levels, in articles (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--events", type=entry.numbers, default="4,100,1000", metavar="N,N",
        help="numbers of events (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--timed", type=int, default=500, help="articles timed at each level")
    arguments = parser.parse_args(argv)
    levels, events = arguments.open, arguments.events
    world = World()
    stage = ClusterStage(ClusterSettings())
    stage.start(Partition(EMBEDDED, 0), "bench")
    before = memory()
    stream = world.articles()
    offset = 0
    rows, placing, both = list[list[str]](), list[float](), list[float]()
    for level in levels:
        spent = list[float]()
        sample = list[tuple[Article, NDArray[np.float32]]]()
        while offset < level:
            # As polled: making the articles in between would leave none of the stage in the caches.
            polled = list(islice(stream, min(Loop.BATCH, level - offset)))
            given = [
                record(article, vector, at) for at, (article, vector) in enumerate(polled, offset)
            ]
            if offset < level - arguments.timed <= offset + len(given):
                gc.collect()  # or the sample may have one full collection, or none
            started = time.process_time()
            stage.ahead(given)
            each = (time.process_time() - started) / len(given)
            for (article, vector), one in zip(polled, given, strict=True):
                started = time.process_time()
                stage.process([one])
                if one.offset >= level - arguments.timed:
                    spent.append(1000 * (each + time.process_time() - started))
                    sample.append((article, vector.astype("<f2").astype(np.float32)))
            offset += len(polled)
        stories = len(stage._lanes[0].shelf.stories)
        scan = exact_scan(stories, arguments.timed)
        used = memory() - before
        judge = judge_of(world, events[-1])
        matched = matching(judge, sample)
        placing.append(float(np.mean(spent)))
        both.append(placing[-1] + matched.all)
        seconds, size, again = saved(stage)
        rows.append(
            [f"{level:,}", f"{stories:,}", f"{np.mean(spent):.2f}",
             f"{np.percentile(spent, 95):.2f}", f"{matched.all:.2f}", f"{both[-1]:.2f}",
             f"{scan:.2f}", f"{both[-1] / scan:.2f}", f"{1024 * used / level:.1f}",
             f"{seconds:.1f} s, {size:.0f} MB", f"{again:.1f} s"]
        )  # fmt: skip
        print(f"{level:,} open", file=sys.stderr, flush=True)
    print(f"placing, and matching with {events[-1]:,} events: an article")
    tables.show(HEAD, rows)
    if len(levels) > 1:
        grown = [
            math.log(one[-1] / one[0]) / math.log(levels[-1] / levels[0]) for one in (placing, both)
        ]
        print(
            f"  placing grows as (open articles) ^ {grown[0]:.2f}, both as ^ {grown[1]:.2f}; "
            "an exact scan as ^ 1"
        )
    lines = list[list[str]]()
    for number in events:
        for listed in (True, False):
            judge = judge_of(world, number, listed=listed)
            found = matching(judge, sample)
            scan = exact_scan(len(judge.table.matrix), arguments.timed)
            lines.append(
                [f"{number:,}", "listed" if listed else "not listed", f"{found.all:.2f}",
                 f"{found.teasers:.2f}", f"{found.texts:.2f}", f"{found.alone:.2f}",
                 f"{scan:.2f}", f"{found.kept:.2f}"]
            )  # fmt: skip
    print("\nmatching: an article")
    tables.show(
        (
            "events",
            "people and places",
            "ms",
            "teaser",
            "full text",
            "one by one",
            "their vectors alone",
            "kept",
        ),
        lines,
    )
    sample = [next(stream) for _ in range(arguments.timed)]
    steps = shares(stage, judge_of(world, events[-1]), sample, offset)
    total = sum(ms for _, _, ms in steps)
    print(f"\nshares of an article at {levels[-1]:,} open, {events[-1]:,} events")
    tables.show(
        ("part", "step", "ms", "share"),
        [[part, step, f"{ms:.3f}", f"{100 * ms / total:.0f} %"] for part, step, ms in steps],
    )


if __name__ == "__main__":
    entry.run(main)
