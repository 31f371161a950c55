"""What every test may use. Real parts only: each fixture starts the thing itself on loopback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.postgres import (  # noqa: F401  fixtures for every test
    another_database,
    another_postgres,
    database_url,
    mortal_postgres,
    postgres_server,
    postgres_url,
)
from tests.services import broker, durable_broker  # noqa: F401  fixtures for every test

# Nothing here may reach a model hub: the packaged model is on disk.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def logs_of_one_test() -> Iterator[None]:
    """A test that configures logs must not leave its captured stream to the next one."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real news to measure on, kept beside the project and never inside it."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("the development data (../shared/data) is not on this machine")
    return path
