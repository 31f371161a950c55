"""An article as it is judged."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import NamedTuple

from processors.match.events import EventTable
from processors.match.reading import Reading
from processors.match.signals import Near, Said
from processors.match.words import Wordings, wordings


class Judged(NamedTuple):
    """What an article scores with one event, and why."""

    at: int  # number of the event in the table
    base: float
    values: dict[str, float]
    contributions: dict[str, float]
    score: float
    outdone_by: int | None = None  # a related event that fits better


class Case:
    """What was read and measured in an article, and what was found out about it so far."""

    def __init__(
        self, reading: Reading, said: Said, near: Near, day: date | None, lang: str | None
    ) -> None:
        self.reading, self.said, self.near, self.day, self.lang = reading, said, near, day, lang
        self.alone: dict[int, Judged] = {}  # events as if they had no rival; when asked for
        self.most: dict[int, float] = {}  # what an event can score, where that is known
        self.reread = False  # whether the article was encoded again without each sentence
        self._shorter: dict[int, Case] = {}

    @cached_property
    def spoken(self) -> Wordings:
        return wordings(self.reading)

    def read_again(self, without: list[Case]) -> None:
        """The article without each of its first sentences, encoded again."""
        self._shorter = dict(enumerate(without))
        self.reread = True

    def without(self, number: int, table: EventTable) -> Case:
        """The article without a sentence. Unless it was encoded again the vector is taken as
        given: only what is read in the words can change."""
        if number not in self._shorter:
            rest = self.reading.without(number)
            said = Said(rest, table, self.said)
            self._shorter[number] = Case(rest, said, self.near, self.day, self.lang)
        return self._shorter[number]
