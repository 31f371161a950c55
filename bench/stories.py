"""Story quality on labelled streams, through the real cluster stage, beside baselines.

    dateline bench stories FILE... [--lang en] [--orders 5] [--json] [--cache DIR] [--decision FILE]

Prints BCubed precision, recall and F1 at first placement, 24 hours of event time later and at the
end of the stream, with bootstrap intervals over true clusters. Streams in which several articles
share a time are read in several shuffled orders and the figures averaged.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from bench import entry, tables
from bench.baselines import BASELINES, Labels
from bench.metrics import Floats, Interval, ahead, b_cubed, b_cubed_draws, interval
from bench.streams import Stream, load
from processors.cluster.settings import ClusterSettings
from processors.cluster.stage import ClusterStage
from processors.embed.settings import EmbedSettings
from stream.log.contract import Partition
from stream.records import EMBEDDED, Article, Placed, StoryChange

DAY = timedelta(days=1)


class Result(Struct):
    """Story of each article, in the order of the stream, at three moments of its life."""

    first: Labels
    later: Labels  # 24 hours of event time after it was placed (an undated stream: at the end)
    last: Labels
    ms: float | None = None  # an article

    @property
    def changed(self) -> float:
        """Share of articles that ended in another story than they were placed in."""
        return sum(a != b for a, b in zip(self.first, self.last, strict=True)) / len(self.first)


class Figures(Struct):
    """One method on one stream. The last number of each list is F1, before it P and R."""

    method: str
    first: list[float]
    later: list[float]
    last: list[float]
    changed: float
    stories: float
    interval: Interval  # of the F1 24 hours later
    ahead: Interval | None = None  # Dateline's F1 less this method's, paired
    ms: float | None = None


class Report(Struct):
    stream: str
    articles: int
    true_stories: int
    orders: int
    methods: list[Figures]


def dateline(stream: Stream, seed: int, settings: ClusterSettings | None = None) -> Result:
    """The real stage, record by record."""
    stage = ClusterStage(settings or ClusterSettings())
    stage.start(Partition(EMBEDDED, 0), "bench")
    records = stream.records(seed)
    started = time.perf_counter()
    outputs = stage.process(records)
    seconds = time.perf_counter() - started
    placed = [output.record for output in outputs if isinstance(output.record, Placed)]
    articles = [one.read_embedded().read_article() for one in placed]
    return follow(zip(articles, placed, strict=True), 1000 * seconds / len(records))


def follow(placements: Iterable[tuple[Article, Placed]], ms: float | None = None) -> Result:
    """What became of each placement, by the changes that were logged with later ones."""
    stories, into = dict[str, str](), dict[str, str]()
    first: dict[str, str] = {}
    later: dict[str, str] = {}
    due: deque[tuple[datetime, str]] = deque()
    clock = datetime.min.replace(tzinfo=UTC)

    def now(article: str) -> str:
        story = stories[article]
        while story in into:
            story = into[story]
        return story

    for article, placed in placements:
        clock = max(clock, article.event_time)
        # A day has passed for these before this article came.
        while due and due[0][0] < clock:
            old = due.popleft()[1]
            later[old] = now(old)
        stories[article.id] = first[article.id] = placed.story
        for change in placed.changes:
            _apply(change, stories, into)
        due.append((clock + DAY, article.id))
    last = {article: now(article) for article in stories}
    return Result(
        list(first.values()), [later.get(a, s) for a, s in last.items()], list(last.values()), ms
    )


def _apply(change: StoryChange, stories: dict[str, str], into: dict[str, str]) -> None:
    if change.kind == "merged" and change.into:
        into[change.story] = change.into
    elif change.kind == "split" and change.into:
        stories.update(dict.fromkeys(change.articles, change.into))


def measure(stream: Stream, orders: int = 5, settings: ClusterSettings | None = None) -> Report:
    """Dateline and every baseline on one stream."""
    seeds = list(range(orders if stream.needs_shuffles else 1))
    true = [[stream.rows[i].cluster for i in stream.order(seed)] for seed in seeds]
    own, draws = _figures("Dateline", [dateline(stream, s, settings) for s in seeds], true)
    found = [own]
    for baseline in BASELINES:
        if not baseline.available():
            print(
                f"{baseline.name} is left out: {baseline.needs} is not installed", file=sys.stderr
            )
            continue
        runs = []
        for seed in seeds[:1] if baseline.orderless else seeds:
            labels = baseline.run(stream, seed)
            runs.append(Result(labels, labels, labels))
        figures, others = _figures(baseline.name, runs, true[: len(runs)])
        found.append(msgspec.structs.replace(figures, ahead=interval(draws - others)))
    return Report(
        stream.name, len(stream.rows), len({row.cluster for row in stream.rows}), len(seeds), found
    )


def _figures(method: str, runs: Sequence[Result], true: Sequence[Labels]) -> tuple[Figures, Floats]:
    """The means over runs, and the bootstrap's F1 24 hours later."""
    draws = b_cubed_draws([run.later for run in runs], true)
    times = [run.ms for run in runs if run.ms is not None]
    figures = Figures(
        method,
        first=_mean([run.first for run in runs], true),
        later=_mean([run.later for run in runs], true),
        last=_mean([run.last for run in runs], true),
        changed=float(np.mean([run.changed for run in runs])),
        stories=float(np.mean([len(set(run.last)) for run in runs])),
        interval=interval(draws),
        ms=float(np.mean(times)) if times else None,
    )
    return figures, draws


