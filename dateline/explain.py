"""Which events would a text match, and why: for the desk and the command line."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from dateline.config import Settings
from store import tables
from store.connection import reading
from stream.records import Decision, Definition

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from processors.embed.encoder import Encoder
    from processors.match import explain as matching
    from processors.match.judge import Vector


class Explainer:
    """Decides about any text as the match stage would. Thread-safe; the model is loaded on the
    first call, which takes some seconds."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine | None,
        also: Definition | None = None,
        definitions: Sequence[Definition] | None = None,
    ) -> None:
        self._settings, self._engine = settings, engine
        self._also, self._definitions = also, definitions
        self._encoder: Encoder | None = None
        self._matcher: matching.Explainer | None = None
        self._matcher_for: list[tuple[str, int]] = []
        self._lock = threading.Lock()

    def __call__(self, title: str, text: str, published: datetime | None) -> list[Decision]:
        """Every registered event, the most probable first."""
        from ingest.documents.language import identify
        from processors.embed.encoder import article_text
        from processors.match.explain import question

        with self._lock:
            article = question(text, title=title, published=published, lang=identify(title, text))
            vector = self._model().encode([article_text(title, text)])[0]
            return self._ready().explain(article, vector, self._encode)

    def stored(self, row: Mapping[str, Any], *, sentences: bool = False) -> list[Decision]:
        """The same for a row of `articles`, with the vector that is stored. A date that only ingest
        gave is no evidence here either. With `sentences` each is tried with a vector of its own."""
        from processors.match.explain import question

        when = row["published"] if row["published_from"] != "none" else None
        with self._lock:
            article = question(row["text"], title=row["title"], published=when, lang=row["lang"])
            encode = self._encode if sentences else None
            vector = row["vector"]
            if row["model"] != self._model().name:
                (made,) = self._encode([(row["title"], row["text"])])
                vector = made.astype("<f2").tobytes()
            return self._ready().explain(article, vector, encode)

    def _encode(self, texts: Sequence[tuple[str, str]]) -> list[Vector]:
        from processors.embed.encoder import article_text
        from processors.match.judge import vector_of

        found = self._model().encode([article_text(title, text) for title, text in texts])
        return [vector_of(raw) for raw in found]

    def _ready(self) -> matching.Explainer:
        """The matcher for today's definitions; made anew only when one of them changed."""
        from processors.embed.stage import definition_vectors
        from processors.match.explain import Explainer as Matcher

        definitions = self.definitions()
        key = [(one.id, one.version) for one in definitions]
        if self._matcher is None or key != self._matcher_for:
            vectors = [definition_vectors(one, self._model()) for one in definitions]
            self._matcher = Matcher(definitions, vectors, self._settings.match)
            self._matcher_for = key
        return self._matcher

    def definitions(self) -> list[Definition]:
        """The registered definitions (read each time: they change while the desk is open)."""
        if self._definitions is not None:
            return list(self._definitions)
        assert self._engine is not None
        columns = tables.events.c
        with reading(self._engine) as connection:
            found = connection.execute(
                sa.select(columns.definition).where(~columns.removed).order_by(columns.id)
            ).scalars()
            known = [msgspec.convert(value, Definition) for value in found]
        if self._also is not None:
            known = [d for d in known if d.id != self._also.id] + [self._also]
        return known

    def _model(self) -> Encoder:
        if self._encoder is None:
            from processors.embed.encoder import Encoder

            self._encoder = Encoder(self._settings.embed)
        return self._encoder
