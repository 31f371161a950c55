"""Dead letters: what they point to, and appending their records again once the cause is mended."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from dateline import app
from dateline.config import Settings
from store import tables
from store.connection import describe, reading, translated
from stream.errors import UsageError
from stream.log.contract import Log, LogRecord, Partition, Producer

# Says of an appended record which letter it came from, so that no letter is appended twice.
HEADER = "dateline-replay"
# Letters in one transaction, which holds their rows: some tens of milliseconds of appending.
CHUNK = 100
# A record is shown as far as a person reads.
SHOWN_CHARS = 4000

_d = tables.dead.c
_NAME = re.compile(r"([a-z]+):([\w.-]+)/(\d+)/(\d+)")


class Letter(NamedTuple):
    """The key of a letter; written `stage:topic/partition/offset`."""

    stage: str
    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.stage}:{self.topic}/{self.partition}/{self.offset}"

    def row(self) -> sa.ColumnElement[bool]:
        return sa.and_(
            _d.stage == self.stage,
            _d.topic == self.topic,
            _d.partition == self.partition,
            _d.log_offset == self.offset,
        )


class Replayed(NamedTuple):
    """`appended`: letters whose records were appended now; `gone`: those whose records the log no
    longer holds."""

    appended: list[str]
    gone: list[str]


def parse(text: str) -> Letter:
    found = _NAME.fullmatch(text)
    if not found:
        raise UsageError(
            f"expected a letter such as embed:dateline.articles/0/17, got {text!r}; "
            "`dateline dead list` shows them"
        )
    return Letter(found[1], found[2], int(found[3]), int(found[4]))


def listing(
    settings: Settings, *, stage: str | None = None, every: bool = False
) -> list[dict[str, Any]]:
    """The letters that wait, oldest first; `every`: also those that were replayed."""
    engine = app.open_engine(settings)
    try:
        with reading(engine) as connection:
            query = sa.select(tables.dead).order_by(_d.first_failed, _d.topic, _d.log_offset)
            if not every:
                query = query.where(_d.state != "replayed")
            if stage is not None:
                query = query.where(_d.stage == stage)
            rows = connection.execute(query).mappings().all()
        return [{"letter": str(_letter(row)), **row} for row in rows]
    finally:
        engine.dispose()


def show(settings: Settings, name: str) -> dict[str, Any]:
    """One letter with its record, as far as the log still holds it (`record` None: it does not),
    and what has become of the article (`stored`)."""
    letter = parse(name)
    log, engine = app.open_log(settings), app.open_engine(settings)
    try:
        with reading(engine) as connection:
            row = connection.execute(sa.select(tables.dead).where(letter.row())).mappings().first()
            if row is None:
                raise UsageError(f"there is no dead letter {name}; `dateline dead list` shows them")
            stored = row["article_id"] is not None and bool(
                connection.execute(
                    sa.select(sa.exists().where(tables.articles.c.id == row["article_id"]))
                ).scalar()
            )
        record = _record(log, letter)
        return {
            "letter": name,
            **row,
            "stored": stored,
            "key": None if record is None or record.key is None else _text(record.key),
            "bytes": None if record is None else len(record.value),
            "record": None if record is None else _content(record.value),
        }
    finally:
        log.close()
        engine.dispose()


def replay(settings: Settings, names: Sequence[str] = (), *, stage: str | None = None) -> Replayed:
    """Append the records of these letters (default: all that wait, of the stage if one is named)
    to their topics again, each once: also when this is killed in between and run again, or run
    by two at once. Raises UsageError for a letter that does not exist."""
    wanted = [parse(name) for name in names]
    log, engine = app.open_log(settings), app.open_engine(settings)
    producer = log.producer()
    done = Replayed([], [])
    try:
        ours = _claim(engine, wanted, stage)
        for chunk in _chunks(engine, wanted, stage):
            with translated(describe(engine)), engine.begin() as connection:
                _append(connection, log, producer, chunk, ours, done)
    finally:
        producer.close()
        log.close()
        engine.dispose()
    return done


def _claim(engine: sa.Engine, wanted: Sequence[Letter], stage: str | None) -> set[Letter]:
    """Mark what is going to be appended. A letter found marked later, and not by us, may have been
    appended by somebody who was killed."""
    with translated(describe(engine)), engine.begin() as connection:
        for letter in wanted:
            if not connection.execute(sa.select(sa.exists().where(letter.row()))).scalar():
                raise UsageError(
                    f"there is no dead letter {letter}; `dateline dead list` shows them"
                )
        rows = connection.execute(
            tables.dead.update()
            .where(_d.state == "dead", _chosen(wanted, stage))
            .values(state="replaying")
            .returning(_d.stage, _d.topic, _d.partition, _d.log_offset)
        ).mappings()
        return {_letter(row) for row in rows}


def _chunks(
    engine: sa.Engine, wanted: Sequence[Letter], stage: str | None
) -> Iterator[list[Letter]]:
    with reading(engine) as connection:
        query = sa.select(tables.dead).where(_d.state == "replaying", _chosen(wanted, stage))
        rows = connection.execute(query.order_by(_d.topic, _d.partition, _d.log_offset)).mappings()
        letters = [_letter(row) for row in rows]
    for start in range(0, len(letters), CHUNK):
        yield letters[start : start + CHUNK]


def _append(
    connection: sa.Connection,
    log: Log,
    producer: Producer,
    letters: Sequence[Letter],
    ours: set[Letter],
    done: Replayed,
) -> None:
    """In one transaction, which nobody else can enter for the same letters."""
    handled: dict[Letter, str] = {}
    for letter in letters:
        query = sa.select(_d.state).where(letter.row()).with_for_update()
        if connection.execute(query).scalar() != "replaying":
            continue  # somebody else has done it since
        record = _record(log, letter)
        if record is None:
            handled[letter] = "dead"
            done.gone.append(str(letter))
            continue
        handled[letter] = "replayed"
        if letter not in ours and _stands(log, letter):
            continue
        producer.send(
            record.topic,
            record.value,
            key=record.key,
            partition=record.partition,
            headers={**record.headers, HEADER: str(letter).encode()},
        )
        done.appended.append(str(letter))
    producer.flush()
    for letter, state in handled.items():
        connection.execute(tables.dead.update().where(letter.row()).values(state=state))


def _stands(log: Log, letter: Letter) -> bool:
    """Was the record of this letter appended again already?"""
    name = str(letter).encode()
    found = log.read(Partition(letter.topic, letter.partition), letter.offset + 1)
    return any(record.headers.get(HEADER) == name for record in found)


def _record(log: Log, letter: Letter) -> LogRecord | None:
    source = Partition(letter.topic, letter.partition)
    return next(log.read(source, letter.offset, letter.offset + 1), None)


def _chosen(wanted: Sequence[Letter], stage: str | None) -> sa.ColumnElement[bool]:
    chosen = sa.or_(*[letter.row() for letter in wanted]) if wanted else sa.true()
    return sa.and_(chosen, _d.stage == stage) if stage is not None else chosen


def _letter(row: sa.RowMapping) -> Letter:
    return Letter(row["stage"], row["topic"], row["partition"], row["log_offset"])


def _content(value: bytes) -> Any:
    """The record as JSON where it is some, else as text; without vectors and long texts."""
    try:
        return _shortened(msgspec.json.decode(value))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _text(value)


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shortened(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner) for inner in value]
    return value[:SHOWN_CHARS] if isinstance(value, str) else value


def _text(value: bytes) -> str:
    return value.decode(errors="backslashreplace")[:SHOWN_CHARS]
