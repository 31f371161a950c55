"""Tracking tasks out of labelled streams: each large cluster becomes an event to be tracked.

The first articles of a cluster, in the order of the stream, are what the analyst gives: examples,
or a title and two sentences. They leave the stream; everything else in it is judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.streams import Stream
from bench.tracking import MIN_CLUSTER, Task, example
from processors.match.judge import vector_of
from processors.text.sentences import sentences
from stream.errors import UsageError
from stream.records import Article, Definition, Embedded, decode

# Across languages: an event is worth it with so many articles in all other languages together.
CROSS_JUDGED = 5
# What stands for a headline where an archive has none.
TITLE_CHARS = 80


class Events(NamedTuple):
    """A task with the vector of each of its articles (a row each)."""

    task: Task
    vectors: NDArray[np.float32]


def events_of(
    stream: Stream, seed: int, k: int, *, described: bool = False, given_in: str | None = None
) -> Events:
    """Events with `k` examples each; `described` = a title and two sentences of the first article
    instead. `given_in` = up to `k` examples in this language, and
    only articles in other languages judged."""
    embedded = [decode(record.value, Embedded) for record in stream.records(seed)]
    articles = [one.read_article() for one in embedded]
    clusters = [stream.rows[i].cluster for i in stream.order(seed)]
    grouped: dict[str, list[Article]] = defaultdict(list)
    for one, cluster in zip(articles, clusters, strict=True):
        grouped[cluster].append(one)
    definitions, used = [], set[str]()
    for cluster, members in sorted(grouped.items()):
        given = [one for one in members if given_in in (None, one.lang)]
        enough = len(members) >= max(MIN_CLUSTER, k + 1)
        if given_in is not None:
            judged = len(members) - len(given)
            enough = bool(given) and judged >= CROSS_JUDGED
        if enough:
            picked = given[: 1 if described else k]
            used |= {one.id for one in picked}
            definitions.append(_definition(cluster, picked, described=described))
    if not definitions:
        raise UsageError(
            f"{stream.name} has no cluster that is large enough to be tracked: {MIN_CLUSTER} "
            f"articles or more, {k} of them as examples"
        )
    kept = [
        i
        for i, one in enumerate(articles)
        if one.id not in used and (given_in is None or one.lang != given_in)
    ]
    task = Task(
        stream.name,
        definitions,
        [articles[i] for i in kept],
        {articles[i].id: {clusters[i]} for i in kept},
    )
    return Events(task, np.stack([vector_of(embedded[i].vector) for i in kept]))


def _definition(cluster: str, picked: Sequence[Article], *, described: bool) -> Definition:
    """What the registry makes of a file with an id, a title and examples or a description."""
    first = picked[0]
    title = first.title or first.text[:TITLE_CHARS]
    if described:
        lead = " ".join(sentences(first.text)[:2]) or title
        return Definition(id=cluster, version=1, title=title, description=lead)
    return Definition(id=cluster, version=1, title=title, examples=[example(one) for one in picked])
