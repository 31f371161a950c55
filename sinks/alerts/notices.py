"""Notices to operators: trouble with feeds, told once when it begins and once when it is over.

Found by looking at the feeds table every minute. A notice and its tellings are written in one
transaction, so that however many deliverers look and whenever one dies, each is told once.

Hundreds of feeds that fail together are one notice, and when half of all feeds do not answer it
is about our own network: then single feeds are not told of until they have been asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sinks.alerts import trouble
from sinks.alerts.trouble import NETWORK, Trouble
from store.connection import describe, translated
from store.tables import notices, outbox

_n = notices.c
# More than this many that begin together are told in one message: five lines are read, a page of
# them is not.
SINGLY = 3


class Notices:
    """`look(now)` from time to time; `channels` are the names of those that operators read."""

    def __init__(self, engine: sa.Engine, channels: Sequence[str], patience: float) -> None:
        self._engine, self._channels = engine, tuple(channels)
        self._patience = timedelta(seconds=patience)

    def look(self, now: datetime) -> int:
        """Tell of what has begun and of what is over; how many tellings were put in the outbox."""
        with translated(describe(self._engine)), self._engine.begin() as db:
            if db.dialect.name == "postgresql":  # SQLite has one writer at a time
                db.execute(sa.text("LOCK TABLE notices IN SHARE ROW EXCLUSIVE MODE"))
            lasting = {(row.kind, row.subject): row for row in db.execute(_lasting())}
            network = trouble.of_network(db, (NETWORK, "") in lasting)
            found = {(t.kind, t.subject): t for t in trouble.of_feeds(db, self._patience)}
            if network:  # nothing can be said of single feeds now
                found = {(NETWORK, ""): network}
                over = []
            else:
                over = [row for key, row in lasting.items() if key not in found]
            self._end(db, over, now)
            begun = [t for key, t in found.items() if key not in lasting]
            ended = db.execute(_last_network()).scalar_one_or_none()
            if ended is not None and not network:
                begun = [t for t in begun if t.asked > ended]
            told = self._begin(db, begun, now) + self._tell_over(db, over, now)
            if told:
                db.execute(outbox.insert(), told)
        return len(told)

    def _begin(
        self, db: sa.Connection, begun: Sequence[Trouble], now: datetime
    ) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        for kind in sorted({t.kind for t in begun}):
            alike = sorted((t for t in begun if t.kind == kind), key=lambda t: t.subject)
            together = [alike] if len(alike) > SINGLY else [[t] for t in alike]
            for group in together:
                subject = group[0].subject if len(group) == 1 else f"{len(group)} feeds"
                id_ = f"notice:{kind}:{subject}:{now.isoformat()}"
                for t in group:
                    row = {
                        "id": f"notice:{kind}:{t.subject}:{t.since.isoformat()}", "kind": kind,
                        "subject": t.subject, "since": t.since, "sentence": t.why,
                        "told_as": id_, "told_at": now, "resolved_at": None,
                    }  # fmt: skip
                    # It may have been over for a while and come back with its old beginning.
                    db.execute(notices.delete().where(_n.id == row["id"]))
                    db.execute(notices.insert(), row)
                text = trouble.begun(kind, group)
                told += self._tellings(id_, 1, kind, group, text, now)
        return told

    @staticmethod
    def _end(db: sa.Connection, over: Sequence[Any], now: datetime) -> None:
        for row in over:
            db.execute(notices.update().where(_n.id == row.id).values(resolved_at=now))

    def _tell_over(
        self, db: sa.Connection, over: Sequence[Any], now: datetime
    ) -> list[dict[str, Any]]:
        """A telling is over when all that it told of is."""
        told: list[dict[str, Any]] = []
        for id_ in sorted({row.told_as for row in over}):
            rows = list(db.execute(sa.select(notices).where(_n.told_as == id_)))
            if any(row.resolved_at is None for row in rows):
                continue
            group = [
                Trouble(row.kind, row.subject, row.since, row.sentence, now)
                for row in sorted(rows, key=lambda row: row.subject)
            ]
            text = trouble.over(db, group)
            told += self._tellings(id_, 2, group[0].kind, group, text, now)
        return told

    def _tellings(
        self, id_: str, sequence: int, kind: str, group: Sequence[Trouble],
        text: tuple[str, str], now: datetime,
    ) -> list[dict[str, Any]]:  # fmt: skip
        headline, what_is_new = text
        payload = {
            "type": "notice",
            "alert_id": id_,
            "sequence": sequence,
            "kind": kind,
            "state": "open" if sequence == 1 else "resolved",
            "headline": headline,
            "what_is_new": what_is_new,
            "first_at": min(t.since for t in group).isoformat(),
            "at": now.isoformat(),
            "feeds": [
                {"url": t.subject, "since": t.since.isoformat(), "why": t.why}
                for t in group[: trouble.SHOWN]
                if t.subject
            ],
            "feed_count": sum(1 for t in group if t.subject),
            "articles": [],
            "desk": "/feeds",
        }
        return [
            {
                "id": f"{id_}#{sequence}@{channel}", "alert_id": id_, "sequence": sequence,
                "channel": channel, "told_at": now, "payload": payload, "state": "pending",
            }
            for channel in self._channels
        ]  # fmt: skip


def _lasting() -> sa.Select[Any]:
    return sa.select(notices).where(_n.resolved_at.is_(None))


def _last_network() -> sa.Select[Any]:
    """Until when, by the clock of polling, our own network was last in trouble."""
    return sa.select(sa.func.max(_n.resolved_at)).where(_n.kind == NETWORK)
