"""The database writer: rows, alert decisions, outbox and position in one transaction a batch."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from sinks.database import lane, positions, topics
from sinks.database.positions import Position
from sinks.news import Policy
from sinks.outlets import Outlets
from store.connection import describe, reading, translated
from stream.errors import PartitionsLost
from stream.log.contract import Log, LogRecord, Partition
from stream.records import DEAD, EVENTS, MATCHED, VERDICTS
from stream.role import Output, Stage


class DatabaseSink(Stage):
    """Keeps its own positions: a batch that was stored is never stored again, whatever the
    group's commits say.

    `log` lets it notice a log that was recreated or shortened; with its `group`, also a database
    that was restored from an older copy. The policy decides about alerts;
    without channels they are decided and told to nobody (rebuilds, replays).
    """

    name = "database"
    inputs = (MATCHED, EVENTS, VERDICTS, DEAD)

    def __init__(
        self,
        engine: sa.Engine,
        policy: Policy,
        outlets: Outlets,
        log: Log | None = None,
        group: str | None = None,
    ) -> None:
        self._engine, self._policy, self._outlets = engine, policy, outlets
        self._log, self._group = log, group
        self._owned: dict[Partition, Position] = {}

    def start(self, partition: Partition, log_id: str) -> int:
        """Raises LogChanged when the log is not the one that the database was written from."""
        with translated(describe(self._engine)), reading(self._engine) as connection:
            position, offset = positions.load(connection, partition, log_id, self._log, self._group)
        if position.told > offset:
            position = position._replace(next=offset)
            with translated(describe(self._engine)), self._engine.begin() as connection:
                positions.went_back(connection, partition, position)
        self._owned[partition] = position
        return offset

    def lost(self, partition: Partition) -> None:
        self._owned.pop(partition, None)

    def process(self, batch: Sequence[LogRecord]) -> list[Output]:
        partition = batch[0].source
        old = self._position(partition)
        new = [record for record in batch if old.next is None or record.offset >= old.next]
        told = [record for record in new if record.offset < old.told]
        for part, perhaps_told in ((told, True), (new[len(told) :], False)):
            if part:
                self._write(partition, part, perhaps_told)
        return []

    def _write(self, partition: Partition, new: Sequence[LogRecord], perhaps_told: bool) -> None:
        old = self._position(partition)
        with translated(describe(self._engine)), self._engine.begin() as connection:
            moved = positions.move(connection, partition, old, new[-1].offset + 1)
            if partition.topic == MATCHED:
                lane.write(connection, new, self._policy, self._outlets, perhaps_told)
            elif partition.topic == EVENTS:
                topics.write_events(connection, new)
            elif partition.topic == VERDICTS:
                topics.write_answers(connection, new)
            else:
                topics.write_dead(connection, new)
        self._owned[partition] = moved

    def skip(self, record: LogRecord, error: BaseException) -> None:
        # Its letter is on the log already, and comes back by DEAD as those of other stages do.
        old = self._position(record.source)
        with translated(describe(self._engine)), self._engine.begin() as connection:
            moved = positions.move(connection, record.source, old, record.offset + 1)
        self._owned[record.source] = moved

    def close(self) -> None:
        self._owned.clear()
        self._engine.dispose()

    def _position(self, partition: Partition) -> Position:
        if partition not in self._owned:
            raise PartitionsLost(f"{partition.topic}/{partition.number} is not ours any more")
        return self._owned[partition]
