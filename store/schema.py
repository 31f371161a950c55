"""The schema of the database: which one it has, whether it suits this release, upgrading it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from store import views
from store.connection import describe, reading, translated
from store.tables import metadata, schema_reach
from stream.errors import UsageError

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "dateline_schema"
# The oldest revision whose release can work on a database of this one, so that during an upgrade
# its processes may still start: they find this in the database, and need not know more of us.
# Tables and columns that a migration adds (with defaults) leave it as it is; one that takes
# something away, or changes what it means, is itself the oldest. Releases before 0003 do not ask.
OLDEST = "0003"
# Any number will do, as long as every release uses the same.
_ADVISORY_LOCK = 0x64_61_74_65_6C_69_6E_65


def upgrade(engine: sa.Engine) -> list[str]:
    """Migrate to this release in one transaction; the revisions applied, none when up to date.

    Replicas that start together wait for each other: SQLite transactions begin exclusive to
    other writers, on PostgreSQL an advisory lock does the same. Views are made anew, since they
    may stand in the way of a change to their tables.
    """
    from alembic import command

    with translated(describe(engine)), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        before = _current(connection)
        if before is None:
            _refuse_strangers(connection, describe(engine))
        missing = _missing(before, describe(engine), _reach(connection))
        if missing:
            config = _config()
            config.attributes["connection"] = connection
            views.drop(connection)
            command.upgrade(config, "head")
            views.create(connection)
            connection.execute(schema_reach.delete())
            connection.execute(schema_reach.insert().values(oldest=OLDEST))
        return missing


def current(engine: sa.Engine) -> str | None:
    """The revision that the database has, None = it has no Dateline tables."""
    with translated(describe(engine)), reading(engine) as connection:
        return _current(connection)


def check(engine: sa.Engine) -> None:
    """Raises UsageError unless the schema is the one of this release, or a newer one on which it
    can work."""
    what = describe(engine)
    with translated(what), reading(engine) as connection:
        revision, oldest = _current(connection), _reach(connection)
    if revision is None:
        raise UsageError(f"{what} has no Dateline tables; run `dateline db upgrade`")
    if missing := _missing(revision, what, oldest):
        raise UsageError(
            f"{what} has schema {revision}, older than this release's {missing[-1]}; "
            "stop the stages and run `dateline db upgrade`"
        )


def _current(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    table = sa.table(VERSION_TABLE, sa.column("version_num", sa.Text))
    return connection.execute(sa.select(table.c.version_num)).scalar()


def _reach(connection: sa.Connection) -> str | None:
    """The oldest revision whose release can work on this database, as its newest says."""
    if not sa.inspect(connection).has_table(schema_reach.name):
        return None
    return connection.execute(sa.select(schema_reach.c.oldest)).scalar()


def _missing(revision: str | None, what: str, oldest: str | None) -> list[str]:
    """The revisions to apply, oldest first."""
    from alembic.script import ScriptDirectory

    ours = [s.revision for s in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]
    if revision is None:
        return ours
    if revision not in ours and oldest in ours:
        return []
    if revision not in ours:
        raise UsageError(
            f"{what} has schema {revision}, which this release does not know (it ends at "
            f"{ours[-1]}); a newer Dateline has upgraded it, so run that one"
        )
    return ours[ours.index(revision) + 1 :]


def _refuse_strangers(connection: sa.Connection, what: str) -> None:
    taken = sorted(set(sa.inspect(connection).get_table_names()) & set(metadata.tables))
    if taken:
        raise UsageError(
            f"{what} already has tables of another program ({', '.join(taken[:3])}); "
            "give Dateline a database of its own"
        )


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "store:migrations")
    return config
