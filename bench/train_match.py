"""Learn the match stage's decision file from labelled streams.

    python -m bench.train_match ../shared/data OUT.json [--without SET] [--model M] [--cache DIR]

Logistic regression with L2 and known signs, one model a regime; the base rate of each kind of
definition is learned with it, so that one threshold serves all.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.streams import encoder_of
from bench.tracking import CACHE, Cache, Task, clusters, table_of, tasks, vectors_of
from processors.embed import models
from processors.embed.settings import EmbedSettings
from processors.match import signals
from processors.match.crowd import CROWD
from processors.match.decision import KINDS, REGIMES, DecisionFile, Regime, load
from processors.match.judge import published_day
from processors.match.reading import read
from processors.match.signals import AGAINST, AMONG_MANY, LISTED_ONLY, SIGNALS, UNREADABLE
from processors.match.weighing import written_in
from processors.text.sentences import sentences
from stream.records import Article

SEED = 20240917
# More of any of these never speaks against (or for) an event, whatever a sample says.
SIGNS = dict.fromkeys(SIGNALS, 1.0) | dict.fromkeys(AGAINST, -1.0)
# Pairs of an event with its hardest negatives, and with random ones that stand for the rest.
HARD, RANDOM = 60, 60
# Strength of the prior that a weight is zero, in pairs; bases are free.
L2 = 3.0
# Leads are small numbers, a tenth is much, so that their weights are large.
LEADS_L2 = 0.03
# Known beforehand and seldom in the samples, so that these count at least so much: what an analyst
# ruled out by hand; that one name of a pair is not the pair; that a report without a date which
# names what came later is about that. No sample has counter-examples: with the surest false match
# of each event given as one, 8 raises precision in four of five (.02 in the mean) and costs no F1
# in the mean; 16 costs recall.
# What a related event is ahead (in log-odds) counts one to one: the residual weight was .4 to .9 on
# each of five sets beside what is learned without it.
FLOORS = {
    "excluded": 4.5, "against": 8.0, "alone": 2.0, "later": 2.0, "elsewhere": 1.5, "outdone": 1.0,
}  # fmt: skip
# A missed article costs more than a false one. Where F1 is best, odds are below even; for
# headlines, which say less, hardly.
MISSED = {
    "text": 1.8,
    "listed_text": 1.8,
    "headline": 1.1,
    "listed_headline": 1.1,
    "unread": 1.3,
    "crowd": 2.0,
    # Of twelve events among 1,690 articles in other languages: macro F1 .21 with 1.1, .38 with 3,
    # .44 with 5, .43 with 8.
    "across": 5.0,
}
# With fewer right pairs in two languages than this, none are learned by themselves.
MIN_ACROSS = 30
# That makes probabilities too high. So much is taken off the log-odds again: with it a probability
# comes true about as often as it says (expected calibration error from .07-.13 to .03-.05 on
# headlines, lower everywhere), and a threshold of .35 decides as .5 did.
HONEST = dict.fromkeys(REGIMES, 0.62) | {"crowd": 0.85}
# Mean cosine of unrelated news under the default model; for others it is measured.
BACKGROUND = 0.05


class Rows(NamedTuple):
    values: NDArray[np.float64]
    kinds: NDArray[np.int64]
    truth: NDArray[np.float64]
    weight: NDArray[np.float64]
    foreign: NDArray[np.bool_]  # article and event are in different languages

    def where(self, chosen: NDArray[np.bool_]) -> Rows:
        return Rows(
            self.values[chosen],
            self.kinds[chosen],
            self.truth[chosen],
            self.weight[chosen],
            self.foreign[chosen],
        )


def variants(task: Task) -> list[tuple[str, list[Article]]]:
    """The stream as it came, without dates, as leads, as headlines: feeds bring all of these."""
    articles = task.articles
    undated = [msgspec.structs.replace(a, published=None, published_from="none") for a in articles]
    with_body = sum(bool(a.text) for a in articles) > len(articles) / 2
    found = [("whole", articles)]
    if task.name.startswith("korea"):
        found.append(("undated", undated))
    if with_body:
        leads = [msgspec.structs.replace(a, text=" ".join(sentences(a.text)[:4])) for a in articles]
        found += [
            ("leads", leads),
            ("headlines", [msgspec.structs.replace(a, text="") for a in articles]),
        ]
    return found


def collect(
    task: Task,
    articles: list[Article],
    encoder: Cache,
    chance: np.random.Generator,
    background: float,
    language: str = "en",
) -> Rows:
    table = table_of(task.definitions, encoder)
    vectors = np.stack(vectors_of(articles, encoder))
    near = signals.near(vectors, table, background)
    days: list[date | None] = [published_day(a) for a in articles]
    readings = [read(a.title, a.text, table, day) for a, day in zip(articles, days, strict=True)]
    own = [written_in(one.definition, language) for one in table.events]
    said = [
        signals.Said(one, table, foreign=np.array([bool(a.lang) and a.lang not in o for o in own]))
        for one, a in zip(readings, articles, strict=True)
    ]
    values, kinds, truth, weight, foreign = [], [], [], [], []
    for index, event in enumerate(table.events):
        best = np.array([one.cosines.best[index] for one in near])
        positive = np.array([event.definition.id in task.about[a.id] for a in articles])
        negatives = np.flatnonzero(~positive)
        hard = negatives[np.argsort(-best[negatives], kind="stable")[:HARD]]
        easy = np.setdiff1d(negatives, hard)
        some = chance.choice(easy, min(RANDOM, len(easy)), replace=False)
        share = len(easy) / max(1, len(some))
        for n, importance in [(n, 1.0) for n in [*np.flatnonzero(positive), *hard]] + [
            (n, share) for n in some
        ]:
            found = signals.dense(index, table, near[n])
            found |= signals.lexical(index, table, readings[n], said[n], days[n])
            values.append([found[name] for name in SIGNALS])
            kinds.append(KINDS.index(event.kind))
            truth.append(float(positive[n]))
            weight.append(importance)
            foreign.append(bool(articles[n].lang) and articles[n].lang not in own[index])
    rows = Rows(*(np.array(column) for column in (values, kinds, truth, weight, foreign)))
    # Every stream counts alike, whatever its size: by its number of positives.
    return rows._replace(weight=rows.weight * (300.0 / max(30.0, rows.truth.sum())))


def fit(rows: Rows, regime: str) -> Regime:
    """Newton steps, with weights that would take a wrong sign held at zero."""
    used = [i for i, s in enumerate(SIGNALS) if _counts(s, regime)]
    signs = np.array([SIGNS[SIGNALS[i]] for i in used])
    kinds = [k for k in range(len(KINDS)) if (rows.kinds == k).any()]
    x = np.hstack(
        [rows.values[:, used] * signs, (rows.kinds[:, None] == np.array(kinds)).astype(float)]
    )
    limit = np.r_[[_floor(SIGNALS[i], regime) for i in used], np.full(len(kinds), -np.inf)]
    prior = LEADS_L2 if regime == "crowd" else L2
    penalty = np.r_[np.full(len(used), prior), np.full(len(kinds), 1e-3)]
    weight = rows.weight * np.where(rows.truth > 0, MISSED[regime], 1.0)
    w = np.maximum(limit, 0.0)

    def loss(w: NDArray[np.float64]) -> float:
        z = x @ w
        return float(
            (weight * (np.logaddexp(0, z) - rows.truth * z)).sum() + (penalty * w * w).sum() / 2
        )

    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -40, 40)))
        gradient = x.T @ (weight * (p - rows.truth)) + penalty * w
        free = (w > limit) | (gradient < 0)
        curvature = (x[:, free].T * (weight * p * (1 - p))) @ x[:, free] + np.diag(penalty[free])
        step = np.zeros_like(w)
        step[free] = np.linalg.solve(curvature, gradient[free])
        size, before = 1.0, loss(w)
        while size > 1e-6 and loss(np.maximum(limit, w - size * step)) > before:
            size /= 2
        moved = np.maximum(limit, w - size * step)
        if np.abs(moved - w).max() < 1e-6:
            break
        w = moved
    weights = {SIGNALS[i]: round(float(w[n] * signs[n]), 3) for n, i in enumerate(used)}
    learned = {
        KINDS[k]: round(float(w[len(used) + n]) - HONEST[regime], 3) for n, k in enumerate(kinds)
    }
    lowest = min(learned.values())  # a kind never seen starts from the most careful one
    return Regime(base={kind: learned.get(kind, lowest) for kind in KINDS}, weights=weights)


def _counts(signal: str, regime: str) -> bool:
    """Is the signal weighed in this regime?"""
    if regime == "crowd":
        return signal in AMONG_MANY
    if signal == LISTED_ONLY:
        return regime.startswith("listed")
    among = signal in ("lead", "told", "stray")
    return not among and not (regime == "unread" and signal in UNREADABLE)


def _floor(signal: str, regime: str) -> float:
    """Headlines leave names out, so that a missing one says little there."""
    short = "headline" in regime or regime == "across"
    return 0.0 if signal == "alone" and short else FLOORS.get(signal, 0.0)


def unrelated(sets: Sequence[Sequence[Article]], encoder: Cache) -> float:
    """Mean cosine of articles of different sets."""
    means = [np.mean(vectors_of(articles, encoder), axis=0) for articles in sets]
    found = [float(a @ b) for i, a in enumerate(means) for b in means[:i]]
    return round(float(np.mean(found)), 2) if found else BACKGROUND


def gather(
    given: Iterable[Task],
    encoder: Cache,
    background: float = BACKGROUND,
    *,
    across: bool = False,
    language: str = "en",
) -> dict[str, dict[str, list[Rows]]]:
    """Set -> regime -> rows. `across`: pairs in two languages are learned by themselves;
    `language` = what events without examples are written in."""
    chance = np.random.default_rng(SEED)
    found: dict[str, dict[str, list[Rows]]] = {}
    for task in given:
        own = found.setdefault(task.name.split(":")[0].split("-")[0], {r: [] for r in REGIMES})
        for kind, articles in variants(task):
            rows = collect(task, articles, encoder, chance, background, language)
            headlines = kind == "headlines" or not any(a.text for a in articles)
            listed = task.name == "korea" or task.name.endswith(":full")
            regime = ("listed_" if listed else "") + ("headline" if headlines else "text")
            if not listed and len(task.definitions) >= CROWD:
                own["crowd"].append(rows)
            if across and rows.foreign.any():
                own["across"].append(rows.where(rows.foreign))
                rows = rows.where(~rows.foreign)
            if listed and task.name != "korea":
                # Names out of a lead are a poor likeness of a list that an analyst wrote.
                own[regime].append(rows._replace(weight=rows.weight * 0.2))
            else:
                own[regime].append(rows)
            if not task.name.startswith("og2021"):
                own["unread"].append(rows)
    return found


def learn(found: dict[str, dict[str, list[Rows]]], without: str | None = None) -> dict[str, Regime]:
    regimes = {}
    for regime in REGIMES:
        parts = [r for name, own in found.items() if name != without for r in own[regime]]
        if regime == "across" and sum(r.truth.sum() for r in parts) < MIN_ACROSS:
            continue  # the other regimes decide, as for one language
        if not parts:
            # Nothing here is of that kind. Leads over many others mean the same for every model,
            # and so do names and dates where vectors are not read.
            regimes[regime] = load(models.PACKAGED, uncalibrated=True).file.regimes[regime]
            continue
        joined = Rows(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        regimes[regime] = fit(joined, regime)
    return regimes


def readable(task: Task, reads: Collection[str]) -> Task:
    """Without articles that the model does not read: those are judged by names alone, and nothing
    can be learned for it from them."""
    return task._replace(articles=[a for a in task.articles if not a.lang or a.lang in reads])


def in_any_language(path: Path) -> list[Task]:
    """The first articles of an event, whatever their language."""
    return [clusters(path, how, None) for how in ("k1", "k4")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--without", help="leave one set out: korea, localnews, ecbplus, og2021")
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--model", help="as in embed.model; default: the packaged one")
    options = parser.parse_args()
    encoder = Cache(encoder_of(EmbedSettings(model=options.model)), options.cache)
    reads = models.known(options.model).reads
    lessons, background = tasks(options.data), BACKGROUND
    if len(reads) > 1:
        lessons += in_any_language(options.data / "clustering" / "og2021-dev.jsonl")
    if options.model is not None:
        firsts = {task.name.split("-")[0]: task.articles for task in lessons}
        background = unrelated(list(firsts.values()), encoder)
    lessons = [readable(one, reads) for one in lessons]
    found = gather(lessons, encoder, background, across=len(reads) > 1)
    encoder.save()
    file = DecisionFile(
        model=encoder.name.split("-128")[0],
        reads=list(reads),
        background=background,
        made_by="bench/train_match.py",
        data=sorted(name for name in found if name != options.without),
        seed=SEED,
        regimes=learn(found, options.without),
    )
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n")


if __name__ == "__main__":
    main()
