"""From the outbox to the analyst: every telling once, failures visible, nobody waits for others."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import feedparser
import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY
from pydantic import ValidationError

from sinks.alerts.channels.atom import AtomChannel, file_name, render
from sinks.alerts.channels.console import ConsoleChannel
from sinks.alerts.channels.contract import Channel, Message, OutcomeUnknown
from sinks.alerts.channels.webhook import WebhookChannel, retry_after
from sinks.alerts.deliver import Deliverer
from sinks.alerts.outbox import Outbox
from sinks.alerts.settings import AlertSettings
from store import tables
from stream import records
from stream.records import Definition
from tests.sinks.receiver import Receiver
from tests.sinks.world import EVENT, NOON, Feed, history, matched, rows, view

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


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


def _hook(receiver: Receiver, deadline: float = 5) -> WebhookChannel:
    return WebhookChannel(receiver.url, SECRET, deadline=deadline)


def _deliverer(engine: sa.Engine, clock: Clock, *channels: Channel, **more: float) -> Deliverer:
    return Deliverer(engine, AlertSettings(**more), channels=channels, clock=clock)  # type: ignore[arg-type]


def _states(engine: sa.Engine) -> list[str]:
    return [row["state"] for row in rows(engine, tables.outbox)]


def _metric(channel: str, state: str) -> float:
    labels = {"channel": channel, "state": state}
    return REGISTRY.get_sample_value("dateline_deliveries_total", labels) or 0.0


def test_a_webhook_is_signed_and_names_the_event(
    engine: sa.Engine, clock: Clock, receiver: Receiver
) -> None:
    feed = Feed(engine, channels=["webhook"])
    feed(Definition(id=EVENT, version=1, title="Singapore summit"), topic=records.EVENTS)
    feed(matched("a"))
    assert _deliverer(engine, clock, _hook(receiver)).step() == 1
    [got] = receiver.received
    content = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    mac = hmac.new(b"a key of the operator", content, hashlib.sha256).digest()
    assert got.headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()
    assert got.headers["webhook-timestamp"] == str(int(NOON.timestamp()))
    payload = json.loads(got.body)
    assert payload["event"] == {"id": EVENT, "title": "Singapore summit"}
    assert payload["what_is_new"] == "First report: The Strait Ledger"
    assert _states(engine) == ["sent"]


def test_errors_of_the_receiver_are_tried_again_with_the_same_identity(
    engine: sa.Engine, clock: Clock, receiver: Receiver
) -> None:
    Feed(engine, channels=["webhook"])(matched("a"))
    receiver.answers.extend([500, (429, {"Retry-After": "120"})])
    deliverer = _deliverer(engine, clock, _hook(receiver))
    assert deliverer.step() == 1
    assert deliverer.step() == 0, "not due yet"
    clock.forward(5)
    assert deliverer.step() == 1
    clock.forward(119)
    assert deliverer.step() == 0, "the receiver asked for 120 s"
    clock.forward(2)
    assert deliverer.step() == 1
    assert _states(engine) == ["sent"]
    assert len({got.headers["webhook-id"] for got in receiver.received}) == 1
    assert view(engine, "v_deliveries")[0]["attempts"] == 3


@pytest.mark.parametrize("status", [400, 401, 410, 302])
def test_what_the_receiver_refuses_fails_at_once(
    engine: sa.Engine, clock: Clock, receiver: Receiver, status: int
) -> None:
    Feed(engine, channels=["webhook"])(matched("a"))
    receiver.answers.append((status, {"Location": "http://127.0.0.1:1/elsewhere"}))
    before = _metric("webhook", "failed")
    deliverer = _deliverer(engine, clock, _hook(receiver))
    deliverer.step()
    clock.forward(100_000)
    assert deliverer.step() == 0
    [delivery] = view(engine, "v_deliveries")
    assert delivery["state"] == "failed"
    assert str(status) in delivery["last_error"]
    assert _metric("webhook", "failed") == before + 1


def test_a_receiver_that_never_answers_leaves_the_outcome_unknown(
    engine: sa.Engine, clock: Clock, receiver: Receiver
) -> None:
    Feed(engine, channels=["webhook"])(matched("a"))
    receiver.answers.extend(["hang", "die"])
    deliverer = _deliverer(engine, clock, _hook(receiver, deadline=0.3))
    for _ in range(2):
        deliverer.step()
        assert _states(engine) == ["unknown"]
        clock.forward(3600)
    deliverer.step()
    assert _states(engine) == ["sent"]
    assert len({got.headers["webhook-id"] for got in receiver.received}) == 1


def test_a_receiver_that_is_down_is_given_up_visibly(engine: sa.Engine, clock: Clock) -> None:
    receiver = Receiver()
    hook = _hook(receiver)
    receiver.stop()
    Feed(engine, channels=["webhook"])(matched("a"))
    deliverer = _deliverer(engine, clock, hook, attempts=3)
    before = _metric("webhook", "failed")
    for _ in range(3):
        assert deliverer.step() == 1
        clock.forward(3600)
    assert deliverer.step() == 0
    [delivery] = view(engine, "v_deliveries")
    assert delivery["state"] == "failed"
    assert delivery["last_error"].startswith("given up after 3 attempts, not sent")
    assert _metric("webhook", "failed") == before + 1


def test_an_unknown_outcome_is_not_repeated_where_it_would_show_twice(
    engine: sa.Engine, clock: Clock
) -> None:
    Feed(engine, channels=["pager"])(matched("a"))
    pager = Fake("pager", idempotent=False)
    pager.raises = [OutcomeUnknown("no answer")]
    deliverer = _deliverer(engine, clock, pager)
    deliverer.step()
    clock.forward(100_000)
    assert deliverer.step() == 0
    assert _states(engine) == ["unknown"]


@pytest.mark.parametrize(
    ("idempotent", "state", "sent"), [(True, "sent", 1), (False, "unknown", 0)]
)
def test_a_deliverer_that_died_while_sending(
    engine: sa.Engine, clock: Clock, idempotent: bool, state: str, sent: int
) -> None:
    Feed(engine, channels=["pager"])(matched("a"))
    until = clock.now + timedelta(seconds=45)
    assert Outbox(engine, "pager").claim(clock.now, until, timedelta()) is not None  # and dies
    pager = Fake("pager", idempotent=idempotent)
    deliverer = _deliverer(engine, clock, pager)
    assert deliverer.step() == 0, "it may still be at work"
    clock.forward(46)
    deliverer.step()
    assert (_states(engine), len(pager.sent)) == ([state], sent)


def test_a_deliverer_that_was_too_slow_does_not_overwrite_its_successor(
    engine: sa.Engine, clock: Clock
) -> None:
    Feed(engine, channels=["pager"])(matched("a"))
    outbox, later = Outbox(engine, "pager"), clock.now + timedelta(seconds=45)
    slow = outbox.claim(clock.now, later, timedelta())
    assert slow is not None
    _deliverer(engine, Clock(), Fake("pager"))
    clock.forward(46)
    assert outbox.claim(clock.now, clock.now + timedelta(seconds=45), timedelta()) is not None
    assert outbox.mark(slow, "failed", clock.now) is False
    assert _states(engine) == ["sending"]


def test_several_deliverers_send_each_telling_once(engine: sa.Engine, clock: Clock) -> None:
    feed = Feed(engine, channels=["pager"])
    feed(*[matched(f"a{n}", f"s{n}") for n in range(30)])
    pager = Fake("pager")
    deliverers = [_deliverer(engine, clock, pager) for _ in range(3)]
    threads = [threading.Thread(target=deliverer.step) for deliverer in deliverers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(m.key for m in pager.sent) == sorted(r["id"] for r in rows(engine, tables.outbox))
    assert set(_states(engine)) == {"sent"}


def test_tellings_of_an_alert_keep_their_order(engine: sa.Engine, clock: Clock) -> None:
    feed = Feed(engine, channels=["pager"])
    feed(matched("a"), matched("b", outlet="harbor.example", minute=1))
    pager = Fake("pager")
    pager.raises = [RuntimeError("broken")]
    deliverer = _deliverer(engine, clock, pager)
    deliverer.step()
    assert [m.payload["sequence"] for m in pager.sent] == [1]
    clock.forward(10)
    deliverer.step()
    assert [m.payload["sequence"] for m in pager.sent] == [1, 1, 2]


def test_a_slow_channel_delays_no_other(engine: sa.Engine, receiver: Receiver) -> None:
    Feed(engine, channels=["webhook", "pager"])(matched("a"))
    receiver.answers.append("hang")
    arrived, stop = threading.Event(), threading.Event()

    class Pager(Fake):
        def send(self, message: Message) -> None:
            arrived.set()

    deliverer = Deliverer(engine, AlertSettings(), channels=[_hook(receiver, 20), Pager("pager")])
    thread = threading.Thread(target=deliverer.run, args=(stop,))
    thread.start()
    assert arrived.wait(10)
    stop.set()
    receiver.let_go.set()
    thread.join(20)
    assert not thread.is_alive()


def test_the_alert_of_a_look_back_counts_all_its_articles(engine: sa.Engine, clock: Clock) -> None:
    feed = Feed(engine, channels=["pager"])
    feed(matched("a", "s1", decisions=[]), matched("b", "s2", decisions=[]))
    pager = Fake("pager")
    deliverer = _deliverer(engine, clock, pager)
    feed(history("a"))
    assert deliverer.step() == 0
    feed(history("b"))
    clock.forward(3)
    assert deliverer.step() == 1
    assert pager.sent[0].payload["article_count"] == 2


def test_alerts_of_a_removed_event_are_skipped(engine: sa.Engine, clock: Clock) -> None:
    feed = Feed(engine, channels=["pager"])
    feed(Definition(id=EVENT, version=2, title="S", removed=True), topic=records.EVENTS)
    feed(matched("a"))
    assert _deliverer(engine, clock, Fake("pager")).step() == 0
    assert _states(engine) == ["skipped"]


def test_an_atom_reader_sees_one_entry_an_alert_updated_in_place(
    engine: sa.Engine, clock: Clock, tmp_path: Path
) -> None:
    feed = Feed(engine, channels=["atom"])
    feed(Definition(id=EVENT, version=1, title="Singapore <summit>"), topic=records.EVENTS)
    feed(matched("a", title="On & <again>\x0b\u0085"), matched("x", "s2", minute=2))
    deliverer = _deliverer(engine, clock, AtomChannel(tmp_path / "alerts"))
    deliverer.step()
    path = tmp_path / "alerts" / f"{EVENT}.atom"
    read = feedparser.parse(io.BytesIO(path.read_bytes()))
    assert not read.bozo
    assert read.version == "atom10"
    assert read.feed.title == "Singapore <summit>"
    assert len(read.entries) == 2
    first = next(e for e in read.entries if e.title == "On & <again>")
    assert first.link == "https://ledger.example/a"
    feed(matched("b", outlet="harbor.example", minute=7))
    deliverer.step()
    again = feedparser.parse(io.BytesIO(path.read_bytes()))
    assert len(again.entries) == 2
    entry = next(e for e in again.entries if e.id == first.id)
    assert entry.summary == "2nd independent source: The Harbor Post"
    assert entry.updated > first.updated
    assert entry.published == first.published
    assert [p.name for p in path.parent.iterdir()] == [path.name], "nothing half written is left"


def test_an_atom_file_stays_in_its_folder() -> None:
    assert file_name("../../etc/passwd") == "%2E.%2F..%2Fetc%2Fpasswd.atom"
    assert not feedparser.parse(io.BytesIO(render({"id": "e"}, []).encode())).bozo


def test_the_console_is_plain_in_a_pipe_and_headlines_do_not_steer_it(
    engine: sa.Engine, clock: Clock
) -> None:
    Feed(engine)(matched("a", title="Red\x1b[31m alert [bold]\r\nnow"))
    out = io.StringIO()
    _deliverer(engine, clock, ConsoleChannel(out=out)).step()
    lines = out.getvalue().splitlines()
    assert lines[0] == f"2018-05-27 12:00 ALERT  Red[31m alert [bold] now  {EVENT}"
    assert lines[1] == "    First report: The Strait Ledger (1 article, 1 independent source)"
    assert lines[2].startswith("    “The summit is on again.” (reads like the event")
    assert "\x1b" not in out.getvalue()


def test_the_console_writes_json_lines_for_scripts(engine: sa.Engine, clock: Clock) -> None:
    Feed(engine)(matched("a"))
    out = io.StringIO()
    _deliverer(engine, clock, ConsoleChannel(json=True, out=out)).step()
    [line] = out.getvalue().splitlines()
    assert json.loads(line)["alert_id"] == f"{EVENT}:s1"


def test_retry_after_in_seconds_or_as_a_date() -> None:
    assert retry_after("30", NOON) == 30
    assert retry_after("Sun, 27 May 2018 12:01:00 GMT", NOON) == 60
    assert retry_after("Sun, 27 May 2018 11:00:00 GMT", NOON) == 0
    assert retry_after("99999999", NOON) == 3600
    assert retry_after("soon", NOON) is None


@pytest.mark.parametrize(
    "settings",
    [
        {"channels": ["webhook"]},
        {"channels": ["webhook"], "webhook_url": "https://x.example"},
        {"webhook_url": "ftp://x.example"},
        {"channels": ["pigeon"]},
        {"chanels": []},
    ],
)
def test_settings_that_could_not_work_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AlertSettings.model_validate(settings)
