"""Snapshots of a lane: how the cluster stage starts without reading the whole log again.

A file is a magic line and frames, each with its length before it: a msgpack head (format, engine,
log), parts of the state, the checksum of all. It is written beside the others, made durable,
renamed; the newest two are kept. One that is torn, altered or of another engine is refused, and the
next older one, or the log itself, serves instead. Articles and stories stay in the file, which is
mapped into memory, until they are asked for.
"""

from __future__ import annotations

import mmap
import os
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec
from msgspec import Raw, Struct

from processors.cluster import kept
from processors.cluster.clock import Clock
from processors.cluster.copies import Chains
from processors.cluster.directions import Direction
from processors.cluster.lane import Lane
from processors.cluster.nearest import Cell
from processors.cluster.story import Story
from processors.cluster.vocabulary import Vocabulary

# Raise when a field below, or what is kept in a piece or a story, changes its meaning.
FORMAT = 7
KEPT = 2
MAGIC = b"dateline cluster snapshot\n"
# Bytes of a length and of what kind a part is; entries of a part: it is in memory twice while it is
# written.
LENGTH, KIND, ENTRIES = 8, 8, 2_000


class Head(Struct):
    format: int
    engine: str
    log_id: str
    partition: int
    next: int
    read_at: datetime  # when the record before `next` was appended
    placed: int  # where on the log of placements those from `next` on begin


class Rest(Struct):
    """What is small."""

    model: str
    dims: int
    clock: Clock
    vocabularies: dict[str, Vocabulary]
    archive: list[Story]
    by_row: list[str | None]
    free: list[int]


class Refused(Exception):
    """This file cannot be used; the text says why."""


def save(
    folder: Path,
    lane: Lane,
    engine: str,
    log_id: str,
    read_at: datetime,
    placed: int,
    beat: Callable[[], None],
) -> Path:
    """Write the lane's state up to `lane.next`; returns the file. Calls `beat` before each part:
    a million articles take minutes on a slow disk. Raises OSError."""
    head = Head(FORMAT, engine, log_id, lane.number, lane.next, read_at, placed)

    def beating() -> Iterator[tuple[str, object]]:
        for part in parts(lane):
            beat()
            yield part

    return write(folder, head, beating())


def write(folder: Path, head: Head, state: Iterable[tuple[str, object]]) -> Path:
    """Write these parts; returns the file. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"cluster-{head.partition}-{head.next:020d}.snapshot"
    beside = path.with_suffix(f".{os.getpid()}.new")
    for left in folder.glob(f"cluster-{head.partition}-*.new"):  # of who was killed while writing
        left.unlink(missing_ok=True)
    try:
        with beside.open("wb") as file:
            file.write(MAGIC)
            checksum = zlib.crc32(MAGIC)
            checksum = _write(file, kept.encode(head), checksum)
            for kind, data in state:
                checksum = _write(file, kind.encode().ljust(KIND) + kept.encode(data), checksum)
            _write(file, checksum.to_bytes(4, "little"), 0)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)  # a full disk must not stay full of half a snapshot
        raise
    for old in list(found(folder, head.partition))[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def found(folder: Path, partition: int) -> Iterator[Path]:
    """The snapshots of a partition, newest first."""
    yield from sorted(folder.glob(f"cluster-{partition}-*.snapshot"), reverse=True)


def load(path: Path, lane: Lane, engine: str, log_id: str) -> Head:
    """Fill a fresh lane from the file; returns its head. Raises Refused when it is not a snapshot
    of this engine, log and lane, whole and unaltered; the lane is then as it was."""
    try:
        data = _mapped(path)
        if data[: len(MAGIC)] != MAGIC:
            raise Refused("not a snapshot")
        frames = list(_frames(data))
        head: Head = _head(frames[0])
        wanted = (FORMAT, engine, log_id, lane.number)
        if (head.format, head.engine, head.log_id, head.partition) != wanted:
            raise Refused("made by another engine, or of another log or lane")
        last = frames.pop()
        with ThreadPoolExecutor(1) as beside:  # as long as all the rest, on another core
            checksum = beside.submit(zlib.crc32, data[: -LENGTH - len(last)])
            read = [(kind, _PARTS[kind](part)) for kind, part in map(_kind, frames[1:])]
        if checksum.result().to_bytes(4, "little") != last:
            raise Refused("the checksum is wrong")
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError, IndexError, KeyError) as error:
        raise Refused(f"cannot be decoded: {error}") from error
    lane.next = head.next
    for kind, part in read:
        _lay(lane, kind, part)
    return head


def lie_down(path: Path, lane: Lane) -> None:
    """Let go of what was just written to that file: what is asked for again is read from there.
    Raises OSError."""
    for kind, part in map(_kind, list(_frames(_mapped(path)))[1:-1]):
        if _PARTS[kind] is _laid:
            _lay(lane, kind, _laid(part))


def parts(lane: Lane) -> Iterator[tuple[str, object]]:
    """All of the lane's state but `next`, each part small enough to be encoded at once."""
    shelf = lane.shelf
    yield (
        "rest",
        Rest(
            lane.model,
            lane.dims,
            lane.clock,
            lane.vocabularies,
            list(lane.archive.stories.values()),
            shelf.by_row,
            shelf.free,
        ),
    )
    for known in some(lane.known.as_held()):
        yield "known", dict(known)
    for stories in some(shelf.stories.as_held()):
        yield (
            "stories",
            {
                name: one if isinstance(one, Raw) else kept.keep(one, lane.known)
                for name, one in stories
            },
        )
    for inside in some(lane.inside.as_held()):
        yield "inside", {one: ids if isinstance(ids, Raw) else list(ids) for one, ids in inside}
    for seen in some(lane.seen.as_held()):
        yield "seen", dict(seen)
    for holders in some(shelf.holders.items()):
        yield (
            "holders",
            {term: rows if isinstance(rows, int) else rows.tobytes() for term, rows in holders},
        )
    for cells in some(shelf.cells.held()):
        yield "cells", (shelf.cells.level, cells)
    yield "sketches", lane.sketches.chains()


