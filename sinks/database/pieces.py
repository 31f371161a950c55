"""Articles and decisions as alerts see them, from the rows of the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from sinks.news import Piece
from store.tables import articles, matches

_a, _m = articles.c, matches.c
# What `piece_of` needs.
COLUMNS = (
    _a.id, _a.title, _a.url, _a.outlet_name, _a.family, _a.wire, _a.copy_of, _a.published,
    _a.fetched,
)  # fmt: skip


def piece_of(row: Mapping[str, Any]) -> Piece:
    """An article's row as alerts see it."""
    return Piece(
        id=row["id"],
        title=row["title"],
        url=row["url"],
        outlet=row["outlet_name"],
        family=row["family"],
        wire=row["wire"],
        copy_of=row["copy_of"],
        published=row["published"],
        fetched=row["fetched"],
    )


class StoredDecision(Mapping[str, Any]):
    """A stored decision, read when somebody looks: alerts hold many, tell few."""

    def __init__(self, connection: sa.Connection, event_id: str, article_id: str) -> None:
        self._connection, self._event_id, self._article_id = connection, event_id, article_id

    @cached_property
    def _values(self) -> Mapping[str, Any]:
        query = sa.select(_m.reasons).where(
            _m.event_id == self._event_id, _m.article_id == self._article_id
        )
        found: Mapping[str, Any] | None = self._connection.execute(query).scalar()
        return found or {}

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
