"""Which definitions and vectors the events topic holds, and which of them decide now."""

from __future__ import annotations

from collections.abc import Sequence

from processors.match.events import EventTable, build
from stream.errors import BadRecord
from stream.log.contract import LogRecord
from stream.records import (
    EVENTS,
    TOPIC_RECORDS,
    Definition,
    DefinitionVectors,
    HistoryDone,
    decode,
)


class Roster:
    """The latest version of every event. For a model, an event's latest version that has vectors
    decides; an older version goes on until the newer one has them."""

    def __init__(self) -> None:
        self.model: str | None = None  # of the newest vectors: the one in use
        self._latest: dict[str, Definition] = {}
        self._versions: dict[tuple[str, int], Definition] = {}
        self._vectors: dict[tuple[str, int, str], DefinitionVectors] = {}
        self._looked_back: set[tuple[str, int, int]] = set()
        self._tables: dict[str, EventTable] = {}

    def read(self, changes: Sequence[LogRecord]) -> None:
        for record in changes:
            try:
                change = decode(record.value, TOPIC_RECORDS[EVENTS])
            except BadRecord:
                continue  # newer than this release, or not ours: definitions can be applied again
            if isinstance(change, Definition):
                self._latest[change.id] = change
                self._versions[change.id, change.version] = change
            elif isinstance(change, DefinitionVectors):
                self._vectors[change.event_id, change.version, change.model] = change
                self.model = change.model
            elif isinstance(change, HistoryDone):
                self._looked_back.add((change.event_id, change.version, change.lane))
        if changes:
            self._tables.clear()

    def table(self, model: str) -> EventTable:
        """The active events for vectors of this model."""
        if model not in self._tables:
            active = self._active(model)
            vectors = {d.id: self._vectors[d.id, d.version, model] for d in active}
            self._tables[model] = build(active, vectors)
        return self._tables[model]

    def _active(self, model: str) -> list[Definition]:
        found = []
        for latest in self._latest.values():
            if latest.removed:
                continue
            versions = [v for e, v, m in self._vectors if e == latest.id and m == model]
            ready = [
                v for v in versions if v <= latest.version and (latest.id, v) in self._versions
            ]
            if ready:
                found.append(self._versions[latest.id, max(ready)])
        return found

    def complete(self) -> bool:
        """Has every latest definition vectors of some model? Until then a look-back waits, so that
        events that were applied together also look back together."""
        have = {(event, version) for event, version, _ in self._vectors}
        return all((d.id, d.version) in have for d in self._latest.values() if not d.removed)

    def waiting(self, lane: int) -> list[Definition]:
        """Latest versions that have not looked back in this lane."""
        return [
            d
            for _, d in sorted(self._latest.items())
            if not d.removed and (d.id, d.version, lane) not in self._looked_back
        ]
