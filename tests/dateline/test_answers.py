"""What an analyst says back, and how it is shown again."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dashboard import server
from dashboard.settings import DashboardSettings
from dateline import app, lookup
from dateline.commands import alerts, events
from dateline.config import Settings, load
from dateline.worker import make_worker
from store import tables
from store.engine import open_database
from stream import records
from stream.errors import UsageError
from stream.log.contract import Partition
from stream.stage import Loop, drain
from tests.dashboard import world
from tests.dateline.program import dateline

EVENT, OTHER = "kim-moon-panmunjom", "kim-trump-singapore"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The default configuration over a filled database, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    settings = load(None, {}, {})
    app.prepare(settings)
    engine = open_database(settings.database.url)
    world.fill(engine)
    with engine.begin() as connection:
        connection.execute(tables.positions.delete())  # of a log that is not this one
    engine.dispose()
    return settings


def write_down(settings: Settings) -> None:
    """What the database stage does with what is on the log."""
    log = app.open_log(settings)
    loop = Loop(app.make_stage("database", settings, deliver=False), log)
    drain([loop])
    loop.close()
    log.close()


def test_the_last_verdict_is_shown_with_the_match(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    events.verdict(EVENT, "p1", events.Said.right, by="ana")
    events.verdict(EVENT, "p1", events.Said.other, other=OTHER)
    write_down(settings)
    said = {row["article_id"]: row["verdict"] for row in lookup.event(settings, EVENT)["articles"]}
    assert said["p1"] == "other"
    assert said["p2"] is None
    capsys.readouterr()
    events.show(EVENT)
    shown = capsys.readouterr().out
    assert "verdict" in shown.splitlines()[3] + shown.splitlines()[4]


def test_an_acknowledged_alert_says_so(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    first = lookup.alerts(settings)[0]["alert_id"]
    alerts.ack(first, by="ana")
    write_down(settings)
    assert lookup.alert(settings, first)["state"] == "acknowledged"
    capsys.readouterr()
    alerts.show(first)
    assert "acknowledged" in capsys.readouterr().out


def test_an_answer_about_nothing_is_refused_and_not_logged(settings: Settings) -> None:
    with pytest.raises(UsageError, match="'nope' is registered"):
        events.verdict("nope", "p1", events.Said.right)
    with pytest.raises(UsageError, match="'nope' is registered"):
        events.verdict(EVENT, "p1", events.Said.other, other="nope")
    with pytest.raises(UsageError, match="no stored article"):
        events.verdict(EVENT, "nope", events.Said.right)
    with pytest.raises(UsageError, match="--other goes with"):
        events.verdict(EVENT, "p1", events.Said.right, other=OTHER)
    with pytest.raises(UsageError, match="no alert 'nope'"):
        alerts.ack("nope")
    log = app.open_log(settings)
    assert log.bounds(Partition(records.VERDICTS, 0)) == (0, 0)
    log.close()


def test_one_event_is_shown_with_its_definition(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    events.show(EVENT)
    found = lookup.event(settings, EVENT)
    assert found["definition"]["description"] in capsys.readouterr().out.replace("\n", " ")


def test_letters_that_the_terminal_lacks_become_question_marks(settings: Settings) -> None:
    done = dateline(Path.cwd(), "events", "list", environ={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "Kim?Moon" in done.stdout


def test_the_desk_offers_the_files_of_the_atom_channel(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[DashboardSettings] = []
    monkeypatch.setattr(server, "serve", lambda _app, desk, _stop: seen.append(desk))
    make_worker("desk", settings).work(threading.Event())
    told = load(None, {"alerts.channels": '["atom"]', "alerts.atom_dir": "here"}, {})
    make_worker("desk", told).work(threading.Event())
    assert [desk.atom_dir for desk in seen] == [None, Path("here")]
