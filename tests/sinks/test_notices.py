"""What operators are told of feeds: once when trouble begins, once when it is over."""

from __future__ import annotations

import io
import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from sinks.alerts.channels.atom import NOTICES, AtomChannel
from sinks.alerts.channels.console import ConsoleChannel
from sinks.alerts.channels.webhook import WebhookChannel
from sinks.alerts.deliver import Deliverer
from sinks.alerts.settings import AlertSettings
from store import tables
from store.compare import differences
from store.engine import open_database
from tests.sinks.receiver import Receiver
from tests.sinks.world import NOON, rows, view

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Desk:
    """Feeds that the test makes ill and well, and an operator at a console."""

    def __init__(self, engine: sa.Engine, **settings: Any) -> None:
        self.engine, self.now = engine, NOON
        self.out = io.StringIO()
        self.deliverer = Deliverer(
            engine, AlertSettings(**settings), channels=[ConsoleChannel(out=self.out)],
            clock=lambda: self.now,
        )  # fmt: skip

    def feed(self, n: int, health: str = "ok", *, since: timedelta = HOUR, **more: Any) -> None:
        """As it was when it was last asked, now; ill since a while before."""
        url = f"https://{n}.example/rss"
        row = {
            "url": url, "added": NOON, "next_at": self.now, "interval_s": 300.0,
            "last_at": self.now, "last_ok": self.now, "last_status": 200, "state": "active",
            "health": health, "health_since": self.now - since, "why": f"{health} it is",
            "errors_in_row": 0,
        } | more  # fmt: skip
        with self.engine.begin() as db:
            db.execute(tables.feeds.delete().where(tables.feeds.c.url == url))
            db.execute(tables.feeds.insert(), row)

    def mute(self, n: int) -> None:
        self.feed(n, "dying", since=2 * DAY, errors_in_row=9, last_status=None)

    def told(self) -> str:
        """What the console shows of one look."""
        self.out.truncate(0)
        self.out.seek(0)
        self.now += timedelta(minutes=1)
        self.deliverer.look()
        while self.deliverer.step():
            pass
        return self.out.getvalue()


@pytest.fixture
def desk(engine: sa.Engine) -> Desk:
    return Desk(engine)


def test_a_feed_that_falls_silent_is_told_once_and_once_when_it_is_back(desk: Desk) -> None:
    desk.feed(1, "silent", why="nothing new for 25 hours; its longest pause of late was 8 hours")
    told = desk.told()
    assert "NOTICE A feed has fallen silent: https://1.example/rss\n" in told
    assert "nothing new for 25 hours" in told
    assert desk.told() == ""
    desk.feed(1, "silent", since=3 * HOUR)
    assert desk.told() == ""
    [notice] = view(desk.engine, "v_notices")
    assert (notice["kind"], notice["subject"], notice["state"]) == (
        "feed-silent", "https://1.example/rss", "open"
    )  # fmt: skip
    desk.feed(1, "ok")
    assert "Now ok: https://1.example/rss" in desk.told()
    [notice] = view(desk.engine, "v_notices")
    assert notice["state"] == "resolved"
    desk.feed(1, "silent", since=timedelta())
    assert "fallen silent" in desk.told()


@pytest.mark.parametrize("health", ["dying", "blocked", "malformed"])
def test_a_feed_that_fails_is_told_of_after_a_day_of_failures(desk: Desk, health: str) -> None:
    desk.feed(1, health, since=23 * HOUR, errors_in_row=9)
    assert desk.told() == ""
    desk.now += 30 * DAY
    assert desk.told() == "", "nobody has asked it since: that makes it no worse"
    desk.feed(1, health, since=25 * HOUR, errors_in_row=9)
    assert "https://1.example/rss" in desk.told()


@pytest.mark.parametrize("health", ["ok", "new", "moved", "duplicated", "stale", "empty"])
def test_what_needs_nobody_now_is_not_told(desk: Desk, health: str) -> None:
    desk.feed(1, health, since=30 * DAY)
    desk.feed(2, "malformed", since=30 * DAY)  # some of its items only
    desk.feed(3, "silent", state="paused")
    assert desk.told() == ""


def test_many_that_begin_together_are_one_notice_and_over_when_all_are(desk: Desk) -> None:
    for n in range(400):
        desk.feed(n, "silent")
    told = desk.told()
    assert told.count("NOTICE") == 1
    assert "400 feeds have fallen silent" in told
    assert "and 395 more" in told
    assert len(view(desk.engine, "v_notices")) == 400
    for n in range(399):
        desk.feed(n)
    assert desk.told() == ""
    desk.feed(399, "gone")
    told = desk.told()
    assert "A feed is gone: https://399.example/rss" in told
    assert "400 feeds of a notice: now 1 gone, 399 ok" in told


