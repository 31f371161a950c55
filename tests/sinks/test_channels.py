"""What each channel sends, and how it takes what comes back."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
from pathlib import Path

import feedparser
import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from sinks.alerts.channels.atom import AtomChannel, file_name, render
from sinks.alerts.channels.console import ConsoleChannel
from sinks.alerts.channels.webhook import retry_after
from sinks.alerts.settings import AlertSettings
from stream import records
from stream.records import Definition
from tests.sinks.channels import Clock, deliverer_of, states_of, webhook_of
from tests.sinks.receiver import Receiver
from tests.sinks.world import EVENT, NOON, Feed, matched


def test_a_webhook_is_signed_and_names_the_event(
    engine: sa.Engine, clock: Clock, receiver: Receiver
) -> None:
    feed = Feed(engine, channels=["webhook"])
    feed(Definition(id=EVENT, version=1, title="Singapore summit"), topic=records.EVENTS)
    feed(matched("a"))
    assert deliverer_of(engine, clock, webhook_of(receiver)).step() == 1
    [got] = receiver.received
    content = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    mac = hmac.new(b"a key of the operator", content, hashlib.sha256).digest()
    assert got.headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()
    assert got.headers["webhook-timestamp"] == str(int(NOON.timestamp()))
    payload = json.loads(got.body)
    assert payload["event"] == {"id": EVENT, "title": "Singapore summit"}
    assert payload["what_is_new"] == "First report: The Strait Ledger"
    assert states_of(engine) == ["sent"]


def test_an_atom_reader_sees_one_entry_an_alert_updated_in_place(
    engine: sa.Engine, clock: Clock, tmp_path: Path
) -> None:
    feed = Feed(engine, channels=["atom"])
    feed(Definition(id=EVENT, version=1, title="Singapore <summit>"), topic=records.EVENTS)
    feed(matched("a", title="On & <again>\x0b\u0085"), matched("x", "s2", minute=2))
    deliverer = deliverer_of(engine, clock, AtomChannel(tmp_path / "alerts"))
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
    deliverer_of(engine, clock, ConsoleChannel(out=out)).step()
    lines = out.getvalue().splitlines()
    assert lines[0] == f"2018-05-27 12:00 ALERT  Red[31m alert [bold] now  {EVENT}"
    assert lines[1] == "    First report: The Strait Ledger (1 article, 1 independent source)"
    assert lines[2].startswith("    “The summit is on again.” (reads like the event")
    assert "\x1b" not in out.getvalue()


def test_the_console_writes_json_lines_for_scripts(engine: sa.Engine, clock: Clock) -> None:
    Feed(engine)(matched("a"))
    out = io.StringIO()
    deliverer_of(engine, clock, ConsoleChannel(json=True, out=out)).step()
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
