"""The silence test: events that the stream knows nothing of, and how often they are matched.

The stream's dates are moved into each event's own window, so that a date helps nobody to say no.
The default threshold is chosen here: at most one false alert an event in 10,000 articles, at a
recall of .90 on the event's own stream.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bench.judging import Bench, Judged, by_event
from bench.streams import Stream
from bench.tracking import Task
from processors.match.judge import vector_of
from processors.match.settings import MatchSettings
from stream.records import Article, Definition, Embedded, decode

SEED = 7
# Without a date at all an article must get this far to be asked again with one: even at the lowest
# threshold the date would have to be worth 200 to 1, and those learned are worth 10.
WORTH_A_DATE = 0.002
THRESHOLDS = (0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
DEFAULT = MatchSettings().threshold


class Silence(Struct):
    """What one set of events did: `false` holds the probability of each pair worth storing."""

    name: str
    events: int
    articles: int
    false: list[float]
    own: list[Judged]

    def rate(self, threshold: float) -> float:
        """False alerts an event in 10,000 articles."""
        alerts = sum(p >= threshold for p in self.false)
        return alerts / self.events / self.articles * 10_000

    def at(self, threshold: float) -> tuple[float, float]:
        """Macro recall and F1 on the events' own stream."""
        parts = [by_event(one._replace(yes=one.scores >= threshold)) for one in self.own]
        return (
            float(np.mean([recall for _, recall, _ in parts])),
            float(np.mean([f1 for _, _, f1 in parts])),
        )


def silence(
    name: str, task: Task, own: Sequence[Judged], strangers: Sequence[Stream], bench: Bench
) -> Silence:
    """The events of `task` over streams that have nothing to do with them."""
    articles, vectors = _articles(strangers)
    undated = [msgspec.structs.replace(a, published=None, published_from="none") for a in articles]
    about: dict[str, set[str]] = {one.id: set() for one in articles}
    first = bench.judge(Task(name, task.definitions, undated, about), vectors).scores
    judge = bench.register(task.definitions)
    chance = random.Random(SEED)
    false = []
    for row, definition in enumerate(task.definitions):
        window = window_of(definition, task)
        for column in np.flatnonzero(first[row] >= WORTH_A_DATE):
            p = float(first[row, column])
            if window is not None:
                day = window[0] + timedelta(days=chance.randint(0, (window[1] - window[0]).days))
                moved = msgspec.structs.replace(
                    articles[column],
                    published=datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
                    published_from="feed",
                )
                found = judge.all(moved, vectors[column], floor=MatchSettings().keep)
                p = next((d.probability for d in found if d.event_id == definition.id), 0.0)
            false.append(p)
    kept = [p for p in false if p >= MatchSettings().keep]
    return Silence(name, len(task.definitions), len(articles), kept, list(own))


def window_of(definition: Definition, task: Task) -> tuple[date, date] | None:
    """The days the event says it has, or those of all that was written about it."""
    if definition.starts and definition.ends:
        return date.fromisoformat(definition.starts), date.fromisoformat(definition.ends)
    days = [one.published.date() for one in definition.examples if one.published]
    days += [
        one.published.date()
        for one in task.articles
        if one.published and definition.id in task.about[one.id]
    ]
    return (min(days), max(days)) if days else None


def _articles(streams: Sequence[Stream]) -> tuple[list[Article], NDArray[np.float32]]:
    articles, vectors = list[Article](), []
    for number, stream in enumerate(streams):
        for record in stream.records(SEED):
            embedded = decode(record.value, Embedded)
            own = embedded.read_article()
            articles.append(msgspec.structs.replace(own, id=f"{number}-{own.id}"))
            vectors.append(vector_of(embedded.vector))
    return articles, np.stack(vectors)
