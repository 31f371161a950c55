"""What Dateline's stories are compared with: five usual ways to cluster a stream of news.

Their single thresholds were chosen for the best mean over the development streams, a favour that
Dateline's own figures are not given where a decision was learned without the stream.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.streams import Stream
from processors.cluster.settings import ClusterSettings
from processors.text import words

# Tf-idf: the best of six over the English development streams with these weights (.14 is the
# usual figure, and merges too much here). Centre: the usual one for the packaged encoder.
TFIDF_THRESHOLD, CENTRE_THRESHOLD = 0.2, 0.67
# What the online baselines keep open, in seconds of event time: the quiet window of the stage.
WINDOW = ClusterSettings().quiet_days * 86_400
# DBSTREAM keeps a dictionary for each number of each micro-cluster and takes far longer for vectors
# of full length; their main directions take seconds and hold most of the likeness.
DBSTREAM_DIMENSIONS = 32
DBSTREAM_RADIUS = 0.5

Labels = list[str]  # one an article, in the order of the stream


def tfidf_nearest(stream: Stream, seed: int) -> Labels:
    """Join the story of the article with the nearest tf-idf vector in the window."""
    counts: dict[str, int] = {}
    holders: dict[str, list[tuple[int, float]]] = {}
    labels: Labels = []
    times: list[float] = []
    for position, index in enumerate(stream.order(seed)):
        row = stream.rows[index]
        terms: dict[str, int] = {}
        for term in words.terms(f"{row.title}\n{row.text}"):
            terms[term] = terms.get(term, 0) + 1
        for term in terms:
            counts[term] = counts.get(term, 0) + 1
        weighed = {
            term: (1 + math.log(n)) * math.log((position + 2) / counts[term])
            for term, n in terms.items()
        }
        length = math.sqrt(sum(w * w for w in weighed.values())) or 1.0
        now = row.published.timestamp() if row.published else 0.0
        scores: dict[int, float] = {}
        for term, weight in weighed.items():
            for other, held in holders.get(term, ()):
                if now - times[other] <= WINDOW:
                    scores[other] = scores.get(other, 0.0) + weight / length * held
        best = max(scores, key=lambda other: scores[other], default=-1)
        near = best >= 0 and scores[best] >= TFIDF_THRESHOLD
        labels.append(labels[best] if near else f"s{position}")
        times.append(now)
        for term, weight in weighed.items():
            holders.setdefault(term, []).append((position, weight / length))
    return labels


def nearest_centre(stream: Stream, seed: int) -> Labels:
    """Join the story whose mean vector is nearest by cosine."""
    totals: list[NDArray[np.float32]] = []
    centres = np.zeros((0, stream.vectors.shape[1]), dtype=np.float32)
    newest: list[float] = []
    labels = []
    for index in stream.order(seed):
        vector = stream.vectors[index].astype(np.float32)
        when = stream.rows[index].published
        now = when.timestamp() if when else 0.0
        cosines = centres @ vector
        cosines[now - np.array(newest) > WINDOW] = -1
        best = int(cosines.argmax()) if len(cosines) else -1
        if best >= 0 and cosines[best] >= CENTRE_THRESHOLD:
            totals[best] = totals[best] + vector
            centres[best] = totals[best] / np.linalg.norm(totals[best])
            newest[best] = max(newest[best], now)
        else:
            best = len(totals)
            totals.append(vector)
            centres = np.vstack([centres, vector])
            newest.append(now)
        labels.append(f"s{best}")
    return labels


def dbstream(stream: Stream, seed: int) -> Labels:
    """River's DBSTREAM reads the stream once; every article is then asked for its cluster, since
    the numbers of its clusters change while it reads. Main directions are taken from the whole
    stream. Both favour it."""
    from river.cluster import DBSTREAM

    order = stream.order(seed)
    vectors = stream.vectors[order].astype(np.float32)
    _, _, directions = np.linalg.svd(vectors, full_matrices=False)
    short = vectors @ directions[:DBSTREAM_DIMENSIONS].T
    short /= np.maximum(np.linalg.norm(short, axis=1, keepdims=True), 1e-9)
    points = [dict(enumerate(map(float, row))) for row in short]
    # It places new micro-clusters with the global generator.
    random.seed(seed)
    model: Any = DBSTREAM(
        clustering_threshold=DBSTREAM_RADIUS,
        fading_factor=0.0005,  # half a weight after 2,000 articles: longer than the window holds
        cleanup_interval=len(points) + 1,  # and forgets nothing, as stories of one article are most
        intersection_factor=0.3,
        minimum_weight=1.0,
    )
    for point in points:
        model.learn_one(point)
    return [f"s{model.predict_one(point)}" for point in points]


def hdbscan(stream: Stream, seed: int) -> Labels:
    """HDBSCAN sees the whole stream at once, which no online method may: an upper reference. What
    it calls noise are stories of one article."""
    from sklearn.cluster import HDBSCAN

    vectors = stream.vectors[stream.order(seed)].astype(np.float64)
    found = HDBSCAN(min_cluster_size=2, min_samples=1, copy=True).fit_predict(vectors)
    return [f"s{label}" if label >= 0 else f"n{i}" for i, label in enumerate(found)]


def singletons(stream: Stream, seed: int) -> Labels:
    """Every article a story of its own."""
    return [f"s{i}" for i in range(len(stream.rows))]


class Baseline(NamedTuple):
    name: str
    run: Callable[[Stream, int], Labels]
    orderless: bool = False  # the order of the stream changes nothing
    needs: str | None = None  # a package that only development has

    def available(self) -> bool:
        return self.needs is None or find_spec(self.needs) is not None


BASELINES = (
    Baseline(f"tf-idf nearest, {TFIDF_THRESHOLD:.2f}", tfidf_nearest),
    Baseline(f"vector centre, {CENTRE_THRESHOLD:.2f}", nearest_centre),
    Baseline("river DBSTREAM", dbstream, needs="river"),
    Baseline("HDBSCAN (sees all at once)", hdbscan, orderless=True),
    Baseline("all singletons", singletons, orderless=True),
)
