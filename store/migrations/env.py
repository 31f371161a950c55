"""Alembic's entry: runs migrations on the connection that `store.schema.upgrade` holds open.

A new revision: `python -m store.migrations MESSAGE` compares the tables with an empty database
that was migrated so far, and writes the difference to versions/.
"""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from store.schema import VERSION_TABLE
from store.tables import UtcDateTime, metadata


def render(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """Revisions are frozen: they must not follow later changes of our own type."""
    is_ours = kind == "type" and isinstance(item, UtcDateTime)
    return "sa.DateTime(timezone=True)" if is_ours else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite alters a table by copying it
    render_item=render,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
