"""The feeds to poll."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dateline.commands.shared import Db, Json, console, print_json, print_table, settings, when

app = typer.Typer(no_args_is_help=True)


@app.command()
def add(
    url: str,
    outlet: Annotated[
        str | None, typer.Option(help="Domain of the publisher; default: from the items' links.")
    ] = None,
    db: Db = None,
) -> None:
    """Poll a feed from now on."""
    from dateline.app import open_engine, prepare
    from ingest import feeds

    config = settings(db)
    if config.embedded:
        prepare(config)
    engine = open_engine(config)
    added = feeds.add(engine, url, outlet=outlet)
    engine.dispose()
    console().print(f"Added {url}." if added else f"{url} is polled already.")


@app.command()
def remove(url: str, db: Db = None) -> None:
    """Stop polling a feed; what it brought stays."""
    from dateline.app import open_engine
    from ingest import feeds
    from stream.errors import UsageError

    engine = open_engine(settings(db))
    try:
        if not feeds.remove(engine, url):
            raise UsageError(f"{url} is not among the feeds; see `dateline feeds list`")
    finally:
        engine.dispose()
    console().print(f"Removed {url}.")


@app.command("list")
def list_(db: Db = None, json: Json = False) -> None:
    """The feeds with their health."""
    from dateline import lookup

    rows = lookup.rows(settings(db), "SELECT * FROM v_feeds ORDER BY url")
    if json:
        print_json(rows)
        return
    print_table(
        ("feed", "outlet", "state", "last ok", "next", "items/day", "error"),
        [
            (
                r["url"],
                r["outlet"],
                r["state"],
                when(r["last_ok"]),
                when(r["next_at"]),
                "" if r["items_per_day"] is None else f"{r['items_per_day']:.1f}",
                r["error"],
            )
            for r in rows
        ],
        "No feeds yet: `dateline feeds add URL`.",
    )


@app.command()
def check(
    target: Annotated[str, typer.Argument(metavar="URL-or-FILE")],
    db: Db = None,
    json: Json = False,
) -> None:
    """Every item as it would be ingested, or refused and why. Stores nothing."""
    from ingest.check import check as run

    found = run(target, settings(db).ingest)
    if json:
        print_json(found)
        return
    print_table(
        ("fate", "published", "title", "url", "reason"),
        [(i["fate"], i["published"], i["title"], i["url"], i["reason"]) for i in found],
        "The feed holds no items.",
    )


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="An OPML file.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be added.")
    ] = False,
    db: Db = None,
) -> None:
    """Add the feeds of an OPML file."""
    from dateline.app import open_engine, prepare
    from ingest import feeds, opml

    config = settings(db)
    if config.embedded:
        prepare(config)
    engine = open_engine(config)
    listed = opml.read(file)
    known = {feed.url for feed in feeds.listing(engine)}
    new = [entry for entry in listed if entry.url not in known]
    if not dry_run:
        for entry in new:
            feeds.add(engine, entry.url, outlet=None)
    engine.dispose()
    verb = "Would add" if dry_run else "Added"
    console().print(f"{verb} {len(new):,} feeds; {len(listed) - len(new):,} were there already.")


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The OPML file to write.")], db: Db = None
) -> None:
    """Write the feeds as OPML."""
    from dateline.app import open_engine
    from ingest import feeds, opml

    engine = open_engine(settings(db))
    found = feeds.listing(engine)
    engine.dispose()
    opml.write(file, found)
    console().print(f"Wrote {len(found):,} feeds to {file}.")
