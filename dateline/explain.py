"""Which events would a text match, and why: for the desk and the command line."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from dateline.config import Settings
from store import tables
from stream.records import Decision, Definition

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from processors.embed.encoder import Encoder


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
        self._lock = threading.Lock()

    def __call__(self, title: str, text: str, published: datetime | None) -> list[Decision]:
        """Every registered event, the most probable first."""
        from processors.match.explain import explain

        with self._lock:
            return explain(
                title,
                text,
                published,
                self.definitions(),
                self._model(),
                settings=self._settings.match,
            )

    def stored(self, row: sa.Row[Any]) -> list[Decision]:
        """The same for a row of `articles`, with the vector that is stored."""
        return self(row.title, row.text, row.published)

    def definitions(self) -> list[Definition]:
        """The registered definitions (read each time: they change while the desk is open)."""
        if self._definitions is not None:
            return list(self._definitions)
        assert self._engine is not None
        columns = tables.events.c
        with self._engine.connect() as connection:
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
