"""Records that a stage cannot handle: found by halving the batch, kept as small dead letters."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from msgspec import Struct

from stream import records
from stream.errors import BadRecord, DatelineError
from stream.log.contract import LogRecord

# A dead letter must itself be small: enough of the message to act on.
MESSAGE_CHARS = 1000
# From the stage's own line down to where it failed.
FRAMES = 8

T = TypeVar("T")
Work = Callable[[Sequence[LogRecord]], list[T]]
Bury = Callable[[LogRecord, Exception, int], T]  # the record, its error, how often it was tried


def halve(work: Work[T], batch: Sequence[LogRecord], bury: Bury[T], tries: int = 1) -> list[T]:
    """What `work` makes of the batch, in order; records on which it fails alone are buried.

    Deliberate errors other than BadRecord are nobody's fault and pass through.
    """
    try:
        return work(batch)
    except Exception as error:
        if isinstance(error, DatelineError) and not isinstance(error, BadRecord):
            raise
        if len(batch) == 1:
            return [bury(batch[0], error, tries)]
        middle = len(batch) // 2
        return [
            *halve(work, batch[:middle], bury, tries + 1),
            *halve(work, batch[middle:], bury, tries + 1),
        ]


def letter(stage: str, record: LogRecord, error: Exception, attempts: int) -> records.Dead:
    """Points to the record; does not copy it."""
    article_id, revision = _article_of(record.value)
    return records.Dead(
        stage=stage,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        error=type(error).__name__,
        message=str(error)[:MESSAGE_CHARS],
        attempts=attempts,
        first_failed=datetime.now(UTC),
        article_id=article_id,
        revision=revision,
    )


def where(error: Exception) -> str:
    """The innermost frames of a fault of ours. Without the message, which may hold the record."""
    return "".join(traceback.format_tb(error.__traceback__)[-FRAMES:])


class _Ids(Struct):
    id: str | None = None
    article_id: str | None = None
    revision: str | None = None
    # Empty when absent; msgspec takes nothing but null for `Raw | None`.
    article: msgspec.Raw = msgspec.Raw(b"")
    embedded: msgspec.Raw = msgspec.Raw(b"")
    placed: msgspec.Raw = msgspec.Raw(b"")


def _article_of(value: bytes | msgspec.Raw) -> tuple[str | None, str | None]:
    """The article that a record of any topic is about, as far as its bytes still tell."""
    try:
        ids = msgspec.json.decode(value, type=_Ids)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, None
    for inner in (ids.placed, ids.embedded, ids.article):
        if bytes(inner):
            return _article_of(inner)
    return ids.article_id or ids.id, ids.revision
