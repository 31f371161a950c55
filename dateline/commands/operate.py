"""What operators run: the pipeline itself, its state, its ledger, its schema."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import typer

from dateline.commands.shared import (
    Db,
    Json,
    LogUrl,
    console,
    print_json,
    print_table,
    settings,
    shown,
)

db = typer.Typer(no_args_is_help=True)
topics = typer.Typer(no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command()(run)
    app.command()(status)
    app.command()(audit)
    app.command("check-config")(check_config)


def run(
    stage: Annotated[
        list[str] | None, typer.Option(help="Run only this stage (may be repeated).")
    ] = None,
    db: Db = None,
    log: LogUrl = None,
) -> None:
    """Run the pipeline until it is told to stop (Ctrl-C or SIGTERM)."""
    from dateline import app, process, supervisor
    from stream.errors import UsageError

    for name in stage or ():
        if name not in app.STAGES:
            raise UsageError(f"unknown stage {name!r}; the stages are {', '.join(app.STAGES)}")
    config = settings(db, log)
    if stage:
        raise typer.Exit(process.run_stages(stage, config))
    import signal

    from stream.telemetry import configure_logs

    configure_logs(config.telemetry.level)
    app.prepare(config)
    app.open_engine(config).dispose()  # a database that is away is said once, here
    app.open_log(config).close()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    arguments = _same_arguments(db, log)
    children = [
        supervisor.Child(stages, arguments, config.telemetry.of_process(number))
        for number, stages in enumerate(app.PROCESSES)
    ]
    raise typer.Exit(supervisor.supervise(children, stop))


def _same_arguments(db: str | None, log: str | None) -> list[str]:
    from dateline.commands import shared

    flags = [] if shared.config_file is None else ["--config", str(shared.config_file)]
    after = [] if db is None else ["--db", db]
    after += [] if log is None else ["--log", log]
    return [*flags, "run", *after]


def status(db: Db = None, log: LogUrl = None, json: Json = False) -> None:
    """Each stage: how far, who does it, how fresh, what went wrong last."""
    from dateline.status import status as read

    rows = read(settings(db, log))
    if json:
        print_json(rows)
        return
    print_table(
        ("stage", "state", "owner", "done", "lag", "fresh to", "dead", "snapshot", "last error"),
        [
            (
                r["stage"],
                r["state"],
                r["owner"],
                r["done"],
                "?" if r["lag"] is None else r["lag"],
                r["freshness"],
                r["dead"] or None,
                r["snapshot"],
                " ".join(filter(None, (shown(r["error_at"]), r["error"]))),
            )
            for r in rows
        ],
        "Nothing has run yet: start with `dateline run`.",
    )
    if pollers := [p for r in rows for p in r.get("pollers", ())]:
        print_table(
            ("poller", "hosts", "feeds", "last seen"),
            [
                (p["name"], p["hosts"], p["feeds"], p["seen"] if p["live"] else "gone")
                for p in pollers
            ],
            "",
        )


def audit(db: Db = None, log: LogUrl = None, json: Json = False) -> None:
    """Does every item seen have one fate? Fails when one has none."""
    from dateline.ledger import reconcile

    report = reconcile(settings(db, log))
    if json:
        print_json(report.as_dict())
    else:
        console().print(report.as_text())
    if report.gaps:
        raise typer.Exit(1)


def check_config() -> None:
    """Print the effective configuration, secrets masked."""
    print_json(settings().tree())


@db.command()
def upgrade(db: Db = None) -> None:
    """Bring the schema to this release (safe to run by several at once)."""
    from dateline.app import open_engine

    open_engine(settings(db), upgrade=True).dispose()
    console().print("The schema is up to date.")


@db.command()
def prune(
    dry_run: Annotated[bool, typer.Option(help="Only count.")] = False,
    db: Db = None,
    json: Json = False,
) -> None:
    """Fold the rows of old polls into days, and forget items that feeds no longer show.

    The sums stay the same. `dateline run` does this by itself once a day.
    """
    from datetime import UTC, datetime

    from dateline.app import open_engine
    from ingest.books.retention import prune as tidy

    config = settings(db)
    engine = open_engine(config)
    done = tidy(engine, config.ingest, datetime.now(UTC), dry_run=dry_run)
    engine.dispose()
    if json:
        print_json({"polls": done.polls, "items": done.items, "dry_run": dry_run})
        return
    would = "Would fold" if dry_run else "Folded"
    console().print(
        f"{would} {done.polls:,} polls into days and {'forget' if dry_run else 'forgot'} "
        f"{done.items:,} items that their feeds no longer show."
    )


@db.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="Where the copies go; made when missing.")],
    db: Db = None,
    log: LogUrl = None,
    json: Json = False,
) -> None:
    """Copy the database, then the log, while everything runs (SQLite; PostgreSQL has pg_dump)."""
    from dateline.backup import take

    sizes = take(settings(db, log), folder)
    if json:
        print_json(sizes)
        return
    for name, size in sizes.items():
        console().print(f"{folder / name}: {size:,} bytes")


@db.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="What `db backup` wrote.")],
    db: Db = None,
    log: LogUrl = None,
    json: Json = False,
) -> None:
    """Put back a copy of the database. What came since is written again from the log at the next
    start; alerts of that time are marked as perhaps sent. The log is put back where it is gone."""
    from dateline.backup import put_back

    done = put_back(settings(db, log), folder)
    if json:
        print_json(done._asdict())
        return
    also = " and the log" if done.log else ""
    console().print(
        f"The database{also} is as it was; {done.again:,} records of the log are written to it "
        "again at the next start."
    )


@db.command()
def rebuild(
    into: Annotated[str, typer.Argument(help="An empty database: a path or URL.")],
    db: Db = None,
    log: LogUrl = None,
) -> None:
    """Write everything that follows from the log into an empty database. Tells nobody again."""
    from dateline.ledger import rebuild as write

    records = write(settings(db, log), into)
    console().print(f"Rebuilt {into} from {records:,} records.")


@db.command()
def compare(
    other: Annotated[str, typer.Argument(help="Another database: a path or URL.")], db: Db = None
) -> None:
    """Do two databases hold the same derived rows? Fails when they differ."""
    from dateline.app import open_engine
    from store.compare import differences
    from store.engine import open_database

    found = differences(open_engine(settings(db)), open_database(other))
    for line in found:
        console().print(line)
    if found:
        raise typer.Exit(1)
    console().print("The same rows.")


@topics.command("create")
def create_topics(log: LogUrl = None) -> None:
    """Create the topics that are missing."""
    from dateline.app import open_log
    from stream.log.contract import topics as wanted

    config = settings(None, log)
    opened = open_log(config, make=True)
    created = opened.create_topics(wanted(config.log.article_partitions))
    opened.close()
    console().print(f"Created {', '.join(created)}." if created else "All topics exist.")
