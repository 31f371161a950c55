"""Tracking quality on labelled streams, through the real match path, beside baselines.

    dateline bench tracking FILE... --k 1 --k 4 [--describe] [--cross en] [--lang en] [--json]

Every cluster of at least six articles is registered as an event by its first k articles, all at
once, and the rest of the stream is judged at the one default threshold. The baselines' thresholds
are chosen on the answers, for the best macro F1 of that table: no real system could have them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from bench import entry, tables
from bench.calibration import Calibration, calibration
from bench.events import events_of
from bench.judging import Bench, Judged, at_best, by_event, tfidf
from bench.metrics import (
    Floats,
    Interval,
    ahead,
    average_precision,
    detection_cost,
    interval,
    mean_draws,
)
from bench.streams import Stream, encoder_of, load
from bench.tracking import CACHE, Cache
from processors.embed.settings import EmbedSettings


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
    found = [events_of(stream, seed, k, described=described, given_in=given_in) for seed in seeds]
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
        str(one.interval), *(f"{v:.3f}" for v in one.micro),
        f"{one.ap:.3f}", f"{one.cost:.3f}",
        ahead(one.ahead),
    ]  # fmt: skip


def title(report: Report) -> str:
    orders = f", mean of {report.orders} orders" if report.orders > 1 else ""
    return (
        f"{report.stream}, {report.given}: {report.events} events, "
        f"{report.articles} articles judged{orders}"
    )


def show(report: Report) -> None:
    print(f"\n{title(report)}")
    tables.show(HEAD, [cells(one) for one in report.methods])
    true = report.calibration
    print(f"  ECE {true.ece:.3f}, Brier skill {true.skill:.3f} over {true.candidates} candidates")


def main(argv: Sequence[str] | None = None) -> None:
    parser = entry.parser("tracking", __doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--k", type=int, action="append", help="examples; may be repeated")
    parser.add_argument("--describe", action="store_true", help="also title and two sentences")
    parser.add_argument("--cross", metavar="LANG", help="examples in it, all others judged")
    parser.add_argument("--lang", help="only articles in this language")
    parser.add_argument("--orders", type=int, default=5, help="shuffled orders (default 5)")
    parser.add_argument("--json", action="store_true", help="one object a table")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for vectors")
    parser.add_argument("--decision", type=Path, help="a decision file instead of the shipped one")
    parser.add_argument("--model", help="as in embed.model; default: the packaged one")
    arguments = parser.parse_args(argv)
    embed = EmbedSettings(model=arguments.model)
    bench = Bench(Cache(encoder_of(embed), arguments.cache), arguments.decision)
    for path in arguments.files:
        stream = load(path, arguments.cache, embed)
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
