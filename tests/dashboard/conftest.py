"""A filled database on both kinds, and a client of the desk over it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from dashboard.app import create_app
from dashboard.settings import DashboardSettings
from store.engine import open_database
from stream.records import Decision
from tests.dashboard import world

SENTENCE = "Donald Trump and Kim Jong Un will meet in Singapore."


def explainer(title: str, text: str, published: datetime | None) -> list[Decision]:
    """Decides by whether a place is named: enough to see an answer depend on its question."""
    asked = f"{title}\n{text}"
    return [
        world.decision(
            event, 0.97 if world.PLACES[event.id] in asked else 0.03, SENTENCE,
            rival=world.EVENTS[0] if event is not world.EVENTS[0] else None,
        )
        for event in world.EVENTS
    ]  # fmt: skip


def client_of(engine: sa.Engine, **settings: object) -> TestClient:
    app = create_app(engine, explainer, DashboardSettings.model_validate(settings))
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(tmp_path / "dateline.db", upgrade=True)
    yield engine
    engine.dispose()


@pytest.fixture
def filled(empty: sa.Engine) -> sa.Engine:
    world.fill(empty)
    return empty


@pytest.fixture
def desk(filled: sa.Engine) -> TestClient:
    return client_of(filled)
