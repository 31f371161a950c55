"""`python -m store.migrations MESSAGE`: write the next revision from the change of the tables."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command

from store import views
from store.engine import _parse, _sqlite
from store.schema import _config, upgrade

with tempfile.TemporaryDirectory() as folder:
    engine = _sqlite(_parse(Path(folder) / "so-far.db"))
    upgrade(engine)
    with engine.begin() as connection:
        views.drop(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.revision(config, " ".join(sys.argv[1:]) or "change", autogenerate=True)
