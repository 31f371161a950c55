"""The outbox: tellings that were decided, and what became of each on its way.

pending ── sending ── sent
   │          ├────── pending    not sent, tried again later
   │          ├────── unknown    may have arrived (tried again when the channel is idempotent)
   │          └────── failed     refused, or given up after many attempts
   └───────────────── skipped    the event was removed meanwhile
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from store.connection import reading
from store.tables import alerts, events, outbox

_o = outbox.c
# What a reader of a feed wants to see of an event; older alerts are on the desk.
PAGE = 50
# Clocks of two hosts may differ by minutes before anybody notices. A claim that ends later than
# that after one made now was made by a clock that was wrong: its owner is not waited for, which
# might take hours.
CLOCK = timedelta(minutes=10)


class Claim(NamedTuple):
    id: str
    payload: dict[str, Any]
    attempts: int  # this one included
    fresh: bool  # False: an earlier attempt may have arrived


class Outbox:
    """One channel's part of the outbox. Every method is one short transaction."""

    def __init__(self, engine: sa.Engine, channel: str) -> None:
        self._engine, self._channel = engine, channel

    def claim(self, now: datetime, until: datetime, settle: timedelta) -> Claim | None:
        """Take the next due telling; it is ours until `until`, when it counts as abandoned.

        Tellings of one alert go out in their order. Several deliverers do not get the same one:
        the row is locked on PostgreSQL, SQLite has one writer at a time.
        """
        earlier = outbox.alias()
        waits_for_earlier = sa.exists().where(
            earlier.c.alert_id == _o.alert_id,
            earlier.c.channel == _o.channel,
            earlier.c.sequence < _o.sequence,
            sa.or_(
                earlier.c.state.in_(("pending", "sending")),
                sa.and_(earlier.c.state == "unknown", earlier.c.next_at.is_not(None)),
            ),
        )
        due = (
            sa.select(outbox)
            .where(
                _o.channel == self._channel,
                sa.or_(
                    sa.and_(_o.state == "pending", sa.or_(_o.next_at.is_(None), _o.next_at <= now)),
                    sa.and_(_o.state.in_(("sending", "unknown")), _o.next_at <= now),
                    sa.and_(_o.state == "sending", _o.next_at > until + CLOCK),
                ),
                ~waits_for_earlier,
            )
            .order_by(_o.told_at, _o.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        while True:
            with self._engine.begin() as connection:
                row = connection.execute(due).mappings().one_or_none()
                if row is None:
                    return None
                event = row["payload"].get("event")  # a notice to operators has none
                about = sa.select(events.c.title, events.c.removed).where(
                    events.c.id == (event["id"] if event else None)
                )
                known = connection.execute(about).one_or_none()
                change = _sets_aside(row, known is not None and known.removed, now, settle)
                if change is None:
                    attempts = int(row["attempts"]) + 1
                    change = {"state": "sending", "attempts": attempts, "next_at": until}
                connection.execute(
                    outbox.update().where(_o.id == row["id"]).values({**change, "at": now})
                )
            if change["state"] == "sending":
                payload = dict(row["payload"])
                if event:
                    title = known.title if known else event["id"]
                    payload["event"] = {"id": event["id"], "title": title}
                return Claim(row["id"], payload, change["attempts"], row["state"] == "pending")

    def page(self, event_id: str | None) -> list[dict[str, Any]]:
        """The last telling of each alert of the event, newest first; None = of each notice."""
        newest = (
            sa.select(
                _o.payload,
                sa.func.row_number()
                .over(partition_by=_o.alert_id, order_by=_o.sequence.desc())
                .label("place"),
            )
            .where(
                _o.channel == self._channel,
                _o.alert_id.startswith("notice:")
                if event_id is None
                else _o.alert_id.in_(sa.select(alerts.c.id).where(alerts.c.event_id == event_id)),
                _o.state.in_(("sent", "sending", "unknown")),
            )
            .subquery()
        )
        with reading(self._engine) as connection:
            found = connection.execute(sa.select(newest.c.payload).where(newest.c.place == 1))
            payloads = [dict(row.payload) for row in found]
        payloads.sort(key=lambda payload: (payload["at"], payload["alert_id"]), reverse=True)
        return payloads[:PAGE]

    def mark(
        self,
        claim: Claim,
        state: str,
        now: datetime,
        *,
        error: str | None = None,
        next_at: datetime | None = None,
    ) -> bool:
        """Say what became of it; False when another deliverer has taken it since."""
        with self._engine.begin() as connection:
            done = connection.execute(
                outbox.update()
                .where(_o.id == claim.id, _o.state == "sending", _o.attempts == claim.attempts)
                .values(state=state, at=now, last_error=error, next_at=next_at)
            ).rowcount
        return done == 1


def _sets_aside(row: Any, removed: bool, now: datetime, settle: timedelta) -> dict[str, Any] | None:
    """What to write instead of sending; None = send it."""
    if removed:
        return {"state": "skipped", "next_at": None, "last_error": "the event was removed"}
    # The alert of a look-back waits once, until its articles have been counted.
    if (
        row["alert_id"].endswith((":history", ":history-backfill"))
        and row["next_at"] is None
        and settle
    ):
        return {"state": "pending", "next_at": now + settle}
    return None


def spread(id_: str, attempt: int) -> float:
    """Between 0.5 and 1, different for every message and attempt: a receiver that comes back is
    not asked by all of them at once."""
    digest = hashlib.sha256(f"{id_}/{attempt}".encode()).digest()
    return 0.5 + digest[0] / 510
