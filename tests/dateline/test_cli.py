"""What a person sees who mistypes, misconfigures or asks for help: the program as a process."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dateline.demo.play import MARKER
from tests.dateline.program import command, dateline, environment, told

SECRET = "swordfish-73"


def test_unknown_setting_names_the_nearest_one(tmp_path: Path) -> None:
    line = told(dateline(tmp_path, "status", environ={"DATELINE_DATABASE__UR": "x"}), 2)
    assert "database.ur" in line
    assert "did you mean database.url?" in line


def test_broken_configuration_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("database = [\n")
    line = told(dateline(tmp_path, "--config", "mine.toml", "status"), 2)
    assert "mine.toml" in line
    assert "TOML" in line


@pytest.mark.parametrize(("content", "says"), [("id = \n", "TOML"), ('id = "half"\n', "title")])
def test_broken_event_file_is_named(tmp_path: Path, content: str, says: str) -> None:
    folder = tmp_path / "events"
    folder.mkdir()
    (folder / "half.toml").write_text(content)
    line = told(dateline(tmp_path, "events", "apply", "events"), 2)
    assert "half.toml" in line
    assert says in line


def test_unreachable_broker_is_named(tmp_path: Path) -> None:
    line = told(dateline(tmp_path, "topics", "create", "--log", "kafka://127.0.0.1:1"), 1)
    assert "127.0.0.1:1" in line
    assert "does not answer" in line


def test_unreachable_postgresql_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://reader:{SECRET}@127.0.0.1:1/news"
    done = dateline(tmp_path, "status", "--db", url)
    line = told(done, 1)
    assert "'news' at 127.0.0.1:1" in line
    assert SECRET not in done.stdout + done.stderr


def test_missing_archive_leaves_no_database_behind(tmp_path: Path) -> None:
    assert "absent.jsonl" in told(dateline(tmp_path, "replay", "absent.jsonl"), 2)
    assert not list(tmp_path.iterdir())


READING = (
    "status", "audit", "events list", "events show any", "events explain any nowhere",
    "events verdict any nowhere right", "alerts list", "alerts ack any", "alerts notices",
    "dead list", "dead replay", "offsets show", "offsets reset embed --to start", "db prune",
    "db backup copies", "db compare other.db", "db rebuild new.db", "explain https://a.example/",
)  # fmt: skip


@pytest.mark.parametrize("line", READING)
def test_what_reads_makes_no_database(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
) -> None:
    from dateline import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["dateline", *line.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "dateline: there is no" in said
    assert "`dateline run`" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "line", ["events apply nowhere", "explain war --events nowhere", "replay a --events nowhere"]
)
def test_missing_folder_of_events_leaves_nothing_behind(tmp_path: Path, line: str) -> None:
    (tmp_path / "a").touch()
    assert "there is no nowhere" in told(dateline(tmp_path, *line.split()), 2)
    assert os.listdir(tmp_path) == ["a"]


def test_an_empty_name_of_a_database_is_refused(tmp_path: Path) -> None:
    assert "got nothing" in told(dateline(tmp_path, "status", "--db", ""), 2)


def test_a_wrong_variable_of_the_environment_is_named(tmp_path: Path) -> None:
    line = told(dateline(tmp_path, "status", environ={"DATELINE_INGEST__CONTAC": "x"}), 2)
    assert "DATELINE_INGEST__CONTAC" in line
    assert "did you mean ingest.contact?" in line
    line = told(dateline(tmp_path, "status", environ={"DATELINE_DATABASE": "x"}), 2)
    assert "database is a section" in line


def test_a_full_disk_under_the_output_is_one_sentence(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command("check-config"), cwd=tmp_path, env=environment(), stdout=full,
            stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("dateline: ")
    assert len(done.stderr.splitlines()) == 1


def test_port_of_the_desk_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = dateline(tmp_path, "run", "--stage", "desk", environ={"DATELINE_DESK__PORT": port})
    line = told(done, 2)
    assert port in line
    assert "desk.port" in line


def test_unknown_stage_lists_the_stages(tmp_path: Path) -> None:
    line = told(dateline(tmp_path, "run", "--stage", "clutser"), 2)
    assert "'clutser'" in line
    assert "cluster" in line


def test_unknown_article_says_what_was_looked_for(tmp_path: Path) -> None:
    assert dateline(tmp_path, "db", "upgrade").returncode == 0
    assert "'nowhere'" in told(dateline(tmp_path, "events", "explain", "any", "nowhere"), 2)


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "dateline", "--help"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    imported = set(re.findall(r"\| +([\w.]+)$", done.stderr, re.MULTILINE))
    assert "typer" in imported  # the pattern does find imports
    heavy = {"torch", "sqlalchemy", "pydantic", "aiohttp", "sentence_transformers", "numpy"}
    assert not imported & heavy


@pytest.mark.parametrize(
    "environ",
    [
        lambda folder: {
            "DATELINE_DATABASE__URL": "postgresql://reader@host/news",
            "DATELINE_DATABASE__PASSWORD_FILE": str(folder / "password"),
        },
        lambda folder: {"DATELINE_DATABASE__URL": f"postgresql://reader:{SECRET}@host/news"},
    ],
    ids=["in a file", "in the URL"],
)
def test_configuration_is_printed_without_secrets(
    tmp_path: Path, environ: Callable[[Path], dict[str, str]]
) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\n")
    done = dateline(tmp_path, "check-config", environ=environ(tmp_path))
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    database = json.loads(done.stdout)["database"]
    assert "***" in f"{database['url']} {database['password']}"
    assert "host/news" in database["url"]


def test_password_in_a_file_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dateline import config

    (tmp_path / "password").write_text(f"{SECRET}\n")
    monkeypatch.chdir(tmp_path)
    environ = {
        "DATELINE_DATABASE__URL": "postgresql://reader@host/news",
        "DATELINE_DATABASE__PASSWORD_FILE": "password",
    }
    url = config.load(environ=environ).database_url()
    assert url.endswith(f"//reader:{SECRET}@host/news")


def test_password_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    environ = {"DATELINE_DATABASE__PASSWORD_FILE": "gone"}
    line = told(dateline(tmp_path, "check-config", environ=environ), 2)
    assert "DATELINE_DATABASE__PASSWORD_FILE" in line
    assert "gone" in line


def test_explain_without_a_database_tries_the_sample_events(tmp_path: Path) -> None:
    headline = "Trump steps across the line at the DMZ to shake hands with Kim Jong Un"
    done = dateline(tmp_path, "explain", headline)
    assert done.returncode == 0, done.stderr
    assert "sample events" in done.stderr
    first = done.stdout.splitlines()[0]
    assert first.startswith("match")
    assert "kim-trump-dmz" in first
    assert not os.listdir(tmp_path)


def test_a_second_demo_leaves_the_first_its_folder(tmp_path: Path) -> None:
    running = tmp_path / "demo-run"
    running.mkdir()
    (running / "dateline.db").touch()
    with (running / MARKER).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        line = told(dateline(tmp_path, "demo", "--once"), 2)
    assert "a demo is running in demo-run" in line
    assert (running / "dateline.db").exists()
