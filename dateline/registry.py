"""Registering events: definitions from files onto the `dateline.events` topic, by version."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from processors.match.definition import Lookup, load_directory, load_file, same_content
from stream import records
from stream.errors import UsageError
from stream.log.contract import Log, Partition, Producer
from stream.records import Definition


class Applied(NamedTuple):
    """What `apply` did: ids with their new version."""

    added: list[str]
    changed: list[str]
    removed: list[str]
    unchanged: list[str]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def registered(log: Log) -> dict[str, Definition]:
    """The latest version of every definition on the log, removed ones included."""
    latest: dict[str, Definition] = {}
    for record in log.read(Partition(records.EVENTS, 0)):
        value = records.decode(record.value, records.TOPIC_RECORDS[records.EVENTS])
        if isinstance(value, Definition):
            latest[value.id] = value
    return latest


def apply(log: Log, definitions: Sequence[Definition], *, prune: bool = False) -> Applied:
    """Append what is new or changed; an unchanged definition keeps its version.

    `prune` also removes registered events that are not among `definitions`.
    """
    latest = registered(log)
    done = Applied([], [], [], [])
    producer = log.producer()
    try:
        for wanted in definitions:
            known = latest.get(wanted.id)
            version = known.version if known else 0
            if known is not None and same_content(wanted, known):
                done.unchanged.append(wanted.id)
                continue
            _append(producer, msgspec.structs.replace(wanted, version=version + 1))
            (done.added if known is None or known.removed else done.changed).append(wanted.id)
        kept = {definition.id for definition in definitions}
        for known in latest.values():
            if prune and known.id not in kept and not known.removed:
                _append(
                    producer,
                    msgspec.structs.replace(known, version=known.version + 1, removed=True),
                )
                done.removed.append(known.id)
        producer.flush()
    finally:
        producer.close()
    return done


def apply_path(log: Log, path: Path, *, prune: bool = False) -> Applied:
    """`apply` for all definition files of a folder, or for one file."""
    return apply(log, load(path), prune=prune)


def load(path: Path, lookup: Lookup | None = None) -> list[Definition]:
    """The definitions of a folder or of one file. `lookup` finds the stored article of an example
    that is given by URL."""
    if not path.exists():
        raise UsageError(f"there is no {path}; name a folder of event definitions, or one file")
    if path.is_dir():
        return load_directory(path, lookup)
    return [load_file(path, lookup)]


def _append(producer: Producer, definition: Definition) -> None:
    producer.send(
        records.EVENTS, records.encode(definition), key=definition.id.encode(), partition=0
    )
