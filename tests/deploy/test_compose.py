"""compose.yaml says what it means: real commands, health, order, no secret, pinned images."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main

from dateline.app import STAGES
from tests.deploy import composed

COMPOSE = composed.compose()
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = [name for name in SERVICES if name not in composed.SERVERS]


def test_every_stage_has_a_service_of_its_own() -> None:
    stages = [
        SERVICES[name]["command"][-1] for name in OURS if not composed.is_task(SERVICES[name])
    ]
    assert sorted(stages) == sorted(STAGES)


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_that_dateline_takes(name: str) -> None:
    import click

    from dateline.cli import app

    command: Any = typer.main.get_command(app)
    words = list(SERVICES[name]["command"])
    context = click.Context(command)
    while hasattr(command, "commands"):
        command = command.commands.get(words[0])
        assert command is not None, f"{name}: dateline has no command {words[0]!r}"
        words.pop(0)
    command.make_context(name, words, parent=context)  # raises for an option it does not know


@pytest.mark.parametrize("name", SERVICES)
def test_every_dependency_exists_and_can_come_true(name: str) -> None:
    for needed, wanted in SERVICES[name].get("depends_on", {}).items():
        assert needed in SERVICES
        once = composed.is_task(SERVICES[needed])
        assert wanted["condition"] == (
            "service_completed_successfully" if once else "service_healthy"
        )


@pytest.mark.parametrize("name", SERVICES)
def test_what_runs_for_ever_is_watched_restarted_bounded_and_given_time(name: str) -> None:
    service = SERVICES[name]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert service["logging"]["options"]["max-size"]
    if composed.is_task(service):
        assert service["healthcheck"] == {"disable": True}
        return
    assert service["restart"] == "unless-stopped"
    assert "stop_grace_period" in service
    if name in composed.SERVERS:
        assert service["healthcheck"]["test"][0] == "CMD"
    else:  # the image's own check, which asks /readyz
        assert "healthcheck" not in service


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_write_only_where_a_volume_is(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "user" not in service, "the image's own user, which is not root"
    for volume in service["volumes"]:
        source, target, *mode = volume.split(":")
        if source.startswith("."):
            assert (composed.DEPLOY / source).exists(), (
                f"{name} mounts {source}, which is not there"
            )
            assert mode == ["ro"]
        else:
            assert source in COMPOSE["volumes"]
            assert target.startswith("/var/lib/dateline/")


def test_images_are_pinned_and_nothing_but_the_desk_is_published() -> None:
    for name, service in SERVICES.items():
        tag = service["image"].rpartition(":")[2]
        assert re.search(r"\d", tag), f"{name}: {service['image']} floats"
        assert "latest" not in tag
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["desk"]
    assert SERVICES["desk"]["ports"] == ["127.0.0.1:8642:8642"], "it has no login"


def test_no_secret_is_written_down() -> None:
    for name, service in SERVICES.items():
        for key in service.get("environment", {}):
            secret = re.search("PASSWORD|SECRET|TOKEN", key)
            assert not secret or key.endswith("_FILE"), f"{name} has {key} in plain sight"
    for secret in COMPOSE["secrets"].values():
        assert secret["file"].startswith("./secrets/")
        ignored = (composed.DEPLOY.parent / ".gitignore").read_text().splitlines()
        assert "/deploy/secrets/" in ignored
    assert "password =" not in (composed.DEPLOY / "dateline.toml").read_text()


def test_kafka_takes_our_largest_record_and_makes_no_topic_by_itself() -> None:
    from stream.records import MAX_RECORD_BYTES

    kafka = SERVICES["kafka"]["environment"]
    assert kafka["KAFKA_PROCESS_ROLES"] == "broker,controller"
    assert int(kafka["KAFKA_MESSAGE_MAX_BYTES"]) > MAX_RECORD_BYTES
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert kafka["KAFKA_LOG_DIRS"] in [v.split(":")[1] for v in SERVICES["kafka"]["volumes"]]


def test_docker_compose_accepts_the_file(tmp_path: Path) -> None:
    program = composed.compose_program()
    if program is None:
        pytest.skip("neither docker compose nor docker-compose is on this machine")
    shutil.copytree(composed.DEPLOY, tmp_path / "deploy")
    (tmp_path / "deploy" / "secrets").mkdir(exist_ok=True)
    (tmp_path / "deploy" / "secrets" / "postgres_password").write_text("x")
    ended = subprocess.run(
        [*program, "-f", str(tmp_path / "deploy" / "compose.yaml"), "config", "-q"],
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
