"""Clocks that jump, or are wrong on one host: no alert is told twice, and none waits for hours."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from sinks.alerts.deliver import Deliverer
from sinks.alerts.outbox import CLOCK
from sinks.alerts.settings import AlertSettings
from store import tables
from tests.sinks.channels import Clock, Fake
from tests.sinks.world import Feed, matched, rows


def test_clock_jumps_a_claim_made_by_a_wrong_clock_is_not_waited_for(
    feed: Feed,
    engine: sa.Engine,
) -> None:
    """A deliverer whose clock is three hours ahead claims an alert and dies."""
    clock = Clock()
    feed(matched("a"))
    channel = Fake("console")
    ahead = Deliverer(
        engine, AlertSettings(), channels=[channel], clock=lambda: clock() + timedelta(hours=3)
    )
    channel.raises.append(KeyboardInterrupt())  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        ahead.step()
    assert [row["state"] for row in rows(engine, tables.outbox)] == ["sending"]
    right = Deliverer(engine, AlertSettings(), channels=[channel], clock=clock)
    right.step()
    assert [row["state"] for row in rows(engine, tables.outbox)] == ["sent"]


def test_clock_jumps_a_claim_of_another_host_is_respected(
    feed: Feed,
    engine: sa.Engine,
) -> None:
    """Two hosts whose clocks differ by less than anybody would notice."""
    clock = Clock()
    feed(matched("a"))
    channel = Fake("console", idempotent=False)
    channel.raises.append(KeyboardInterrupt())  # type: ignore[arg-type]
    other = Deliverer(engine, AlertSettings(), channels=[channel], clock=lambda: clock() + CLOCK)
    with pytest.raises(KeyboardInterrupt):
        other.step()
    Deliverer(engine, AlertSettings(), channels=[channel], clock=clock).step()
    assert [row["state"] for row in rows(engine, tables.outbox)] == ["sending"]
