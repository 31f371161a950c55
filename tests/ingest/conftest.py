"""A world to poll into, with a database of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.engine import open_database
from tests.ingest.days import Days
from tests.ingest.world import World


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: migrating for every test would take most of the time."""
    path = tmp_path_factory.mktemp("empty") / "dateline.db"
    open_database(f"sqlite:///{path}", upgrade=True).dispose()
    return path


@pytest.fixture
def world(tmp_path: Path, empty_database: Path) -> Iterator[World]:
    shutil.copyfile(empty_database, tmp_path / "dateline.db")
    made = World(tmp_path, open_database(f"sqlite:///{tmp_path / 'dateline.db'}"))
    yield made
    made.close()


@pytest.fixture
def days(world: World) -> Iterator[Days]:
    made = Days(world)
    yield made
    made.ledger.close()
