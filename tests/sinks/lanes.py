"""What clustering and matching may put into a lane of `dateline.matched`, made up at random:
stories that grow, part and become one, edits that move, look-backs, new definitions, and records
that stand there twice or come late."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from msgspec import Struct

from stream.records import Decision, History, StoryChange
from tests.sinks.world import created, decision, matched

EVENTS = ("summit", "strike")
OUTLETS = ("ledger", "mekong", "harbor", "hangang", "courier", "one", "two")


class MadeUpLane:
    """`records` after some `step()`s. Its articles and stories are no other lane's."""

    def __init__(self, chance: Random, number: int) -> None:
        self.records: list[Struct] = []
        self._chance, self._number, self._names = chance, number, 0
        self._members: dict[str, list[str]] = {}  # story -> articles
        self._revisions: dict[str, int] = {}  # article -> number of its last one
        self._version = dict.fromkeys(EVENTS, 1)
        self._placed: list[tuple[str, str, int, Sequence[StoryChange]]] = []

    def step(self) -> None:
        what = self._chance.choices(
            (self._new, self._edited, self._looked_back, self._redefined, self._twice, self._again),
            (8, 3, 3, 1, 2, 2),
        )[0]
        if what == self._new or self._placed:
            what()

    def _new(self) -> None:
        article, stories, changes = self._name("a"), sorted(self._members), list[StoryChange]()
        joins = stories and self._chance.random() < 0.7
        story = self._chance.choice(stories) if joins else self._name("s")
        fate = self._chance.random()
        if fate < 0.2 and len(stories) > 1:
            gone, story = self._chance.sample(stories, 2)
            changes.append(StoryChange(kind="merged", story=gone, into=story))
            self._members[story] += self._members.pop(gone)
        elif fate < 0.4 and len(self._members.get(story, ())) > 1:
            into, inside = self._name("s"), self._members[story]
            going = self._chance.sample(inside, self._chance.randrange(1, len(inside)))
            self._members[story] = [one for one in inside if one not in going]
            self._members[into] = list(going)
            along = self._chance.random() < 0.5
            told = [*going, article] if along else going
            changes.append(created(into, f"Label of {into}"))
            changes.append(StoryChange(kind="split", story=story, into=into, articles=told))
            story = into if along else story
        elif fate < 0.5 and joins:
            changes.append(StoryChange(kind="relabelled", story=story, label=f"With {article}"))
        self._put(article, story, changes)

    def _edited(self) -> None:
        article = self._chance.choice(sorted(self._revisions))
        home = next(story for story, inside in self._members.items() if article in inside)
        stories, changes = sorted(self._members), list[StoryChange]()
        story = self._chance.choice([home, self._chance.choice(stories), self._name("s")])
        self._members[home].remove(article)
        if story != home and self._members[home]:
            changes.append(StoryChange(kind="split", story=home, into=story, articles=[article]))
        elif story != home:
            del self._members[home]
            changes.append(StoryChange(kind="merged", story=home, into=story))
        self._put(article, story, changes)

    def _looked_back(self) -> None:
        event = self._chance.choice(EVENTS)
        late = self._chance.random() < 0.2  # by an owner that was paused
        found = self._decision(event, self._chance.choice((0.1, 0.8, 0.9)), late=late)
        article = self._chance.choice(sorted(self._revisions))
        self.records.append(History(article_id=article, revision="r1", decisions=[found]))

    def _redefined(self) -> None:
        self._version[self._chance.choice(EVENTS)] += 1

    def _twice(self) -> None:
        self.records.append(self._chance.choice(self.records))

    def _again(self) -> None:
        """A placement matched once more, by other definitions perhaps."""
        self._append(*self._chance.choice(self._placed), late=self._chance.random() < 0.3)

    def _put(self, article: str, story: str, changes: list[StoryChange]) -> None:
        if story not in self._members:
            changes.append(created(story, f"Label of {story}"))
        self._members.setdefault(story, []).append(article)
        self._revisions[article] = self._revisions.get(article, 0) + 1
        self._placed.append((article, story, self._revisions[article], changes))
        self._append(*self._placed[-1])

    def _append(
        self, article: str, story: str, revision: int, changes: Sequence[StoryChange], *,
        late: bool = False,
    ) -> None:  # fmt: skip
        kept = [(e, self._chance.choice((None, 0.1, 0.8, 0.9))) for e in EVENTS]
        number = int(article.rpartition("-")[2])
        self.records.append(
            matched(
                article, story, outlet=f"{OUTLETS[number % 7]}.example", revision=f"r{revision}",
                title=f"{article}, {revision // 2}", minute=number + revision, changes=changes,
                copy_of="elsewhere" if (number + revision) % 5 == 0 else None,
                decisions=[self._decision(e, p, late=late) for e, p in kept if p is not None],
            )
        )  # fmt: skip

    def _decision(self, event: str, probability: float, *, late: bool) -> Decision:
        version = max(1, self._version[event] - late)
        return decision(event, probability, version=version)

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}{self._number}-{self._names}"
