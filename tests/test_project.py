"""The project keeps its own rules: tools pass, the documents are in step, nothing leaks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
TORCH = "torch"  # pinned in a file of its own
DOCUMENTS = [
    path
    for path in (
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "deploy/README.md")),
        *sorted((ROOT / "docs").glob("*.md")),
    )
    if path.exists()
]


# -- tools -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        pytest.param(["mypy"], marks=pytest.mark.slow),
        ["lint-imports"],
    ],
    ids=" ".join,
)
def test_tool_finds_nothing(command: list[str]) -> None:
    program = Path(sys.executable).parent / command[0]
    ended = subprocess.run(
        [str(program), *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=170
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_ci_can_be_started() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)


# -- what must not be in the project ---------------------------------------------------------------


def test_no_file_names_a_machine_or_a_registry() -> None:
    # Written so that this file does not contain what it looks for.
    paths = re.compile(r"(?<![\w.])/(?:wor[k]|far[m]|roo[t]|opt/(?:wheel[s]|pyp[i]))/")
    hosts = re.compile(
        r"(?:pyp[i]|pythonhoste[d]|npmj[s]|crate[s]|debia[n])\.(?:org|io)"
        r"|(?:proxy\.golan[g]|repo\.mave[n])|download\.pytorc[h]"
    )
    found = []
    for path, text in _texts():
        for number, line in enumerate(text.splitlines(), 1):
            if paths.search(line) or hosts.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


def test_the_development_data_is_not_copied_into_the_project(shared_data: Path) -> None:
    import json

    lines = (shared_data / "seeds.jsonl").read_text(encoding="utf-8").splitlines()
    sentences = {
        sentence.strip()
        for line in lines
        for sentence in re.split(r"(?<=[.!?])\s", json.loads(line)["text"])
        if len(sentence.strip()) > 60
    }
    assert sentences
    for path, text in _texts():
        flat = " ".join(text.split())
        copied = next((s for s in sentences if " ".join(s.split()) in flat), None)
        assert copied is None, f"{path.relative_to(ROOT)} holds a sentence of the data: {copied}"


# -- documents in step -----------------------------------------------------------------------------


def test_the_licence_is_the_one_that_is_declared() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    words = " ".join((ROOT / "LICENSE").read_text().split())
    assert words.startswith("Apache License Version 2.0, January 2004")
    assert "END OF TERMS AND CONDITIONS" in words


def test_the_changelog_tells_of_this_version() -> None:
    headings = re.findall(r"^## .*$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert any(PROJECT["version"] in heading for heading in headings)


def test_the_container_image_has_this_version() -> None:
    assert f"DATELINE_VERSION:-{PROJECT['version']}}}" in (ROOT / "deploy/compose.yaml").read_text()


def test_the_readme_shows_how_to_start() -> None:
    shown = " ".join(_code((ROOT / "README.md").read_text()))
    assert "make demo" in shown
    assert "make test" in shown


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_name_only_targets_and_commands_that_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for piece in _code(document.read_text(encoding="utf-8")):
        for target in re.findall(r"\bmake ([a-z]+)\b", piece):
            assert target in targets, f"`make {target}` does not exist"
        for words in re.findall(r"(?<![\w.-])dateline((?: [a-z][a-z-]*)+)", piece):
            _follow(words.split())


def _follow(words: list[str]) -> None:
    """Fails unless the first words, as far as they name groups, are commands of the program."""
    from dateline.cli import app

    command: Any = typer.main.get_command(app)
    said = "dateline"
    for word in words:
        commands = getattr(command, "commands", None)
        if commands is None:
            return
        said += f" {word}"
        assert word in commands, f"`{said}` does not exist"
        command = commands[word]


# -- locks in step ---------------------------------------------------------------------------------


def test_locks_satisfy_pyproject() -> None:
    runtime, everything = _pins("requirements.lock"), _pins("requirements-dev.lock")
    torch = _pins("requirements-torch.lock")
    groups = [
        (PROJECT["dependencies"], runtime),
        (PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"], everything),
    ]
    for wanted, pins in groups:
        for line in wanted:
            requirement = Requirement(line)
            name = canonicalize_name(requirement.name)
            pinned = torch if name == TORCH else pins
            assert name in pinned, f"{name} is not in the lock: run `make lock`"
            assert requirement.specifier.contains(pinned[name]), f"{line}: run `make lock`"


def test_both_locks_agree_and_hold_no_gpu_packages() -> None:
    runtime, everything = _pins("requirements.lock"), _pins("requirements-dev.lock")
    assert runtime.items() <= everything.items(), "run `make lock`"
    assert TORCH not in everything
    assert not [name for name in everything if name.startswith(("nvidia-", "cuda-", "triton"))]


@pytest.mark.parametrize("lock", sorted(ROOT.glob("requirements*.lock")), ids=lambda p: p.name)
def test_every_pin_has_a_hash(lock: Path) -> None:
    for entry in re.split(r"\n(?=[a-z0-9])", lock.read_text()):
        if re.match(r"[a-z0-9]", entry):
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry.split()[0]


# -- reading ---------------------------------------------------------------------------------------


def _pins(lock: str) -> dict[str, str]:
    lines = re.findall(r"^([a-z0-9][\w.-]*)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def _code(markdown: str) -> list[str]:
    """What a document shows as code: fenced blocks and spans."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    return blocks + re.findall(r"`([^`\n]+)`", rest)


def _texts() -> Iterator[tuple[Path, str]]:
    """Every text file that is, or would be, in the repository."""
    asked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
    )
    if asked.returncode != 0:
        pytest.skip("not a git checkout: nothing says which files belong to the project")
    for name in sorted(set(asked.stdout.decode().split("\0"))):
        path = ROOT / name
        if name and path.is_file():
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # a picture or a golden binary
