"""Which feeds are in trouble that an operator should hear of, and the sentences about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from sinks.alerts.words import counted
from store.tables import feeds

NETWORK = "network"
# Health -> does it count at once (it took its time already), what is said of one feed, of many.
_TOLD: dict[str, tuple[bool, str, str]] = {
    "silent": (True, "A feed has fallen silent", "feeds have fallen silent"),
    "gone": (True, "A feed is gone", "feeds are gone"),
    "dying": (False, "A feed does not answer", "feeds do not answer"),
    "blocked": (False, "A feed is refused to us", "feeds are refused to us"),
    "malformed": (False, "A feed cannot be read", "feeds cannot be read"),
}
# Feeds named in one message; a list of all is a command away.
SHOWN = 5
# From half of all feeds on it is more likely our network than theirs; below a quarter it is over.
# With fewer than five feeds their own troubles are as likely.
_HALF, _QUARTER, _FEW = 0.5, 0.25, 5

_f = feeds.c


class Trouble(NamedTuple):
    kind: str
    subject: str  # a feed's URL, "" = all feeds
    since: datetime
    why: str
    asked: datetime  # when it was last asked


def of_feeds(db: sa.Connection, patience: timedelta) -> list[Trouble]:
    """Feeds in trouble for long enough. By their own clock: what counts is how long they were in
    trouble when last asked, so an outage of ours makes nobody's trouble older."""
    query = (
        sa.select(_f.url, _f.health, _f.health_since, _f.why, _f.last_at)
        .where(_f.state == "active", _f.health.in_(_TOLD), _f.last_at.is_not(None))
        # Some items that cannot be read are for the view; here, when nothing can.
        .where(sa.or_(_f.health != "malformed", _f.errors_in_row > 0))
    )
    return [
        Trouble(f"feed-{f.health}", f.url, f.health_since, f.why or "", f.last_at)
        for f in db.execute(query)
        if _TOLD[f.health][0] or f.last_at - f.health_since >= patience
    ]


def of_network(db: sa.Connection, lasting: bool) -> Trouble | None:
    """Do so many feeds not answer at all that it is us? `lasting`: it was so at the last look."""
    mute = sa.and_(_f.errors_in_row > 0, _f.last_status.is_(None))
    row = db.execute(
        sa.select(
            sa.func.count().label("all"),
            sa.func.coalesce(sa.func.sum(sa.case((mute, 1), else_=0)), 0).label("mute"),
            sa.func.max(_f.last_ok).label("last_ok"),
            sa.func.max(_f.last_at).label("last_at"),
        ).where(_f.state == "active", _f.last_at.is_not(None))
    ).one()
    if row.all < _FEW or row.mute < row.all * (_QUARTER if lasting else _HALF):
        return None
    last = f"The last answer came at {row.last_ok:%Y-%m-%d %H:%M} UTC. " if row.last_ok else ""
    why = f"{row.mute:,} of {row.all:,} feeds do not answer: this machine's network?\n{last}"
    return Trouble(NETWORK, "", row.last_ok or row.last_at, why, row.last_at)


def begun(kind: str, group: Sequence[Trouble]) -> tuple[str, str]:
    """Headline and text of a notice."""
    if kind == NETWORK:
        headline, _, last = group[0].why.partition("\n")
        return headline, f"{last}Single feeds are not told of until they have been asked again."
    _, one, many = _TOLD[kind.removeprefix("feed-")]
    if len(group) == 1:
        return f"{one}: {group[0].subject}", group[0].why
    return f"{len(group):,} {many}", _list(group)


def over(db: sa.Connection, group: Sequence[Trouble]) -> tuple[str, str]:
    """… and of its end. What a feed is now may be another trouble, or nobody asks it any more."""
    if group[0].kind == NETWORK:
        return "The feeds answer again", "Those that still fail are asked again in their turn."
    now = dict(
        db.execute(
            sa.select(_f.url, sa.case((_f.state == "active", _f.health), else_=_f.state))
            .where(_f.url.in_([t.subject for t in group]))
        ).all()
    )  # fmt: skip
    states = [now.get(t.subject, "removed") for t in group]
    if len(group) == 1:
        return f"Now {states[0]}: {group[0].subject}", f"It was: {group[0].why}"
    counts = ", ".join(f"{states.count(s):,} {s}" for s in sorted(set(states)))
    return f"{counted(len(group), 'feed')} of a notice: now {counts}", _list(group)


def _list(group: Sequence[Trouble]) -> str:
    lines = [f"{t.subject}: {t.why}" for t in group[:SHOWN]]
    if len(group) > SHOWN:
        lines.append(f"and {len(group) - SHOWN:,} more: dateline feeds list --unhealthy")
    return "\n".join(lines)
