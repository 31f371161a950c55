"""What would this text match, and why, and why not: for the command line and the desk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from processors.match.decision import load
from processors.match.events import EventTable, build
from processors.match.judge import Encode, Judge, vector_of
from processors.match.settings import MatchSettings
from stream.records import Article, Decision, Definition, DefinitionVectors


class Explainer:
    """Keeps the definitions ready, so that a question costs one vector and a millisecond.

    `vectors[id]` belongs to each definition, made by the same encoder.
    """

    def __init__(
        self,
        definitions: Sequence[Definition],
        vectors: Sequence[DefinitionVectors],
        settings: MatchSettings | None = None,
    ) -> None:
        by_id = {one.event_id: one for one in vectors}
        ready = [one for one in definitions if one.id in by_id and not one.removed]
        self.table: EventTable = build(ready, {one.id: by_id[one.id] for one in ready})
        settings = settings or MatchSettings()
        self._judge: Judge | None = None
        if ready:
            decider = load(
                self.table.model,
                path=settings.decision_file,
                uncalibrated=settings.uncalibrated,
            )
            self._judge = Judge(self.table, decider, settings)

    def explain(
        self, article: Article, vector: bytes, encode: Encode | None = None
    ) -> list[Decision]:
        """Decisions about every event, the most probable first, all with their reasons. With
        `encode` the sentence that speaks most is found by asking again without each of them."""
        if self._judge is None:
            return []
        return self._judge.all(article, vector_of(vector), encode=encode)


def question(
    text: str, *, title: str = "", published: datetime | None = None, lang: str | None = None
) -> Article:
    """An article made of what somebody pasted. Without `published` no date is evidence."""
    return Article(
        id="question",
        revision="",
        title=title,
        text=text,
        outlet="",
        fetched=published or datetime(1970, 1, 1, tzinfo=UTC),  # used for nothing
        published=published,
        published_from="text" if published else "none",
        lang=lang,
    )
