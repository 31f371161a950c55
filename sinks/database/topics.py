"""Rows of the small topics: definitions, answers, dead letters. Each has one partition, so the
order of its records is the order of the rows' changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from sinks.database.decoded import as_json, decode
from sinks.database.rows import Row, upsert
from store import tables
from stream import records
from stream.log.contract import LogRecord
from stream.records import AlertAck, Dead, Definition, Verdict


def write_events(connection: sa.Connection, batch: Sequence[LogRecord]) -> None:
    """The latest version of each definition; vectors and look-back marks are not for readers."""
    rows: list[Row] = []
    for record in batch:
        read = decode(record, records.TOPIC_RECORDS[records.EVENTS])
        if isinstance(read, Definition):
            rows.append(
                {
                    "id": read.id,
                    "version": read.version,
                    "title": read.title,
                    "starts": read.starts,
                    "ends": read.ends,
                    "follows": read.follows,
                    "definition": as_json(read),
                    "removed": read.removed,
                }
            )
    upsert(connection, tables.events, rows)


def write_answers(connection: sa.Connection, batch: Sequence[LogRecord]) -> None:
    """Verdicts on matches and acknowledged alerts; the last word counts."""
    verdicts: list[Row] = []
    acks: list[Row] = []
    for record in batch:
        read: Verdict | AlertAck = decode(record, records.TOPIC_RECORDS[records.VERDICTS])
        if isinstance(read, AlertAck):
            acks.append({"alert_id": read.alert_id, "at": read.at, "by": read.by})
        else:
            verdicts.append(
                {
                    "event_id": read.event_id,
                    "article_id": read.article_id,
                    "verdict": read.verdict,
                    "other_event": read.other_event,
                    "by": read.by,
                    "at": read.at,
                }
            )
    upsert(connection, tables.verdicts, verdicts)
    upsert(connection, tables.acks, acks)


def write_dead(connection: sa.Connection, batch: Sequence[LogRecord]) -> None:
    """Dead letters of all stages, and the fate that each means."""
    letters: list[Dead] = [decode(record, Dead) for record in batch]
    # The same record may fail again, after a crash or in a rebuild: since when stays.
    since: dict[tuple[str, str, int, int], datetime] = {}
    for one in letters:
        since.setdefault((one.stage, one.topic, one.partition, one.offset), one.first_failed)
    rows = [
        {
            "stage": letter.stage,
            "topic": letter.topic,
            "partition": letter.partition,
            "log_offset": letter.offset,
            "error": letter.error,
            "message": letter.message,
            "attempts": letter.attempts,
            "first_failed": since[letter.stage, letter.topic, letter.partition, letter.offset],
            "article_id": letter.article_id,
        }
        for letter in letters
    ]
    upsert(connection, tables.dead, rows, kept=("first_failed",))
    fates = [
        {
            "stage": letter.stage,
            "record": f"{letter.article_id}@{letter.revision}"
            if letter.article_id and letter.revision
            else f"{letter.topic}/{letter.partition}/{letter.offset}",
            "fate": "dead",
            "reason": letter.error,
            "article_id": letter.article_id,
            "lane": letter.partition,
            "log_offset": letter.offset,
        }
        for letter in letters
    ]
    upsert(connection, tables.fates, fates, by_position=True)
