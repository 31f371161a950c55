"""From the outbox to the analyst: every telling once, failures visible, nobody waits for others."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY

from sinks.alerts.channels.contract import Message, OutcomeUnknown
from sinks.alerts.deliver import Deliverer
from sinks.alerts.outbox import Outbox
from sinks.alerts.settings import AlertSettings
from store import tables
from stream import records
from stream.records import Definition
from tests.sinks.channels import Clock, Fake, deliverer_of, states_of, webhook_of
from tests.sinks.receiver import Receiver
from tests.sinks.world import EVENT, Feed, history, matched, rows, view


def _metric(channel: str, state: str) -> float:
    labels = {"channel": channel, "state": state}
    return REGISTRY.get_sample_value("dateline_deliveries_total", labels) or 0.0


def test_errors_of_the_receiver_are_tried_again_with_the_same_identity(
    engine: sa.Engine, clock: Clock, receiver: Receiver
) -> None:
    Feed(engine, channels=["webhook"])(matched("a"))
    receiver.answers.extend([500, (429, {"Retry-After": "120"})])
    deliverer = deliverer_of(engine, clock, webhook_of(receiver))
    assert deliverer.step() == 1
    assert deliverer.step() == 0, "not due yet"
    clock.forward(5)
    assert deliverer.step() == 1
    clock.forward(119)
    assert deliverer.step() == 0, "the receiver asked for 120 s"
    clock.forward(2)
    assert deliverer.step() == 1
    assert states_of(engine) == ["sent"]
    assert len({got.headers["webhook-id"] for got in receiver.received}) == 1
    assert view(engine, "v_deliveries")[0]["attempts"] == 3


@pytest.mark.parametrize("status", [400, 401, 410, 302])
def test_what_the_receiver_refuses_fails_at_once(
    engine: sa.Engine, clock: Clock, receiver: Receiver, status: int
) -> None:
    Feed(engine, channels=["webhook"])(matched("a"))
    receiver.answers.append((status, {"Location": "http://127.0.0.1:1/elsewhere"}))
    before = _metric("webhook", "failed")
    deliverer = deliverer_of(engine, clock, webhook_of(receiver))
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
    deliverer = deliverer_of(engine, clock, webhook_of(receiver, deadline=0.3))
    for _ in range(2):
        deliverer.step()
        assert states_of(engine) == ["unknown"]
        clock.forward(3600)
    deliverer.step()
    assert states_of(engine) == ["sent"]
    assert len({got.headers["webhook-id"] for got in receiver.received}) == 1


def test_a_receiver_that_is_down_is_given_up_visibly(engine: sa.Engine, clock: Clock) -> None:
    receiver = Receiver()
    hook = webhook_of(receiver)
    receiver.stop()
    Feed(engine, channels=["webhook"])(matched("a"))
    deliverer = deliverer_of(engine, clock, hook, attempts=3)
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
    deliverer = deliverer_of(engine, clock, pager)
    deliverer.step()
    clock.forward(100_000)
    assert deliverer.step() == 0
    assert states_of(engine) == ["unknown"]


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
    deliverer = deliverer_of(engine, clock, pager)
    assert deliverer.step() == 0, "it may still be at work"
    clock.forward(46)
    deliverer.step()
    assert (states_of(engine), len(pager.sent)) == ([state], sent)


def test_a_deliverer_that_was_too_slow_does_not_overwrite_its_successor(
    engine: sa.Engine, clock: Clock
) -> None:
    Feed(engine, channels=["pager"])(matched("a"))
    outbox, later = Outbox(engine, "pager"), clock.now + timedelta(seconds=45)
    slow = outbox.claim(clock.now, later, timedelta())
    assert slow is not None
    deliverer_of(engine, Clock(), Fake("pager"))
    clock.forward(46)
    assert outbox.claim(clock.now, clock.now + timedelta(seconds=45), timedelta()) is not None
    assert outbox.mark(slow, "failed", clock.now) is False
    assert states_of(engine) == ["sending"]


def test_several_deliverers_send_each_telling_once(engine: sa.Engine, clock: Clock) -> None:
    feed = Feed(engine, channels=["pager"])
    feed(*[matched(f"a{n}", f"s{n}") for n in range(30)])
    pager = Fake("pager")
    deliverers = [deliverer_of(engine, clock, pager) for _ in range(3)]
    threads = [threading.Thread(target=deliverer.step) for deliverer in deliverers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(m.key for m in pager.sent) == sorted(r["id"] for r in rows(engine, tables.outbox))
    assert set(states_of(engine)) == {"sent"}


def test_tellings_of_an_alert_keep_their_order(engine: sa.Engine, clock: Clock) -> None:
    feed = Feed(engine, channels=["pager"])
    feed(matched("a"), matched("b", outlet="harbor.example", minute=1))
    pager = Fake("pager")
    pager.raises = [RuntimeError("broken")]
    deliverer = deliverer_of(engine, clock, pager)
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

    deliverer = Deliverer(
        engine, AlertSettings(), channels=[webhook_of(receiver, 20), Pager("pager")]
    )
    thread = threading.Thread(target=deliverer.run, args=(stop,))
    thread.start()
    at_once = -AlertSettings().deadline
    try:
        assert arrived.wait(10)
        # Nor is it for ever taken for work: liveness is told which one hangs.
        assert deliverer.stuck(60) is None
        assert str(deliverer.stuck(at_once)).startswith("webhook has been at one thing")
    finally:
        stop.set()
        receiver.let_go.set()
        thread.join(20)
    assert not thread.is_alive()
    assert deliverer.stuck(at_once) is None


def test_the_alert_of_a_look_back_counts_all_its_articles(engine: sa.Engine, clock: Clock) -> None:
    feed = Feed(engine, channels=["pager"])
    feed(matched("a", "s1", decisions=[]), matched("b", "s2", decisions=[]))
    pager = Fake("pager")
    deliverer = deliverer_of(engine, clock, pager)
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
    assert deliverer_of(engine, clock, Fake("pager")).step() == 0
    assert states_of(engine) == ["skipped"]
