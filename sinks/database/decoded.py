"""Records of `dateline.matched`, opened down to the article."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import msgspec

from stream import records
from stream.errors import BadRecord
from stream.log.contract import LogRecord
from stream.records import (
    Article,
    Considered,
    Decision,
    Embedded,
    History,
    Matched,
    Placed,
    StoryChange,
)

# PostgreSQL can store a NUL neither in a text nor in JSON. In JSON it is always written as this
# escape; an even number of backslashes before it means that it is one.
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


class Placement(NamedTuple):
    """A placed article with its decisions."""

    lane: int
    offset: int
    time: datetime
    article: Article
    story: str
    copy_of: str | None
    novelty: float
    changes: list[StoryChange]
    considered: list[Considered]
    model: str
    vector: bytes
    decisions: list[Decision]


class LookBack(NamedTuple):
    """Decisions taken again about an article placed before."""

    lane: int
    offset: int
    time: datetime
    article_id: str
    decisions: list[Decision]


def decode(record: LogRecord, type_: Any) -> Any:
    """Any record, without NUL characters. Raises BadRecord."""
    value = record.value
    if b"\\u0000" in value:
        value = _NUL.sub(rb"\1", value)
    return records.decode(value, type_)


def open_matched(record: LogRecord) -> Placement | LookBack:
    """Raises BadRecord when it cannot be read to the bottom."""
    matched: Matched | History = decode(record, Matched | History)
    if isinstance(matched, History):
        return LookBack(
            record.partition, record.offset, record.time, matched.article_id, matched.decisions
        )
    placed: Placed = matched.read_placed()
    embedded: Embedded = placed.read_embedded()
    article = embedded.read_article()
    article = msgspec.structs.replace(
        article, fetched=_utc(article.fetched), published=_utc(article.published)
    )
    return Placement(
        lane=record.partition,
        offset=record.offset,
        time=record.time,
        article=article,
        story=placed.story,
        copy_of=placed.copy_of,
        novelty=placed.novelty,
        changes=placed.changes,
        considered=placed.considered,
        model=embedded.model,
        vector=embedded.vector,
        decisions=matched.decisions,
    )


T = TypeVar("T", datetime, datetime | None)


def _utc(time: T) -> T:
    if time is None:
        return time
    if time.tzinfo is None:
        raise BadRecord(f"expected a time with its zone, got {time.isoformat()}")
    return time.astimezone(UTC)


def as_json(record: msgspec.Struct) -> Any:
    """The record as it is stored in a JSON column."""
    return msgspec.to_builtins(record)
