"""Events registered and articles judged: by the real match path, and by two simple rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.events import Events
from bench.metrics import Floats
from bench.tracking import Cache, Task
from processors.embed.stage import definition_vectors
from processors.match import decision
from processors.match.decision import Decider
from processors.match.events import build
from processors.match.judge import Judge, vector_of
from processors.match.settings import MatchSettings
from processors.text.words import terms
from stream.records import Definition

Flags = NDArray[np.bool_]
# Thresholds tried for a baseline; the scores of right pairs say where to look.
TRIED = 60


class Judged(NamedTuple):
    """A row an event, a column an article."""

    scores: Floats
    yes: Flags
    truth: Flags


class Bench:
    """The encoder and the decision that all trials share."""

    def __init__(self, encoder: Cache, decision_file: Path | None = None) -> None:
        self.encoder = encoder
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

    def cosines(self, found: Events) -> Floats:
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
