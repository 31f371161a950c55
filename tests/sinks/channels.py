"""A clock that a test puts forward, and channels that fail as told."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta

import sqlalchemy as sa

from sinks.alerts.channels.contract import Channel, Message
from sinks.alerts.channels.webhook import WebhookChannel
from sinks.alerts.deliver import Deliverer
from sinks.alerts.settings import AlertSettings
from store import tables
from tests.sinks.receiver import Receiver
from tests.sinks.world import NOON, rows

SECRET = "whsec_" + base64.b64encode(b"a key of the operator").decode()


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Fake:
    """A channel that records, and raises what it is told to."""

    wants_page = False

    def __init__(self, name: str, *, idempotent: bool = True) -> None:
        self.name, self.idempotent = name, idempotent
        self.sent: list[Message] = []
        self.raises: list[Exception] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)
        if self.raises:
            raise self.raises.pop(0)


def webhook_of(receiver: Receiver, deadline: float = 5) -> WebhookChannel:
    return WebhookChannel(receiver.url, SECRET, deadline=deadline)


def deliverer_of(engine: sa.Engine, clock: Clock, *channels: Channel, **more: float) -> Deliverer:
    return Deliverer(engine, AlertSettings(**more), channels=channels, clock=clock)  # type: ignore[arg-type]


def states_of(engine: sa.Engine) -> list[str]:
    return [row["state"] for row in rows(engine, tables.outbox)]
