"""How soon the cluster stage places again after it was killed, and what it keeps.

    dateline bench recovery [--open 100000,1000000] [--placed 20000] [--after 1000]

`--placed` articles of the made stream (`bench.world`) are placed by the real stage. Placing a
million would take the better part of an hour, so a level is that state several times over, each
time with ids, rows and runs of words of its own; words and vectors are the same. It is written as a
snapshot. A process starts from it, is killed with SIGKILL when it has placed an article, and
another starts: its time counts from before the process was made until its first placement. What was
placed after the snapshot stands on the log and is adopted first: `--after` articles, timed apart.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from bench import entry, tables
from bench.cost import record
from bench.world import START, World
from processors.cluster import kept, snapshot
from processors.cluster.copies import Sketches
from processors.cluster.kept import KeptStory, Seen
from processors.cluster.lane import Lane
from processors.cluster.nearest import Cell
from processors.cluster.piece import Piece
from processors.cluster.settings import ClusterSettings
from processors.cluster.stage import ClusterStage
from stream.log.contract import LogRecord, Partition
from stream.records import EMBEDDED, PLACED, Article, encode

LANE = Partition(EMBEDDED, 0)
LOG = "bench"
# Placed one after the other when all is back: what is asked for for the first time is decoded.
AFTERWARDS = 300

Stream = Iterator[tuple[Article, NDArray[np.float32]]]


class Measured(NamedTuple):
    """Seconds since the process was begun, adopting left out; seconds of processor time; ms of it
    an article; MB."""

    started: float
    first: float
    worked: float
    adopting: float
    placing: float
    anonymous: float
    mapped: float


def several(lane: Lane, times: int) -> Iterator[tuple[str, object]]:
    """The parts of a snapshot of this state so many times over."""
    rows = len(lane.shelf.by_row)
    rest = next(snapshot.parts(lane))[1]
    assert isinstance(rest, snapshot.Rest)
    sketches = Sketches(lambda article: b"")
    by_row: list[str | None] = []
    free: list[int] = []
    for number in range(times):
        named = _namer(number)
        by_row += [None if one is None else named(one) for one in rest.by_row]
        free += [row + number * rows for row in rest.free]
        for pieces in snapshot.some(lane.known.values()):
            copied = [_piece(one, named, number) for one in pieces]
            for one in copied:
                sketches.add(one.id, one.sketch)
            yield "known", {one.id: one for one in copied}
        for stories in snapshot.some(lane.shelf.stories.values()):
            told = [kept.keep(one, lane.known) for one in stories]
            yield (
                "stories",
                {named(one.story.id): _story(one, named, number * rows) for one in told},
            )
        for inside in snapshot.some(lane.inside):
            yield "inside", {named(one): [named(i) for i in lane.inside[one]] for one in inside}
        for seen in snapshot.some(lane.seen):
            yield "seen", {named(one): _seen(lane.seen[one], named) for one in seen}
        for cells in snapshot.some(lane.shelf.cells.held()):
            yield (
                "cells",
                (
                    lane.shelf.cells.level,
                    [Cell(c.middle, c.rows + number * rows, c.vectors) for c in cells],
                ),
            )
    yield "rest", structs.replace(rest, by_row=by_row, free=free)
    for holders in snapshot.some(lane.shelf.holders.items()):
        yield "holders", {term: _rows(held, rows, times) for term, held in holders}
    yield "sketches", sketches.chains()


def _namer(number: int) -> Callable[[str], str]:
    return lambda name: f"{name}-{number}" if name and number else name


def _piece(piece: Piece, named: Callable[[str], str], number: int) -> Piece:
    hashes = np.frombuffer(piece.sketch, dtype="<u4")
    # An even number: whether a run is of the headline stays.
    own = np.sort(hashes ^ np.uint32(number * 0x9E3779B2 & 0xFFFFFFFE))
    copy_of = piece.copy_of and named(piece.copy_of)
    story = named(piece.story)
    return structs.replace(
        piece, id=named(piece.id), story=story, copy_of=copy_of, sketch=own.astype("<u4").tobytes()
    )


def _story(told: KeptStory, named: Callable[[str], str], rows: int) -> KeptStory:
    story = told.story
    newest = [named(one) if isinstance(one, str) else one for one in told.newest]
    return KeptStory(
        structs.replace(
            story,
            id=named(story.id),
            row=story.row + rows,
            label_article=named(story.label_article),
        ),
        newest,
    )


def _seen(seen: Seen, named: Callable[[str], str]) -> Seen:
    return structs.replace(seen, story=named(seen.story))


def _rows(held: int | Sequence[int], rows: int, times: int) -> int | bytes:
    once = np.array([held] if isinstance(held, int) else held, dtype=np.int32)
    every = (once + rows * np.arange(times, dtype=np.int32)[:, None]).ravel()
    return int(every[0]) if len(every) == 1 else every.tobytes()


def _stage(folder: Path) -> ClusterStage:
    return ClusterStage(ClusterSettings(snapshot_every=10**9), folder)


def begin(folder: Path, given: Path, begun: float, wait: bool) -> None:
    """What the started process does. `given` holds the records to adopt and to place."""
    stage = _stage(folder)
    if stage.start(LANE, LOG) == 0:
        raise SystemExit("the snapshot was refused")
    started, worked = time.time() - begun, time.process_time()
    records, placed = msgspec.msgpack.decode(
        given.read_bytes(), type=tuple[list[tuple[int, bytes]], list[tuple[int, bytes, bytes]]]
    )
    inputs = [LogRecord(EMBEDDED, 0, at, b"", value, {}, START) for at, value in records]
    logged = [LogRecord(PLACED, 0, at, key, value, {}, START) for at, key, value in placed]
    stage.restore(LANE, iter(logged))
    spent = time.process_time()
    for one in inputs[: len(logged)]:
        assert not stage.process([one])
    adopting = time.process_time() - spent
    adopted = time.time() - begun
    assert stage.process([inputs[len(logged)]])
    first = time.time() - begun
    if wait:
        print("placed", flush=True)
        signal.pause()
    spent = time.process_time()
    left = inputs[len(logged) + 1 :]
    for one in left:
        stage.process([one])
    placing = 1000 * (time.process_time() - spent) / len(left)
    ready = started + first - adopted
    memory = _memory("RssAnon"), _memory("RssFile")
    print(json.dumps([started, ready, worked, adopting, placing, *memory]))


def _memory(kind: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(kind))


def measure(folder: Path, given: Path) -> Measured:
    """Starts a process, kills it once it has placed an article, and starts it again."""

    def command(*more: str) -> list[str]:
        module = [sys.executable, "-m", "bench.recovery"]
        return [*module, "--begin", str(folder), str(given), str(time.time()), *more]

    with subprocess.Popen(command("wait"), stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        if first.stdout.readline() != "placed\n":
            raise SystemExit("the process did not start from the snapshot")
        first.send_signal(signal.SIGKILL)
    again = subprocess.run(command(), stdout=subprocess.PIPE, text=True, check=True)
    return Measured(*json.loads(again.stdout))


HEAD = ("open articles", "snapshot", "written in", "start to first placement", "loaded",
        "of work", "adopting 1,000", "then placing ms", "memory", "mapped")  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    parser = entry.parser("recovery", __doc__)
    parser.add_argument(
        "--open", type=entry.numbers, default="100000,1000000", metavar="N,N",
        help="levels, in articles (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--placed", type=int, default=20_000, help="articles placed for real")
    parser.add_argument("--after", type=int, default=1000, help="placed after the snapshot")
    parser.add_argument("--folder", type=Path, help="for snapshots (default: a temporary one)")
    parser.add_argument("--begin", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.begin:
        folder, given, begun, *wait = arguments.begin
        begin(Path(folder), Path(given), float(begun), bool(wait))
        return
    stream = World().articles()
    stage = _stage(Path("unused"))
    stage.start(LANE, LOG)
    for offset, (article, vector) in enumerate(islice(stream, arguments.placed)):
        stage.process([record(article, vector, offset)])
    lane = stage._lanes[0]
    lane.next = arguments.placed
    head = snapshot.Head(snapshot.FORMAT, stage._rules(), LOG, 0, lane.next, START, 0)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        work = Path(temporary)
        levels = arguments.open
        written = list[tuple[int, Path, float]]()
        for level in levels:
            started = time.perf_counter()
            folder = work / str(level)
            snapshot.write(folder, head, several(lane, max(1, level // arguments.placed)))
            written.append((level, folder, time.perf_counter() - started))
            print(f"{level:,} open articles written", file=sys.stderr, flush=True)
        _give(work / "given", stage, stream, arguments.placed, arguments.after)
        rows = list[list[str]]()
        for level, folder, seconds in written:
            size = sum(path.stat().st_size for path in folder.iterdir())
            found = measure(folder, work / "given")
            adopting = found.adopting * 1000 / max(1, arguments.after)
            rows.append(
                [f"{level:,}", f"{size / 1e6:,.0f} MB", f"{seconds:.1f} s", f"{found.first:.1f} s",
                 f"{found.started:.1f} s", f"{found.worked:.1f} s", f"{adopting:.1f} s",
                 f"{found.placing:.2f}", f"{found.anonymous:,.0f} MB", f"{found.mapped:,.0f} MB"]
            )  # fmt: skip
    tables.show(HEAD, rows)


def _give(path: Path, stage: ClusterStage, stream: Stream, first: int, after: int) -> None:
    """Records after the snapshot, and the placements of the first of them."""
    inputs = [
        record(article, vector, offset)
        for offset, (article, vector) in enumerate(islice(stream, after + 1 + AFTERWARDS), first)
    ]
    placed = [output for one in inputs[:after] for output in stage.process([one])]
    path.write_bytes(
        msgspec.msgpack.encode(
            (
                [(one.offset, one.value) for one in inputs],
                [
                    (at, (one.key or "").encode(), encode(one.record))
                    for at, one in enumerate(placed)
                ],
            )
        )
    )


if __name__ == "__main__":
    entry.run(main)
