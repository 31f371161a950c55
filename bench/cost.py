"""What placing and matching an article cost as the stream grows, beside an exact scan.

    python -m bench.cost [--open 1000,10000,30000,100000] [--events 4,100,1000] [--timed 500]

The stream is made: words by Zipf's law, topics, stories in a topic (most of one article, some of
many), vectors whose cosines lie as those of MiniLM do (about .1 for strangers, .35 within a topic,
.75 within a story), seven in ten articles a headline with a teaser, the others full texts. Nothing
closes, so the articles given are the articles open. Every figure is of the last `--timed` articles
before a level is reached, through the real stage and the real judge.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from processors.cluster.settings import ClusterSettings
from processors.cluster.stage import ClusterStage
from processors.match import decision
from processors.match.events import build
from processors.match.judge import Judge
from processors.match.settings import MatchSettings
from stream.log.contract import LogRecord, Partition
from stream.records import (
    EMBEDDED,
    Article,
    Definition,
    DefinitionVectors,
    Embedded,
    Name,
    encode,
)

MODEL = "all-MiniLM-L6-v2@53aa5117"
DIMS = 384
START = datetime(2024, 1, 1, tzinfo=UTC)
# All articles fall into this many seconds: inside the quiet window, so that nothing closes.
SPAN = 6 * 86_400
WORDS, TOPICS, NAMES = 60_000, 400, 20_000
TOPIC_WORDS, STORY_WORDS = 150, 12
# Shares of the direction of everything, of the topic, of the story and of the article in a unit
# vector; squared they are the cosines of the docstring, one after the other.
EVERYTHING, TOPIC, STORY, OWN = 0.32, 0.5, 0.63, 0.5
TEASER, FULL = 35, 350
FULL_SHARE = 0.3
# A new article belongs to a new story with this chance (half of the articles of a day's feeds).
NEW_STORY = 0.5


class Happening(NamedTuple):
    direction: NDArray[np.float32]
    words: NDArray[np.int64]
    names: list[str]
    topic: int


class World:
    """Draws articles without end; the same ones for the same seed."""

    def __init__(self, seed: int = 4) -> None:
        self._random = np.random.default_rng(seed)
        syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
        drawn = self._random.integers(0, len(syllables), (WORDS, 4))
        self._words = np.array(["".join(syllables[i] for i in row) for row in drawn])
        rank = np.arange(1, WORDS + 1)
        self._zipf = np.cumsum(1 / (rank + 2.7))
        self._zipf /= self._zipf[-1]
        self._everything = self._unit()
        self.topics = [self._unit() for _ in range(TOPICS)]
        self._topic_words = self._random.integers(500, WORDS, (TOPICS, TOPIC_WORDS))
        self.happenings: list[Happening] = []

    def _unit(self) -> NDArray[np.float32]:
        drawn = self._random.standard_normal(DIMS).astype(np.float32)
        return drawn / np.float32(np.linalg.norm(drawn))

    def _begin(self) -> Happening:
        # Topics by Zipf's law too: some subjects fill a third of the news.
        topic = min(int(TOPICS ** self._random.random()) - 1, TOPICS - 1)
        names = self._random.integers(0, NAMES, 6)
        made = Happening(
            self._unit(),
            self._random.integers(2000, WORDS, STORY_WORDS),
            [f"{self._words[a].title()} {self._words[-b].title()}" for a, b in names.reshape(3, 2)],
            topic,
        )
        self.happenings.append(made)
        return made

    def vector(self, of: Happening) -> NDArray[np.float32]:
        mixed = (
            EVERYTHING * self._everything
            + TOPIC * self.topics[of.topic]
            + STORY * of.direction
            + OWN * self._unit()
        )
        return np.asarray(mixed / np.linalg.norm(mixed), dtype=np.float32)

    def text(self, of: Happening, words: int) -> str:
        """Words with names and a full stop every eighteen."""
        common = np.searchsorted(self._zipf, self._random.random(words))
        chance = self._random.random(words)
        topical = self._topic_words[of.topic][self._random.integers(0, TOPIC_WORDS, words)]
        own = of.words[self._random.integers(0, STORY_WORDS, words)]
        picked = self._words[np.where(chance < 0.12, own, np.where(chance < 0.35, topical, common))]
        found = picked.tolist()
        for at in range(3, words, 12):
            found[at] = of.names[at % 3]
        for at in range(0, words, 18):
            found[at] = ("" if at == 0 else ". ") + found[at].title()
        return " ".join(found).replace(" . ", ". ") + f" {int(chance[0] * 900)}."

    def articles(self) -> Iterator[tuple[Article, NDArray[np.float32]]]:
        number = 0
        recent: list[Happening] = []
        while True:
            if not recent or self._random.random() < NEW_STORY:
                recent.append(self._begin())
            else:  # a story that was written about lately; big ones come up more often
                back = recent[-2000:]
                recent.append(back[int(self._random.integers(0, len(back)))])
            happening = recent[-1]
            full = self._random.random() < FULL_SHARE
            when = START + timedelta(seconds=number * SPAN / 200_000)
            yield (
                Article(
                    id=f"a{number:07d}",
                    revision="r1",
                    title=self.text(happening, 9)[:-1],
                    text=self.text(happening, FULL if full else TEASER),
                    outlet=f"outlet{number % 997}.example",
                    fetched=when,
                    published=when,
                    published_from="feed",
                    lang="en",
                ),
                self.vector(happening),
            )
            number += 1

    def definition(self, number: int) -> tuple[Definition, DefinitionVectors]:
        """An event about one of the stories there are, with people, a place and a description."""
        of = self.happenings[int(self._random.integers(0, len(self.happenings)))]
        name = f"event-{number:05d}"
        made = Definition(
            id=name,
            version=1,
            title=self.text(of, 8)[:-1],
            description=self.text(of, 40),
            actors=[Name(name=one) for one in of.names[:2]],
            places=[Name(name=of.names[2])],
            starts="2024-01-01",
            ends="2024-02-01",
        )
        vectors = [self.vector(of).astype("<f2").tobytes() for _ in range(4)]
        return made, DefinitionVectors(
            event_id=name, version=1, model=MODEL, dims=DIMS, description=vectors, examples=[]
        )


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
    """ms for one exact float32 product over that many centres and the 24 highest of it."""
    centres = np.random.default_rng(1).standard_normal((stories, DIMS)).astype(np.float32)
    rows = centres[: min(20, timed)].copy()
    started = time.process_time()
    for row in rows:
        near = centres @ row
        np.argpartition(near, max(0, stories - 24))
    return 1000 * (time.process_time() - started) / len(rows)


def matching(world: World, sample: Sequence[tuple[Article, NDArray[np.float32]]], n: int) -> str:
    """ms an article with n events: all, teasers, full texts."""
    definitions, vectors = zip(*(world.definition(i) for i in range(n)), strict=True)
    table = build(definitions, {one.event_id: one for one in vectors})
    judge = Judge(table, decision.load(MODEL), MatchSettings())
    spent: dict[bool, list[float]] = {True: [], False: []}
    kept = 0
    for article, vector in sample:
        started = time.process_time()
        kept += len(judge.kept(article, vector))
        spent[len(article.text) > 1000].append(1000 * (time.process_time() - started))
    all_ = spent[True] + spent[False]
    return (
        f"  {n:7,} {np.mean(all_):8.2f} {np.mean(spent[False]):8.2f} {np.mean(spent[True]):8.2f}"
        f" {kept / len(sample):10.2f}"
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__)
    parser.add_argument("--open", default="1000,10000,30000,100000", help="levels, in articles")
    parser.add_argument("--events", default="4,100,1000", help="numbers of events")
    parser.add_argument("--timed", type=int, default=500, help="articles timed at each level")
    arguments = parser.parse_args(argv)
    levels = sorted(int(one) for one in arguments.open.split(","))
    world = World()
    stage = ClusterStage(ClusterSettings())
    stage.start(Partition(EMBEDDED, 0), "bench")
    before = memory()
    costs: list[float] = []
    sample: list[tuple[Article, NDArray[np.float32]]] = []
    print("placing: ms an article")
    print("  articles  stories     mean      p95    exact scan alone   MB    kB an article")
    stream = world.articles()
    offset = 0
    for level in levels:
        spent = []
        while offset < level:
            article, vector = next(stream)
            given = record(article, vector, offset)
            started = time.process_time()
            stage.process([given])
            if offset >= level - arguments.timed:
                spent.append(1000 * (time.process_time() - started))
                sample.append((article, vector))
            offset += 1
        costs.append(float(np.mean(spent)))
        used = memory() - before
        stories = len(stage._lanes[0].shelf.stories)
        print(
            f"  {level:8,} {stories:8,} {costs[-1]:8.2f} {np.percentile(spent, 95):8.2f}"
            f" {exact_scan(stories, arguments.timed):19.2f} {used:6.0f}"
            f" {1024 * used / level:12.1f}",
            flush=True,
        )
    if len(levels) > 1:
        grown = math.log(costs[-1] / costs[0]) / math.log(levels[-1] / levels[0])
        print(f"  cost grows as (open articles) ^ {grown:.2f}")
    print("matching: ms an article\n   events      all  teasers    texts  decisions kept")
    for n in (int(one) for one in arguments.events.split(",")):
        print(matching(world, sample[-arguments.timed :], n), flush=True)


if __name__ == "__main__":
    main()
