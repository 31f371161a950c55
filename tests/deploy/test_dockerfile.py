"""The image: everything it copies is there and reaches the builder, and it does not run as root."""

from __future__ import annotations

import json
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from tests.deploy import composed

ROOT = composed.DEPLOY.parent
INSTRUCTIONS = composed.instructions()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CODE_FOLDERS = {
    f.removesuffix("*") for f in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
}


def _copied() -> list[str]:
    """Sources of COPY from the build context, in order."""
    rests = [r for name, r in INSTRUCTIONS if name == "COPY" and "--from=" not in r]
    return [source for rest in rests for source in rest.split()[:-1]]


def test_whatever_is_copied_exists_and_is_sent_to_the_builder() -> None:
    allowed = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    for source in _copied():
        assert (ROOT / source).exists(), f"COPY {source}: there is no such file"
        assert source.removeprefix("./") in allowed, f"COPY {source}: .dockerignore keeps it back"


def test_every_package_of_the_project_is_in_the_image() -> None:
    assert CODE_FOLDERS.issubset(_copied())


def test_data_files_of_the_packages_are_installed_with_them() -> None:
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    for folder in CODE_FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            made = "__pycache__" in path.parts
            if path.is_file() and not made and path.suffix != ".py":
                assert any(fnmatch(path.name, p) for p in patterns), (
                    f"{path.relative_to(ROOT)} would be missing from an installed Dateline: "
                    "add its kind to package-data in pyproject.toml"
                )


def test_code_is_copied_after_the_packages_are_installed() -> None:
    lines = [f"{name} {rest}" for name, rest in INSTRUCTIONS]
    torch = next(n for n, line in enumerate(lines) if "sh install-torch.sh" in line)
    locked = next(n for n, line in enumerate(lines) if "-r requirements.lock" in line)
    code = next(n for n, line in enumerate(lines) if line.startswith("COPY stream"))
    assert torch < locked < code
    assert "--require-hashes" in lines[locked]


def test_the_image_runs_dateline_as_a_user_that_is_not_root() -> None:
    users = [rest for name, rest in INSTRUCTIONS if name == "USER"]
    assert users
    assert users[-1].partition(":")[0] not in {"0", "root"}
    assert composed.entrypoint() == ["dateline"]
    assert PROJECT["project"]["scripts"].keys() == {"dateline"}


def test_the_base_image_is_an_argument_and_the_last_stage_starts_from_it() -> None:
    assert INSTRUCTIONS[0][0] == "ARG"
    assert INSTRUCTIONS[0][1].startswith("BASE=")
    stages = [rest for name, rest in INSTRUCTIONS if name == "FROM"]
    assert stages == ["${BASE} AS build", "${BASE}"]


def test_health_is_asked_where_telemetry_listens() -> None:
    (health,) = (rest for name, rest in INSTRUCTIONS if name == "HEALTHCHECK")
    code = json.loads(health[health.index("[") :])[-1]
    port = composed.image_environment()["DATELINE_TELEMETRY__PORT"]
    assert f"http://127.0.0.1:{port}/readyz" in code


def test_dockerignore_names_only_what_exists() -> None:
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            assert (ROOT / Path(line[1:])).exists(), f".dockerignore names {line[1:]}"
