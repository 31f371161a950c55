"""Records that a stage cannot handle: found by halving the batch, kept as small dead letters."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from stream import records
from stream.errors import BadRecord, DatelineError
from stream.log.contract import Log, LogRecord, Partition

# A dead letter must itself be small: enough of the message to act on.
MESSAGE_CHARS = 1000
# Ids of articles are short hashes; what is longer than this is none.
ID_CHARS = 500
# From the stage's own line down to where it failed.
FRAMES = 8

# How far back the letters are read at a first failure: other stages write theirs in between.
TAIL = 1000

Work = Callable[[Sequence[LogRecord]], None]
Bury = Callable[[LogRecord, Exception, int], None]  # the record, its error, how often it was tried


def halve(work: Work, batch: Sequence[LogRecord], bury: Bury, tries: int = 1) -> None:
    """Let `work` do the batch, in order; records on which it fails alone are buried.

    Deliberate errors other than BadRecord are nobody's fault and pass through.
    """
    try:
        work(batch)
    except Exception as error:
        if isinstance(error, DatelineError) and not isinstance(error, BadRecord):
            raise
        if len(batch) == 1:
            bury(batch[0], error, tries)
            return
        middle = len(batch) // 2
        halve(work, batch[:middle], bury, tries + 1)
        halve(work, batch[middle:], bury, tries + 1)


def buried_before(log: Log, stage: str, record: LogRecord) -> int:
    """How many records right before this one are dead letters of the stage already."""
    _, after = log.bounds(Partition(records.DEAD, 0))
    dead = buried(log, stage, record.source, max(0, after - TAIL))
    count = 0
    while record.offset - count - 1 in dead:
        count += 1
    return count


def buried(log: Log, stage: str, source: Partition, since: int = 0) -> set[int]:
    """The offsets in that partition that are dead letters of the stage, of the letters from the
    offset `since` on."""
    dead = set()
    for found in log.read(Partition(records.DEAD, 0), since):
        with suppress(BadRecord):
            one = records.decode(found.value, records.Dead)
            if one.stage == stage and (one.topic, one.partition) == source:
                dead.add(one.offset)
    return dead


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
    return _short(ids.article_id or ids.id), _short(ids.revision)


def _short(id_: str | None) -> str | None:
    """None where it is no id of ours: the letter must stay small."""
    return id_ if id_ is not None and len(id_) <= ID_CHARS else None
