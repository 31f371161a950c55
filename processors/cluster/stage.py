"""The cluster stage: embedded article in, the same with its place in a story out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path

import structlog
from msgspec import Raw, Struct

from processors.cluster import decision, snapshot
from processors.cluster.decision import Decision
from processors.cluster.lane import Lane
from processors.cluster.piece import Reading, read
from processors.cluster.settings import ClusterSettings
from stream.errors import BadRecord
from stream.log.contract import Log, LogRecord, Partition
from stream.records import EMBEDDED, PLACED, Embedded, Placed, StoryChange, decode
from stream.stage import Output, Stage

# Raise with every change of the rules that can place an article elsewhere: old snapshots are then
# refused, and what the old rules placed is adopted from the log.
RULES = 9

# Writing an open article takes about 30 µs of processor time, and twice that or more until it is on
# the disk. A snapshot waits until this part of the open ones is new, so that it adds .15 ms of
# processor time to each however many are open, but no longer than the settings say: a restart reads
# what is new again, which takes about 1 ms each.
SNAPSHOT_SHARE = 5

# From so many open articles on they lie in the snapshot until they are asked for, and a process
# holds what was asked for since the last one. Among fewer nearly all are asked for again soon.
LIE_DOWN_FROM = 200_000


class Fact(Struct):
    """What a placement on the log says, as far as it has to be taken over."""

    story: str
    source_offset: int
    copy_of: str | None = None
    changes: list[StoryChange] = []
    article: bytes | None = None  # its id; the key of the record
    offset: int = 0  # of the record


class ClusterStage(Stage):
    """Places articles one by one in the order of their lane.

    A placement on the log is a fact: after a crash, or without any snapshot, logged placements are
    taken over and only what comes after them is decided. Raises UsageError when there is no
    decision file for the model on the records.
    """

    name = "cluster"
    inputs = (EMBEDDED,)
    restores_from = PLACED
    # A record that fails must not leave its neighbours half placed.
    chunk = 1

    def __init__(
        self, settings: ClusterSettings, state_dir: Path | None = None, log: Log | None = None
    ) -> None:
        """`state_dir` holds the snapshots (default: that of the settings; None = keep none, each
        start reads the log anew). `log` lets it notice snapshots of records that a restored log
        does not hold, and where a log that has dropped its oldest records begins."""
        self._settings, self._log = settings, log
        self._folder = state_dir or settings.state_dir
        self._lanes: dict[int, Lane] = {}
        self._log_ids: dict[int, str] = {}
        self._facts: dict[int, dict[int, Fact]] = {}
        self._ahead: dict[tuple[int, int], Reading] = {}  # by lane and offset, of the batch in hand
        self._saved: dict[int, int] = {}
        self._durable: dict[int, int] = {}
        # When the last record that was handled was appended: by it a snapshot is known again.
        self._read_at: dict[int, datetime] = {}
        # Where the placements begin that a snapshot does not hold; 0 = there is none.
        self._placed: dict[int, int] = {}
        # Placements under this source offset are on the log or were kept there for too long ago.
        self._silent_before: dict[int, int] = {}
        self._decide = cache(self._load_decision)
        self._say = structlog.get_logger("dateline.cluster")

    # -- gaining and losing a lane ---------------------------------------------------------------

    def start(self, partition: Partition, log_id: str) -> int:
        number = partition.number
        lane, self._placed[number] = self._new_lane(number), 0
        for path in snapshot.found(self._folder, number) if self._folder is not None else ():
            try:
                head = snapshot.load(path, lane, self._rules(), log_id)
                self._check(partition, head)
                self._read_at[number], self._placed[number] = head.read_at, head.placed
                break
            except snapshot.Refused as error:
                self._say.warning("cluster.snapshot_refused", file=path.name, reason=str(error))
                lane = self._new_lane(number)
        lane.next = self._begin(partition, lane.next)
        self._lanes[number], self._log_ids[number] = lane, log_id
        self._facts[number], self._silent_before[number] = {}, 0
        self._saved[number] = self._durable[number] = lane.next
        return lane.next

    def _check(self, partition: Partition, head: snapshot.Head) -> None:
        """Refuses a snapshot of records that the log does not hold: it was restored from an older
        copy, and other records may stand there now, appended at another time."""
        if self._log is None or head.next == 0:
            return
        first, end = self._log.bounds(partition)
        last = next(self._log.read(partition, head.next - 1, head.next), None)
        if head.next > end or (last is not None and last.time != head.read_at):
            raise snapshot.Refused(
                f"made of other records than the log holds up to {head.next:,} (from {first:,} to "
                f"{end:,}): the log was restored from an older copy"
            )

    def _begin(self, partition: Partition, at: int) -> int:
        """Where the log begins, when nothing was read of it yet, or when the records up to there
        were dropped unread and the operator has set the group past them."""
        if self._log is None:
            return at
        first, _ = self._log.bounds(partition)
        given_up = (self._log.committed(f"dateline.{self.name}", partition) or 0) >= first
        return first if at < first and (at == 0 or given_up) else at

    def restores_at(self, partition: Partition) -> int:
        return self._placed[partition.number]

    def restore(self, partition: Partition, outputs: Iterator[LogRecord]) -> None:
        number = partition.number
        facts, first = self._facts[number], True
        for record in outputs:
            fact = _read_fact(record.value)
            if fact is None:
                continue
            fact.article, fact.offset = record.key, record.offset
            if first and record.offset > self._placed[number]:  # those before it were dropped
                self._silent_before[number] = fact.source_offset
            first = False
            if fact.source_offset >= self._lanes[number].next:
                facts.setdefault(fact.source_offset, fact)

    def lost(self, partition: Partition) -> None:
        self._save(partition.number, at_least=1)
        for held in (self._lanes, self._log_ids, self._facts, self._saved, self._durable,
                     self._read_at, self._placed):  # fmt: skip
            held.pop(partition.number, None)

    def close(self) -> None:
        for number in list(self._lanes):
            self.lost(Partition(EMBEDDED, number))

    # -- work ------------------------------------------------------------------------------------

    def ahead(self, batch: Sequence[LogRecord]) -> None:
        """Reads all articles of a batch before any is placed: one after the other that takes two
        thirds of the time, since code and tables stay in the processor's caches."""
        self._ahead = {}
        for record in batch:
            with suppress(Exception):  # it fails again when its turn comes
                self._ahead[record.partition, record.offset] = _read(record)

    def process(self, batch: Sequence[LogRecord]) -> list[Output]:
        outputs: list[Output] = []
        for record in batch:
            placed = self._place(record)
            self._done(record)
            if placed is not None:
                key = placed[0]
                outputs.append(Output(PLACED, placed[1], key=key, partition=record.partition))
        return outputs

    def skip(self, record: LogRecord, error: BaseException) -> None:
        self._facts[record.partition].pop(record.offset, None)
        self._done(record)

    def _done(self, record: LogRecord) -> None:
        self._lanes[record.partition].next = record.offset + 1
        self._read_at[record.partition] = record.time

    def committed(self, next_offsets: Mapping[Partition, int]) -> None:
        for partition, offset in next_offsets.items():
            if partition.number in self._lanes:
                self._durable[partition.number] = offset
                held = len(self._lanes[partition.number].known)
                share = min(held // SNAPSHOT_SHARE, self._settings.snapshot_at_latest)
                every = max(self._settings.snapshot_every, share)
                if offset - self._saved[partition.number] >= every:
                    self._ask_placed(partition.number)
                    self._save(partition.number, at_least=every)

    def _place(self, record: LogRecord) -> tuple[str, Placed] | None:
        lane = self._lanes[record.partition]
        reading = self._ahead.pop((record.partition, record.offset), None) or _read(record)
        article = reading.piece.id
        fact = self._facts[record.partition].pop(record.offset, None)
        if fact is not None and fact.article in (None, b"", article.encode()):
            lane.adopt(reading, fact.story, fact.copy_of, fact.changes)
            return None
        if fact is not None:
            # The topic of embedded articles was made again, that of placements was not.
            self._say.warning("cluster.foreign_placement", article=article, offset=record.offset)
        placement = lane.place(reading)
        if placement is None or record.offset < self._silent_before[record.partition]:
            return None
        return article, Placed(
            embedded=Raw(record.value),
            story=placement.story,
            novelty=placement.novelty,
            engine=f"cluster-{RULES}@{self._decide(reading.model).fingerprint}",
            source_offset=record.offset,
            copy_of=placement.copy_of,
            changes=placement.changes,
            considered=placement.considered,
        )

    # -- state -----------------------------------------------------------------------------------

    def _new_lane(self, number: int) -> Lane:
        return Lane(number, self._settings, self._decide)

    def _load_decision(self, model: str) -> Decision:
        found = decision.load(model, self._settings.decision_file)
        named = self._settings.languages
        return found if named is None else found._replace(reads=frozenset(named))

    def _rules(self) -> str:
        """What a snapshot must have been made with: these rules and the settings they read."""
        windows = f"{self._settings.quiet_days!r} {self._settings.seen_days!r} "
        languages = " ".join(sorted(self._settings.languages or ()))
        return (
            f"{RULES}-" + hashlib.blake2b((windows + languages).encode(), digest_size=6).hexdigest()
        )

    def _save(self, number: int, at_least: int) -> None:
        """Write a snapshot when it is `at_least` records newer than the last. Never of a state
        whose outputs are not durable yet."""
        lane = self._lanes.get(number)
        if (
            lane is None
            or self._folder is None
            or lane.next != self._durable[number]
            or lane.next - self._saved[number] < at_least
        ):
            return
        try:
            read_at, log_id = self._read_at[number], self._log_ids[number]
            waiting = [fact.offset for fact in self._facts[number].values()]
            placed = min([*waiting, self._placed[number]])
            rules = self._rules()
            path = snapshot.save(self._folder, lane, rules, log_id, read_at, placed, self.beat)
            if len(lane.known) >= LIE_DOWN_FROM:
                snapshot.lie_down(path, lane)
        except OSError as error:
            # The log has everything; a full disk only makes the next start slower.
            self._say.warning("cluster.snapshot_failed", error=str(error))
        self._saved[number] = lane.next

    def _ask_placed(self, number: int) -> None:
        """Placements of records not handled yet stand behind those that are on the log now, apart
        from those that wait to be taken over. Not asked when a lane is lost: the broker may be
        away, and an earlier answer only means to read some more."""
        if self._log is not None:
            self._placed[number] = self._log.bounds(Partition(PLACED, number))[1]


def _read(record: LogRecord) -> Reading:
    embedded = decode(record.value, Embedded)
    return read(embedded, embedded.read_article())


def _read_fact(value: bytes) -> Fact | None:
    try:
        return decode(value, Fact)
    except BadRecord:
        return None  # not ours to judge: whoever reads `placed` makes it a dead letter
