"""What commands read: from one database as from the other."""

from __future__ import annotations

from dateline import lookup
from dateline.config import load
from store.engine import open_database
from store.tables import events


def test_rows_have_the_same_types_on_both_databases(database_url: str) -> None:
    engine = open_database(database_url, upgrade=True)
    with engine.begin() as connection:
        connection.execute(
            events.insert().values(
                id="summit", version=1, title="A summit", follows=["talks"], definition={},
                removed=False,
            )
        )  # fmt: skip
    engine.dispose()
    [found] = lookup.events(load(None, {"database.url": database_url}, {}))
    assert found == {
        "event_id": "summit", "title": "A summit", "version": 1, "starts": None, "ends": None,
        "follows": ["talks"], "matches": 0, "last_match": None, "removed": False,
    }  # fmt: skip