def _mean(labelings: Sequence[Labels], true: Sequence[Labels]) -> list[float]:
    parts = [b_cubed(found, one) for found, one in zip(labelings, true, strict=True)]
    return [float(value) for value in np.mean(parts, axis=0)]


HEAD = ("method", "first F1", "+24 h P", "R", "F1", "95 %", "end F1", "changed", "stories",
        "Dateline ahead, 95 %")  # fmt: skip


def cells(one: Figures) -> list[str]:
    """One line of the table under `HEAD`."""
    p, r, f = one.later
    return [
        one.method, f"{one.first[2]:.3f}", f"{p:.3f}", f"{r:.3f}", f"{f:.3f}",
        str(one.interval), f"{one.last[2]:.3f}",
        f"{100 * one.changed:.1f} %", f"{one.stories:.0f}",
        ahead(one.ahead),
    ]  # fmt: skip


def title(report: Report) -> str:
    orders = f", mean of {report.orders} orders" if report.orders > 1 else ""
    return (
        f"{report.stream}: {report.articles} articles, {report.true_stories} true stories{orders}"
    )


def show(report: Report) -> None:
    print(f"\n{title(report)}")
    tables.show(HEAD, [cells(one) for one in report.methods])
    if (ms := report.methods[0].ms) is not None:
        print(f"  Dateline placed an article in {ms:.2f} ms")


def main(argv: Sequence[str] | None = None) -> None:
    parser = entry.parser("stories", __doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--lang", help="only articles in this language")
    parser.add_argument("--orders", type=int, default=5, help="shuffled orders (default 5)")
    parser.add_argument("--json", action="store_true", help="one object a stream")
    parser.add_argument("--cache", type=Path, help="folder for vectors")
    parser.add_argument("--decision", type=Path, help="a decision file instead of the shipped one")
    parser.add_argument("--model", help="as in embed.model; default: the packaged one")
    arguments = parser.parse_args(argv)
    for path in arguments.files:
        stream = load(path, arguments.cache, EmbedSettings(model=arguments.model))
        if arguments.lang:
            stream = stream.only(arguments.lang)
        settings = ClusterSettings(decision_file=arguments.decision)
        report = measure(stream, arguments.orders, settings)
        print(json.dumps(msgspec.to_builtins(report))) if arguments.json else show(report)


if __name__ == "__main__":
    entry.run(main)
