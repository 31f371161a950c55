"""The command line. Exit codes: 0 ok, 1 failed while running, 2 wrong usage or configuration."""

from __future__ import annotations

import io
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from dateline.commands import (
    alerts,
    bench,
    calibrate,
    dead,
    events,
    feeds,
    offsets,
    operate,
    shared,
    try_out,
)

app = typer.Typer(
    name="dateline",
    help="Watches the news: feeds in; known events and new stories out, with reasons.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"dateline {version('dateline')}")
        raise typer.Exit


@app.callback()
def _program(
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Default: dateline.toml, where there is one."),
    ] = None,
    _v: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print and leave.")
    ] = False,
) -> None:
    shared.config_file = config


try_out.register(app)
operate.register(app)
calibrate.register(app)
app.add_typer(feeds.app, name="feeds", help="The feeds to poll.")
app.add_typer(events.app, name="events", help="The events to match.")
app.add_typer(alerts.app, name="alerts", help="What analysts were told.")
app.add_typer(dead.app, name="dead", help="Records that no stage could handle.")
app.add_typer(offsets.app, name="offsets", help="Where the stages go on in the log.")
app.add_typer(operate.db, name="db", help="The database's schema and rows.")
app.add_typer(operate.topics, name="topics", help="The topics of the log.")
app.add_typer(bench.app, name="bench", help="Measure, beside a peer or a limit.")


def main() -> None:
    """Run the program; a DatelineError becomes one sentence on standard error."""
    from stream.errors import DatelineError, UsageError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Headlines come from anywhere: a letter that the terminal lacks becomes a "?".
            stream.reconfigure(errors="replace")
    try:
        app()
    except UsageError as error:
        _say(error)
        sys.exit(2)
    except DatelineError as error:
        _say(error)
        sys.exit(1)
    except OSError as error:  # such as a full disk under what standard output was sent to
        _say(f"{error.strerror}: {error.filename}" if error.filename else error)
        sys.exit(1)


def _say(error: object) -> None:
    typer.echo(f"dateline: {error}", err=True)
