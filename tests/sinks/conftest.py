from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from store.engine import open_database
from tests.sinks.channels import Clock
from tests.sinks.receiver import Receiver
from tests.sinks.world import Feed


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_database(database_url, upgrade=True)
    yield engine
    engine.dispose()


@pytest.fixture
def feed(engine: sa.Engine) -> Feed:
    return Feed(engine)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()
