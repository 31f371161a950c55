"""Using an open database: reading it, naming it, and telling its errors from those of a record."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import exc

from stream.errors import DatelineError, Unavailable, UsageError


@contextlib.contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection for reading only: it sees one state of an SQLite file and blocks no writer."""
    options = {"dateline_reading": True}
    if engine.dialect.name == "postgresql":
        options["postgresql_readonly"] = True
    with engine.execution_options(**options).connect() as connection:
        yield connection


def describe(engine: sa.Engine) -> str:
    """The database in words for an error message, without the password."""
    if engine.dialect.name == "sqlite":
        return f"the database file {engine.url.database}"
    where = f"{engine.url.host or 'the local socket'}" + (
        f":{engine.url.port}" if engine.url.port else ""
    )
    return f"the database {engine.url.database!r} at {where}"


@contextlib.contextmanager
def translated(what: str = "the database") -> Iterator[None]:
    """Turns driver errors that are nobody's record into ours.

    Away, locked, timed out or full: Unavailable. Wrong password, not a database, missing table:
    UsageError. IntegrityError and DataError pass: they are about the values.
    """
    try:
        yield
    except exc.TimeoutError as error:  # of the pool
        raise Unavailable(f"{what} has no free connection; is something holding them?") from error
    except exc.DBAPIError as error:
        raise _translate(error, what) from error


def _translate(error: exc.DBAPIError, what: str) -> Exception:
    if isinstance(error, exc.IntegrityError | exc.DataError):
        return error
    said = " ".join(str(error.orig).split())
    state = getattr(error.orig, "sqlstate", None) or ""
    if state.startswith("54"):  # a value is too large for an index: the record's fault
        return error
    if "not a database" in said or "malformed" in said:
        return UsageError(f"{what} is not an SQLite database ({said}); name another file")
    if "unable to open" in said:
        return UsageError(f"{what} cannot be opened; does its folder exist and may we write there?")
    if "readonly database" in said:
        return UsageError(f"{what} may not be written by this user; change its permissions")
    # psycopg reports a refused login without a state, as a failed connection
    if (
        state[:2] in ("28", "3D")
        or "authentication failed" in said
        or ("FATAL" in said and ("does not exist" in said or "no pg_hba" in said))
    ):
        return UsageError(
            f"{what} refused us ({_last_clause(said)}); check user, password and name"
        )
    if isinstance(error, exc.ProgrammingError) or "no such table" in said or "no such col" in said:
        return DatelineError(f"{what} does not have the expected tables ({_last_clause(said)})")
    if error.connection_invalidated or isinstance(
        error, exc.OperationalError | exc.InterfaceError | exc.InternalError
    ):
        return Unavailable(f"{what} does not answer ({_last_clause(said)})")
    return error


def _last_clause(said: str) -> str:
    return said.rsplit("FATAL:", 1)[-1].strip()[:200]
