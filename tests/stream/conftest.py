"""A log on each transport, for what both must do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.log.contract import Log
from tests.stream.transports import open_log


@pytest.fixture(params=["sqlite", "kafka"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "kafka":
        return f"kafka:{request.getfixturevalue('broker')}"
    return f"sqlite:{tmp_path / 'log.db'}"


@pytest.fixture
def log(url: str) -> Iterator[Log]:
    opened = open_log(url)
    yield opened
    opened.close()
