"""The database behind the commands about feeds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dateline.config import Settings


@contextmanager
def to_write(config: Settings) -> Iterator[Engine]:
    """The engine; on one host the database is made or upgraded first."""
    from dateline.app import open_engine, prepare

    if config.embedded:
        prepare(config)
    engine = open_engine(config)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def to_read(config: Settings) -> Iterator[Engine | None]:
    """The engine, None when there is no database yet: reading must not make one."""
    from dateline.app import open_engine

    if _absent(config):
        yield None
        return
    engine = open_engine(config)
    try:
        yield engine
    finally:
        engine.dispose()


def _absent(config: Settings) -> bool:
    url = config.database_url()
    if url.startswith("sqlite"):
        return not Path(url.partition(":///")[2]).exists()
    return "://" not in url and not Path(url).exists()
