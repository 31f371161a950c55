"""A made stream of news, of any length: what the cost of placing and matching is measured on.

Words by Zipf's law, topics, stories in a topic (most of one article, some of many), vectors whose
cosines lie as those of MiniLM do (about .1 for strangers, .35 within a topic, .75 within a story),
seven in ten articles a headline with a teaser, the others full texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.records import Article, Definition, DefinitionVectors, Name

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
