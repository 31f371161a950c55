"""Tracking quality on labelled streams, through the real match path, beside baselines.

    dateline bench tracking FILE... --k 1 --k 4 [--describe] [--cross en] [--lang en] [--json]

Every cluster of at least six articles is registered as an event by its first k articles, all at
once, and the rest of the stream is judged at the one default threshold. The baselines' thresholds
are chosen on the answers, for the best macro F1 of that table: no real system could have them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bench import entry
from bench.calibration import Calibration, calibration
from bench.metrics import (
    Floats,
    Interval,
    average_precision,
    detection_cost,
    interval,
    mean_draws,
)
from bench.streams import Stream, load
from bench.topics import Topics, topics
from bench.tracking import CACHE, Cache, Task
from processors.embed.encoder import Encoder
from processors.embed.settings import EmbedSettings
from processors.embed.stage import definition_vectors
from processors.match import decision
from processors.match.decision import Decider
from processors.match.events import build
from processors.match.judge import Judge, vector_of
from processors.match.settings import MatchSettings
from processors.text import terms
from stream.records import Definition

Flags = NDArray[np.bool_]
# Thresholds tried for a baseline; the scores of right pairs say where to look.
TRIED = 60


class Judged(NamedTuple):
    """A row an event, a column an article."""

    scores: Floats
    yes: Flags
    truth: Flags


class Figures(Struct):
    """One method on one stream: means over events (macro), all pairs together (micro)."""

    method: str
    macro: list[float]  # P, R, F1
    micro: list[float]
    ap: float
    cost: float
    interval: Interval  # of macro F1
    ahead: Interval | None = None  # Dateline's macro F1 less this method's, paired


class Report(Struct):
    stream: str
    given: str
    events: int
    articles: int
    orders: int
    methods: list[Figures]
    calibration: Calibration


class Bench:
    """The encoder and the decision that all trials share."""

    def __init__(self, cache: Path = CACHE, decision_file: Path | None = None) -> None:
        self.encoder = Cache(Encoder(EmbedSettings()), cache)
        self.decide_by(decision_file)

    def decide_by(self, file: Path | None) -> None:
        """Another decision file from here on; None = the shipped one."""
        self.decider: Decider = decision.load(self.encoder.name, path=file)

    def register(self, definitions: Sequence[Definition]) -> Judge:
        """The match stage's judge over these events, all active at once."""
        own = {one.id: definition_vectors(one, self.encoder) for one in definitions}
        return Judge(build(definitions, own), self.decider, MatchSettings())

    def judge(self, task: Task, vectors: NDArray[np.float32]) -> Judged:
        """Every article of the task. A pair that the judge does not look at closely has the
        probability 0."""
        judge, floor = self.register(task.definitions), MatchSettings().keep
        row = {one.id: i for i, one in enumerate(task.definitions)}
        truth = truth_of(task)
        scores, yes = np.zeros(truth.shape), np.zeros(truth.shape, dtype=bool)
        for column, (article, vector) in enumerate(zip(task.articles, vectors, strict=True)):
            for one in judge.all(article, vector, floor=floor):
                scores[row[one.event_id], column] = one.probability
                yes[row[one.event_id], column] = one.matched
        return Judged(scores, yes, truth)

    def cosines(self, found: Topics) -> Floats:
        """The highest cosine of each article to an example, or to the description."""
        rows = []
        for definition in found.task.definitions:
            own = definition_vectors(definition, self.encoder)
            given = np.stack([vector_of(raw) for raw in own.examples or own.description[:1]])
            rows.append((found.vectors @ given.T).max(axis=1))
        return np.array(rows, dtype=float)


def truth_of(task: Task) -> Flags:
    about = [task.about[one.id] for one in task.articles]
    return np.array([[one.id in events for events in about] for one in task.definitions])


def tfidf(task: Task) -> Floats:
    """The same with tf-idf; rare terms are counted over the whole stream, which favours it."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    weigh = TfidfVectorizer(analyzer=terms, sublinear_tf=True)
    articles = weigh.fit_transform([f"{one.title}\n{one.text}" for one in task.articles])
    rows = []
    for one in task.definitions:
        texts = [f"{e.title}\n{e.text}" for e in one.examples] or [
            f"{one.title}\n{one.description}"
        ]
        rows.append((articles @ weigh.transform(texts).T).toarray().max(axis=1))
    return np.array(rows, dtype=float)


def at_best(runs: Sequence[tuple[Floats, Flags]]) -> tuple[float, list[Judged]]:
    """The threshold with the best macro F1 on the answers, and what it decides."""
    right = np.concatenate([scores[truth] for scores, truth in runs])
    tried = np.unique(np.quantile(right, np.linspace(0, 0.99, TRIED)))

    def decided(threshold: float) -> list[Judged]:
        return [Judged(scores, scores >= threshold, truth) for scores, truth in runs]

    best = max(tried, key=lambda t: float(np.mean([by_event(r)[2].mean() for r in decided(t)])))
    return float(best), decided(float(best))


def by_event(one: Judged) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 of each event. Saying nothing is precise and useless: 1, 0, 0."""
    right = (one.yes & one.truth).sum(axis=1).astype(float)
    said, true = one.yes.sum(axis=1), one.truth.sum(axis=1)
    precision = np.where(said > 0, right / np.maximum(said, 1), 1.0)
    recall = np.where(true > 0, right / np.maximum(true, 1), 1.0)
    return precision, recall, 2 * right / np.maximum(said + true, 1)