def _lay(lane: Lane, kind: str, part: Any) -> None:
    """Put a part of the state where it belongs."""
    shelf = lane.shelf
    match kind:
        case "rest":
            lane.model, lane.dims, lane.clock = part.model, part.dims, part.clock
            lane.vocabularies = {lang: one.own() for lang, one in part.vocabularies.items()}
            lane.archive.stories = {story.id: story for story in part.archive}
            shelf.restore(part.by_row, part.free)
        case "known":
            lane.known.lay(part)
        case "stories":
            shelf.stories.lay(part)
        case "inside":
            lane.inside.lay(part)
        case "seen":
            lane.seen.lay(part)
        case "holders":
            shelf.holders.update(
                {t: rows if isinstance(rows, int) else array("i", rows) for t, rows in part.items()}
            )
        case "cells":
            shelf.cells.restore(*part)
        case "sketches":
            lane.sketches.restore(part)


T = TypeVar("T")


def some(values: Iterable[T]) -> Iterator[list[T]]:
    left = iter(values)
    while some := list(islice(left, ENTRIES)):
        yield some


def _write(file: BinaryIO, frame: bytes, checksum: int) -> int:
    """Returns the checksum with the frame."""
    length = len(frame).to_bytes(LENGTH, "little")
    file.write(length)
    file.write(frame)
    return zlib.crc32(frame, zlib.crc32(length, checksum))


def _mapped(path: Path) -> memoryview:
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _frames(data: memoryview) -> Iterator[memoryview]:
    at = len(MAGIC)
    while at < len(data):
        start = at + LENGTH
        at = start + int.from_bytes(data[at:start], "little")
        if at > len(data):
            raise Refused("its end is missing")
        yield data[start:at]


def _kind(frame: memoryview) -> tuple[str, memoryview]:
    return bytes(frame[:KIND]).decode().rstrip(), frame[KIND:]


_head = kept.decoder(Head)
_laid = kept.decoder(dict[str, Raw])
_PARTS = {
    "rest": kept.decoder(Rest),
    "known": _laid,
    "stories": _laid,
    "inside": _laid,
    "seen": _laid,
    "holders": kept.decoder(dict[int, int | bytes]),
    "cells": kept.decoder(tuple[Direction, list[Cell]]),
    "sketches": kept.decoder(Chains),
}
