"""Options and printing that the commands share."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from dateline.config import Settings

Db = Annotated[
    str | None,
    typer.Option("--db", metavar="PATH|URL", help="The database; default from the configuration."),
]
LogUrl = Annotated[
    str | None,
    typer.Option("--log", metavar="PATH|kafka://HOST:PORT", help="The log; default likewise."),
]
# A table that goes into a file or to grep has no window to fit.
_WIDE = 200
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who says so.")]
# Set by the `--config` of the program itself, before any command runs.
config_file: Path | None = None
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]
NOTED = "Noted; the database follows while the pipeline runs."


def settings(db: str | None = None, log: str | None = None, **flags: str) -> Settings:
    """The configuration with this command's flags on top.

    A database given by path brings its own log and snapshots beside it (`news.db` →
    `news.log.db`, `news.state`), so that two databases never share one by accident.
    """
    from dateline import config
    from stream.telemetry import configure_logs

    configure_logs("warning")  # `run` sets its own level; other commands speak for themselves
    if db is not None:
        flags["database.url"] = db
        if log is None and db and "://" not in db:
            log = str(log_beside(Path(db)))
            flags["cluster.state_dir"] = str(Path(db).with_name(_stem(db) + ".state"))
    if log is not None:
        flags["log.url"] = log
    return config.load(config_file, flags)


def log_beside(database: Path) -> Path:
    return database.with_name(_stem(database.name) + ".log.db")


def _stem(name: str) -> str:
    return Path(name).name.removesuffix(".db")


def print_json(value: Any) -> None:
    """JSON is UTF-8, whatever the terminal speaks."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=_plain) + "\n"
    sys.stdout.buffer.write(text.encode("utf-8", errors="backslashreplace"))
    sys.stdout.buffer.flush()


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def console() -> Console:
    from rich.console import Console

    watched = sys.stdout.isatty()
    width = None if watched or "COLUMNS" in os.environ else _WIDE
    return Console(highlight=False, soft_wrap=not watched, width=width)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
    """A table for people, without columns that say nothing; `empty` is said instead when there is
    nothing to show."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    if not rows:
        console().print(empty)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    told = [[shown(row[n]) for row in rows] for n in range(len(columns))]
    kept = [n for n, cells in enumerate(told) if any(cells)]
    for n in kept:
        # The first names the row and is copied into the next command; the others fold, for a name
        # that is cut short names nothing.
        table.add_column(columns[n], overflow="fold", no_wrap=n == 0)
    for row in range(len(rows)):
        # Titles come from anywhere: "[/b]" in one is text, not an end of something.
        table.add_row(*[escape(told[n][row]) for n in kept])
    console().print(table)


def print_rows(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str | Callable[[Mapping[str, Any]], Any]],
    empty: str,
    *,
    json: bool,
) -> None:
    """As they are for a script, or a table: its columns by the key, or what makes it of a row."""
    if json:
        print_json(rows)
        return
    cells = [[r[of] if isinstance(of, str) else of(r) for of in columns.values()] for r in rows]
    print_table([*columns], cells, empty)


def shown(value: Any) -> str:
    """A value as people read it: a time to the minute, '' for none."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return "" if value is None else str(value)
