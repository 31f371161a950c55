"""What the database sink and the alert policy say to each other: articles, alerts, tellings.

The sink keeps the books and calls the policy for each record in log order; the policy decides what
an analyst is told. Neither knows the other's package; `dateline/app.py` puts them together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from stream.records import LIVE_LANE


@dataclass(frozen=True)
class Piece:
    """An article as an alert sees it."""

    id: str
    title: str
    url: str | None
    outlet: str  # its name in words
    family: str
    wire: str | None  # family of the wire that it credits
    copy_of: str | None
    published: datetime | None
    fetched: datetime

    @property
    def credits(self) -> str | None:
        """The wire it credits, unless that is its own."""
        return self.wire if self.wire != self.family else None

    @cached_property  # counted anew for every article that joins a large story
    def independent(self) -> bool:
        return self.copy_of is None and self.credits is None


@dataclass(frozen=True)
class Reason:
    """Why an article matches, from the stored decision."""

    probability: float
    decision: Mapping[str, Any]


@dataclass(frozen=True)
class Member:
    """An article in an alert; the lowest number leads it."""

    number: int
    piece: Piece
    reason: Reason


@dataclass
class Alert:
    """A row of `alerts` with its articles, changed in place by the policy."""

    id: str
    event_id: str
    story_id: str | None
    first_at: datetime
    updated_at: datetime
    told_at: datetime
    lane: int
    log_offset: int
    headline: str = ""
    what_is_new: str = ""
    sequence: int = 0
    told_sources: int = 0
    merged_into: str | None = None
    members: dict[str, Member] = field(default_factory=dict)  # by article id

    @classmethod
    def new(cls, id_: str, event_id: str, story_id: str | None, moment: Moment) -> Alert:
        """One that nobody was told of yet; `story_id` None: that of a look-back."""
        return cls(
            id=id_,
            event_id=event_id,
            story_id=story_id,
            first_at=moment.at,
            updated_at=moment.at,
            told_at=moment.at,
            lane=moment.lane,
            log_offset=moment.log_offset,
        )

    @property
    def articles(self) -> int:
        return len(self.members)

    @property
    def independent_sources(self) -> int:
        """Families with a piece of their own; nothing but copies is still one source."""
        families = {m.piece.family for m in self.members.values() if m.piece.independent}
        return len(families) or min(1, len(self.members))

    @property
    def lead(self) -> Piece | None:
        first = min(self.members.values(), key=lambda m: m.number, default=None)
        return first.piece if first else None

    def join(self, piece: Piece, reason: Reason) -> None:
        """Add the article, or replace what is known of it."""
        old = self.members.get(piece.id)
        last = max((member.number for member in self.members.values()), default=0)
        self.members[piece.id] = Member(old.number if old else last + 1, piece, reason)


def look_back_id(event_id: str, version: int, lane: int) -> str:
    """The alert of a look-back. Each lane has its own: they are written independently."""
    return f"{event_id}@{version}:history" + ("" if lane == LIVE_LANE else "-backfill")


@dataclass(frozen=True)
class Telling:
    """Something to tell: a row of the outbox for each channel."""

    alert_id: str
    sequence: int
    at: datetime
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class Moment:
    """The record in hand: every time in an alert comes from here, none from a clock."""

    at: datetime  # when the article was fetched
    lane: int
    log_offset: int


class Policy(Protocol):
    """Decides about alerts. Each call changes the alert; a Telling says it is worth a message."""

    @property
    def channels(self) -> Sequence[str]:
        """Where a telling goes."""

    @property
    def tells_backfill(self) -> bool:
        """Are alerts about backfilled articles told, or only kept?"""

    def matched(
        self, alert: Alert, label: str, piece: Piece, reason: Reason, moment: Moment
    ) -> Telling | None:
        """An article of the alert's story, of that label, is about its event."""

    def revised(self, alert: Alert, piece: Piece, reason: Reason, moment: Moment) -> Telling | None:
        """A newer revision of an article in the alert still matches."""

    def withdrawn(self, alert: Alert, piece: Piece, moment: Moment) -> Telling | None:
        """A newer revision of an article in the alert does not match any more."""

    def merged(self, alert: Alert, other: Alert, moment: Moment) -> Telling | None:
        """The stories of both became one; `alert` goes on, `other` ends."""

    def looked_back(
        self, alert: Alert, version: int, piece: Piece, reason: Reason, moment: Moment
    ) -> Telling:
        """An earlier article matches a new version of the definition. One alert a version, told
        once: the telling replaces the one before it."""
