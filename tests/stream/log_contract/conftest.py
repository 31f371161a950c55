"""A topic for each test."""

from __future__ import annotations

import uuid

import pytest


@pytest.fixture
def name() -> str:
    """A topic (or group) that no other test uses."""
    return f"t-{uuid.uuid4()}"
