"""The embed stage: article in, article with its vector out; and the vectors of definitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Raw

from processors.embed.encoder import article_text
from processors.text.sentences import sentences
from stream.errors import BadRecord
from stream.log.contract import LogRecord
from stream.records import (
    ARTICLES,
    EMBEDDED,
    EVENTS,
    TOPIC_RECORDS,
    Article,
    Definition,
    DefinitionVectors,
    Embedded,
    decode,
)
from stream.stage import Output, Rewind, Stage

# A description says what an event is in a few sentences; more would only repeat it.
MAX_SENTENCES = 12


class Encodes(Protocol):
    name: str
    dims: int

    def encode(self, texts: Sequence[str]) -> list[bytes]: ...


class EmbedStage(Stage):
    """Embeds every article it is given, also one it has seen: vectors depend on the text only, so
    a repetition is harmless, and later stages drop it."""

    name = "embed"
    inputs = (ARTICLES,)
    tables = (EVENTS,)

    def __init__(self, encoder: Encodes) -> None:
        self._encoder = encoder
        self._definitions: dict[str, Definition] = {}
        self._has_vectors: set[tuple[str, int]] = set()

    def process(self, batch: Sequence[LogRecord]) -> list[Output]:
        articles = [decode(record.value, Article) for record in batch]
        vectors = self._encoder.encode([article_text(a.title, a.text) for a in articles])
        return [
            Output(
                EMBEDDED,
                Embedded(
                    article=Raw(record.value),
                    model=self._encoder.name,
                    dims=self._encoder.dims,
                    vector=vector,
                ),
                key=article.id,
                partition=article.lane,
            )
            for record, article, vector in zip(batch, articles, vectors, strict=True)
        ]

    def table(self, changes: Sequence[LogRecord], rewind: Rewind) -> list[Output]:
        for record in changes:
            try:
                change = decode(record.value, TOPIC_RECORDS[EVENTS])
            except BadRecord:
                continue  # whoever wrote it was refused or is newer; definitions are re-applied
            if isinstance(change, Definition):
                self._definitions[change.id] = change
            elif isinstance(change, DefinitionVectors) and change.model == self._encoder.name:
                self._has_vectors.add((change.event_id, change.version))
        return [
            Output(EVENTS, definition_vectors(definition, self._encoder), key=definition.id)
            for definition in self._definitions.values()
            if not definition.removed
            and (definition.id, definition.version) not in self._has_vectors
        ]


def definition_vectors(definition: Definition, encoder: Encodes) -> DefinitionVectors:
    """The title with the whole description, each sentence of the description, each example."""
    about = [article_text(definition.title, definition.description)]
    about += sentences(definition.description)[:MAX_SENTENCES]
    examples = [article_text(one.title, one.text) for one in definition.examples]
    vectors = encoder.encode(about + examples)
    return DefinitionVectors(
        event_id=definition.id,
        version=definition.version,
        model=encoder.name,
        dims=encoder.dims,
        description=vectors[: len(about)],
        examples=vectors[len(about) :],
    )
