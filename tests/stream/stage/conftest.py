"""A log for a stage of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.log.sqlite import SqliteLog
from tests.stream.stages import TOPICS


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    opened = SqliteLog(tmp_path / "log.db")
    opened.create_topics(TOPICS)
    yield opened
    opened.close()
