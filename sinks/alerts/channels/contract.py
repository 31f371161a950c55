"""What a channel promises the deliverer.

NotSent          it certainly did not arrive: try again later
├── Refused      … and never will: give up
OutcomeUnknown   it may have arrived: only a channel that is idempotent tries again
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


class NotSent(Exception):
    """`retry_after`: seconds that the receiver asked us to wait."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Refused(NotSent):
    """The receiver will never take this message."""


class OutcomeUnknown(Exception):
    """The answer did not come in time or not whole."""


@dataclass(frozen=True)
class Message:
    """One telling for one channel."""

    key: str  # the same for every attempt: receivers recognise repetition by it
    payload: Mapping[str, Any]
    at: datetime  # of this attempt
    # The latest telling of every alert of the event, newest first, this one among them: for
    # channels that publish a whole page.
    page: Sequence[Mapping[str, Any]] = ()


class Channel(Protocol):
    name: str
    # Does sending the same message twice do no more than sending it once?
    idempotent: bool
    # Does it want `Message.page`?
    wants_page: bool

    def send(self, message: Message) -> None:
        """Returns when it has arrived. Raises one of the errors above."""
