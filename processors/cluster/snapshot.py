"""Snapshots of a lane: how the cluster stage starts without reading the whole log again.

A file holds a magic line, a msgpack head (format, engine, log, checksum) and a msgpack body. It is
written beside the others, made durable, renamed; the newest two are kept. One that is torn, altered
or of another engine is refused, and the next older one, or the log itself, serves instead.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from processors.cluster.clock import Clock
from processors.cluster.lane import Lane
from processors.cluster.piece import Piece, Vector
from processors.cluster.stock import Seen
from processors.cluster.story import Story
from processors.cluster.vocabulary import Vocabulary

# Raise when a field below, or what is kept in a piece or a story, changes its meaning.
FORMAT = 5
KEPT = 2
MAGIC = b"dateline cluster snapshot\n"


class Head(Struct):
    format: int
    engine: str
    log_id: str
    partition: int
    next: int
    read_at: datetime  # when the record before `next` was appended
    placed: int  # where on the log of placements those from `next` on begin
    checksum: bytes


class _Body(Struct):
    model: str
    dims: int
    clock: Clock
    free: list[int]
    cells: list[tuple[Vector, list[int]]]
    pieces: list[Piece]
    known: list[int]  # positions in `pieces`
    stories: list[Story]  # without their members, and without terms that they share with one
    newest: list[list[int]]
    seen: dict[str, Seen]
    vocabularies: dict[str, Vocabulary]
    archive: list[Story]


class Refused(Exception):
    """This file cannot be used; the text says why."""


def save(
    folder: Path, lane: Lane, engine: str, log_id: str, read_at: datetime, placed: int
) -> Path:
    """Write the lane's state up to `lane.next`; returns the file. Raises OSError."""
    body = _encoder.encode(_pack(lane))
    head = _encoder.encode(
        Head(FORMAT, engine, log_id, lane.number, lane.next, read_at, placed, _checksum(body))
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"cluster-{lane.number}-{lane.next:020d}.snapshot"
    beside = path.with_suffix(f".{os.getpid()}.new")
    with beside.open("wb") as file:
        file.write(MAGIC + len(head).to_bytes(4, "little") + head + body)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    for old in list(found(folder, lane.number))[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def found(folder: Path, partition: int) -> Iterator[Path]:
    """The snapshots of a partition, newest first."""
    yield from sorted(folder.glob(f"cluster-{partition}-*.snapshot"), reverse=True)


def load(path: Path, lane: Lane, engine: str, log_id: str) -> Head:
    """Fill a fresh lane from the file; returns its head. Raises Refused when it is not a snapshot
    of this engine, log and lane, whole and unaltered; the lane is then as it was."""
    try:
        data = path.read_bytes()
        start = len(MAGIC) + 4
        length = int.from_bytes(data[len(MAGIC) : start], "little")
        if not data.startswith(MAGIC):
            raise Refused("not a snapshot")
        head = _head_decoder.decode(data[start : start + length])
        body = memoryview(data)[start + length :]
        wanted = (FORMAT, engine, log_id, lane.number)
        if (head.format, head.engine, head.log_id, head.partition) != wanted:
            raise Refused("made by another engine, or of another log or lane")
        if head.checksum != _checksum(body):
            raise Refused("the checksum is wrong")
        _unpack(_body_decoder.decode(body), lane, head.next)
        return head
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError, IndexError) as error:
        raise Refused(f"cannot be decoded: {error}") from error


def _pack(lane: Lane) -> _Body:
    pieces: list[Piece] = []
    positions: dict[int, int] = {}

    def position(piece: Piece) -> int:
        if id(piece) not in positions:
            positions[id(piece)] = len(pieces)
            pieces.append(piece)
        return positions[id(piece)]

    known = [position(piece) for piece in lane.known.values()]
    stories = list(lane.shelf.stories.values())
    newest = [[position(piece) for piece in story.newest] for story in stories]
    bare = [
        msgspec.structs.replace(story, newest=[], terms=story.terms if story.counts else {})
        for story in stories
    ]
    return _Body(
        lane.model,
        lane.dims,
        lane.clock,
        lane.shelf.free,
        [(cell.middle, cell.rows[: cell.size].tolist()) for cell in lane.shelf.cells.cells],
        pieces,
        known,
        bare,
        newest,
        lane.seen,
        lane.vocabularies,
        list(lane.archive.stories.values()),
    )


def _unpack(body: _Body, lane: Lane, next_offset: int) -> None:
    for story, members in zip(body.stories, body.newest, strict=True):
        story.newest = [body.pieces[i] for i in members]
        if story.newest and not story.counts:
            story.terms = story.newest[-1].terms
    known = {body.pieces[i].id: body.pieces[i] for i in body.known}
    lane.next, lane.model, lane.dims = next_offset, body.model, body.dims
    lane.clock = body.clock
    lane.seen, lane.vocabularies, lane.known = body.seen, body.vocabularies, known
    for piece in known.values():
        lane.sketches.add(piece.id, piece.sketch)
        lane.inside.setdefault(piece.story, {})[piece.id] = None
    lane.archive.stories = {story.id: story for story in body.archive}
    lane.shelf.restore(body.stories, body.free, body.cells)


def _checksum(body: bytes | memoryview) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return [list(value.shape), value.astype("<f4").tobytes()]
    # msgspec hands on what is raised here as it is.
    raise TypeError(
        f"A snapshot holds what msgspec encodes and arrays, not a {type(value).__name__}."
    )


def _array(kind: type, value: Any) -> object:
    shape, data = value
    return np.frombuffer(data, dtype="<f4").reshape(shape).copy()


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
_head_decoder = msgspec.msgpack.Decoder(Head)
_body_decoder = msgspec.msgpack.Decoder(_Body, dec_hook=_array)
