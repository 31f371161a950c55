"""Lists of feeds in and out: OPML, or one address a line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dateline.commands.feeds import words
from dateline.commands.feeds.access import to_read, to_write
from dateline.commands.shared import Db, Json, print_json, settings

if TYPE_CHECKING:
    from ingest.feeds import Added
    from ingest.subscriptions.opml import Listed

# A person reads the first problems and mends them; all are in --json.
_SHOWN = 20


def import_(
    file: Annotated[
        Path, typer.Argument(help='OPML, or one address a line; "-" = standard input.')
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be added.")
    ] = False,
    db: Db = None,
    json: Json = False,
) -> None:
    """Add the feeds of a list. Those that are polled already stay as they are.

    Exit code 1 when some of the list could not be added; the others are."""
    from ingest import feeds
    from ingest.subscriptions import opml

    config = settings(db)
    listed = opml.read(file)
    if dry_run or not listed.entries:
        with to_read(config) as engine:
            polled = [feed.url for feed in feeds.listing(engine)] if engine else []
            added = feeds.sort_out(listed.entries, polled)
    else:
        with to_write(config) as engine, _Bar(len(listed.entries)) as bar:
            added = feeds.add_many(engine, listed.entries, progress=bar.done)
    if json:
        print_json(_plain(listed, added, dry_run))
    else:
        _say(listed, added, dry_run)
    if listed.skipped:
        raise typer.Exit(1)


def export(
    file: Annotated[Path, typer.Argument(help='Default: standard output, "-".')] = Path("-"),
    db: Db = None,
) -> None:
    """Write the feeds as OPML, in their folders; `import` reads all of it back."""
    from ingest import feeds
    from ingest.subscriptions import opml

    with to_read(settings(db)) as engine:
        found = feeds.listing(engine) if engine else []
    opml.write(file, found)
    if str(file) != opml.STDIO:
        typer.echo(f"Wrote {words.many(len(found), 'feed')} to {file}.")


class _Bar:
    """A progress bar on standard error when a person is watching, else nothing."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._total = total
        self._bar = Progress(
            TextColumn("adding"),
            BarColumn(),
            MofNCompleteColumn(),
            console=Console(file=sys.stderr),
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> _Bar:
        self._bar.start()
        self._task = self._bar.add_task("", total=self._total)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def done(self, count: int) -> None:
        self._bar.update(self._task, completed=count)


def _plain(listed: Listed, added: Added, dry_run: bool) -> dict[str, object]:
    from msgspec import to_builtins

    return {
        "dry_run": dry_run,
        "added": [to_builtins(entry) for entry in added.new],
        "known": [{"url": entry.url, "polled_as": url} for entry, url in added.known],
        "problems": [to_builtins(problem) for problem in listed.problems],
        "counts": {
            "added": len(added.new), "known": len(added.known), "problems": listed.skipped,
        },
    }  # fmt: skip


def _say(listed: Listed, added: Added, dry_run: bool) -> None:
    out = words.out()
    verb = "Would add" if dry_run else "Added"
    known = f"; {len(added.known):,} were there already or twice" if added.known else ""
    out.print(f"{verb} {words.many(len(added.new), 'feed')}{known}.")
    if listed.skipped:
        out.print(f"{words.many(listed.skipped, 'entry').replace('entrys', 'entries')} skipped:")
    for problem in listed.problems[:_SHOWN]:
        line = f"  line {problem.line}: {problem.what or 'an outline'}: {problem.reason}"
        out.print(words.text(line), soft_wrap=True)
    if listed.skipped > _SHOWN:
        out.print(f"  … and {listed.skipped - _SHOWN:,} more; --json tells them.")