def test_when_nothing_answers_it_is_our_network_and_no_single_feed(desk: Desk) -> None:
    desk.feed(500, "silent")
    desk.told()
    for n in range(411):
        desk.mute(n)
    for n in range(411, 420):
        desk.feed(n)
    desk.mute(500)
    told = desk.told()
    assert told.count("NOTICE") == 1
    assert "412 of 421 feeds do not answer: this machine's network?" in told
    assert "over" not in told, "of the silent feed nothing is known now"
    assert desk.told() == ""
    for n in [*range(400), 500]:
        desk.feed(n)
    told = desk.told()
    assert "The feeds answer again" in told
    assert "NOTICE" not in told, "eleven have not been asked since"
    assert desk.told() == ""
    for n in range(400, 411):
        desk.mute(n)
    assert "11 feeds do not answer" in desk.told()


def test_three_dead_feeds_of_four_are_not_the_network(desk: Desk) -> None:
    for n in range(3):
        desk.mute(n)
    desk.feed(3)
    assert "network" not in desk.told()


def test_two_deliverers_that_look_at_once_tell_once(engine: sa.Engine) -> None:
    desks = [Desk(engine) for _ in range(2)]
    for n in range(3):
        desks[0].feed(n, "silent")
    threads = [threading.Thread(target=desk.deliverer.look) for desk in desks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows(engine, tables.outbox)) == 3


def test_a_notice_reaches_a_webhook_and_an_atom_feed(engine: sa.Engine, tmp_path: Path) -> None:
    desk = Desk(engine)
    desk.feed(1, "silent")
    desk.feed(2, "gone")
    receiver = Receiver()
    try:
        deliverer = Deliverer(
            engine,
            AlertSettings(
                operator_channels=["webhook", "atom"], webhook_url=receiver.url,
                webhook_secret="a secret",  # type: ignore[arg-type]
            ),
            channels=[
                WebhookChannel(receiver.url, "a secret", deadline=5), AtomChannel(tmp_path),
            ],
            clock=lambda: NOON,
        )  # fmt: skip
        deliverer.look()
        assert deliverer.step() == 4
    finally:
        receiver.stop()
    got = [json.loads(r.body) for r in receiver.received]
    assert sorted((g["type"], g["kind"], g["state"]) for g in got) == [
        ("notice", "feed-gone", "open"), ("notice", "feed-silent", "open"),
    ]  # fmt: skip
    assert {g["feeds"][0]["url"] for g in got} == {
        "https://1.example/rss", "https://2.example/rss",
    }  # fmt: skip
    page = feedparser.parse(io.BytesIO((tmp_path / NOTICES).read_bytes()))
    assert {e.title for e in page.entries} == {
        "A feed has fallen silent: https://1.example/rss", "A feed is gone: https://2.example/rss",
    }  # fmt: skip
    assert {d["state"] for d in view(engine, "v_deliveries")} == {"sent"}


def test_a_running_deliverer_looks_by_itself(engine: sa.Engine) -> None:
    stop, shown = threading.Event(), threading.Event()

    class Console(ConsoleChannel):
        def send(self, message: Any) -> None:
            shown.set()

    Desk(engine).feed(1, "silent")
    deliverer = Deliverer(engine, AlertSettings(), channels=[Console()])
    thread = threading.Thread(target=deliverer.run, args=(stop,))
    thread.start()
    try:
        assert shown.wait(30)
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


def test_no_channel_for_operators_leaves_the_view(engine: sa.Engine) -> None:
    desk = Desk(engine, operator_channels=[])
    desk.feed(1, "silent")
    assert desk.told() == ""
    assert len(view(engine, "v_notices")) == 1


def test_notices_are_no_difference_to_a_rebuild(engine: sa.Engine, tmp_path: Path) -> None:
    desk = Desk(engine)
    desk.feed(1, "silent")
    assert desk.told() != ""
    other = open_database(tmp_path / "other.db", upgrade=True)
    assert differences(engine, other, outbox=True) == []
    other.dispose()


def test_a_channel_that_only_operators_use_must_be_complete() -> None:
    with pytest.raises(ValidationError, match="webhook_url"):
        AlertSettings.model_validate({"operator_channels": ["webhook"]})