def figures(method: str, runs: Sequence[Judged]) -> tuple[Figures, Floats]:
    """Means over runs, and the bootstrap's macro F1."""
    events = np.array([by_event(one) for one in runs]).mean(axis=0)
    micro = np.mean([by_event(_pooled(one)) for one in runs], axis=0).ravel()
    pairs = [pair for one in runs for pair in zip(one.scores, one.yes, one.truth, strict=True)]
    draws = mean_draws(events[2])
    found = Figures(
        method,
        macro=[float(v) for v in events.mean(axis=1)],
        micro=[float(v) for v in micro],
        ap=float(np.nanmean([average_precision(s, t) for s, _, t in pairs])),
        cost=float(np.mean([detection_cost(y, t) for _, y, t in pairs])),
        interval=interval(draws),
    )
    return found, draws


def _pooled(one: Judged) -> Judged:
    return Judged(one.scores.reshape(1, -1), one.yes.reshape(1, -1), one.truth.reshape(1, -1))


def measure(
    stream: Stream,
    bench: Bench,
    k: int,
    *,
    described: bool = False,
    given_in: str | None = None,
    orders: int = 5,
) -> Report:
    """Dateline and two baselines on one stream."""
    seeds = range(orders if stream.needs_shuffles else 1)
    found = [topics(stream, seed, k, described=described, given_in=given_in) for seed in seeds]
    runs = [bench.judge(one.task, one.vectors) for one in found]
    own, draws = figures("Dateline", runs)
    methods = [own]
    for name, scores in (
        ("cosine", [bench.cosines(one) for one in found]),
        ("tf-idf", [tfidf(one.task) for one in found]),
    ):
        pairs = [(s, run.truth) for s, run in zip(scores, runs, strict=True)]
        threshold, decided = at_best(pairs)
        other, others = figures(f"{name} ≥ {threshold:.2f} (best for these answers)", decided)
        methods.append(msgspec.structs.replace(other, ahead=interval(draws - others)))
    given = "title and two sentences" if described else f"k = {k}"
    if given_in:
        given += f", given in {given_in}, other languages judged"
    articles = int(np.mean([len(one.task.articles) for one in found]))
    true = calibration([(run.scores, run.truth) for run in runs])
    return Report(
        stream.name, given, len(found[0].task.definitions), articles, len(runs), methods, true
    )


HEAD = ("method", "macro P", "R", "F1", "95 %", "micro P", "R", "F1", "AP", "cost",
        "Dateline ahead, 95 %")  # fmt: skip


def cells(one: Figures) -> list[str]:
    """One line of the table under `HEAD`."""
    return [
        one.method, *(f"{v:.3f}" for v in one.macro),
        f"{one.interval.low:.2f}–{one.interval.high:.2f}", *(f"{v:.3f}" for v in one.micro),
        f"{one.ap:.3f}", f"{one.cost:.3f}",
        f"{one.ahead.low:+.3f} … {one.ahead.high:+.3f}" if one.ahead else "",
    ]  # fmt: skip


def title(report: Report) -> str:
    orders = f", mean of {report.orders} orders" if report.orders > 1 else ""
    return (
        f"{report.stream}, {report.given}: {report.events} events, "
        f"{report.articles} articles judged{orders}"
    )


def show(report: Report) -> None:
    print(f"\n{title(report)}")
    rows = [list(HEAD), *(cells(one) for one in report.methods)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    for row in rows:
        print("  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
    true = report.calibration
    print(f"  ECE {true.ece:.3f}, Brier skill {true.skill:.3f} over {true.candidates} candidates")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="dateline bench tracking", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--k", type=int, action="append", help="examples; may be repeated")
    parser.add_argument("--describe", action="store_true", help="also title and two sentences")
    parser.add_argument("--cross", metavar="LANG", help="examples in it, all others judged")
    parser.add_argument("--lang", help="only articles in this language")
    parser.add_argument("--orders", type=int, default=5, help="shuffled orders (default 5)")
    parser.add_argument("--json", action="store_true", help="one object a table")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for vectors")
    parser.add_argument("--decision", type=Path, help="a decision file instead of the shipped one")
    arguments = parser.parse_args(argv)
    bench = Bench(arguments.cache, arguments.decision)
    for path in arguments.files:
        stream = load(path, arguments.cache)
        if arguments.lang:
            stream = stream.only(arguments.lang)
        modes = [(k, False) for k in arguments.k or ([] if arguments.describe else [4])]
        for k, described in modes + [(1, True)] * arguments.describe:
            report = measure(
                stream, bench, k,
                described=described, given_in=arguments.cross, orders=arguments.orders,
            )  # fmt: skip
            print(json.dumps(msgspec.to_builtins(report))) if arguments.json else show(report)
    bench.encoder.save()


if __name__ == "__main__":
    entry.run(main)
