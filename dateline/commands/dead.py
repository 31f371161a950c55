"""Records that no stage could handle."""

from __future__ import annotations

import typer

from dateline.commands.shared import (
    Db,
    Json,
    LogUrl,
    console,
    print_json,
    print_table,
    settings,
    when,
)

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(db: Db = None, json: Json = False) -> None:
    """Dead letters: what failed, where, why, how often."""
    from dateline import lookup

    rows = lookup.dead(settings(db))
    if json:
        print_json(rows)
        return
    print_table(
        ("stage", "record", "article", "error", "since"),
        [
            (
                r["stage"],
                f"{r['topic']}/{r['partition']}/{r['log_offset']}",
                r["article_id"],
                f"{r['error']}: {r['message']}",
                when(r["first_failed"]),
            )
            for r in rows
        ],
        "No dead letters.",
    )


@app.command()
def replay(db: Db = None, log: LogUrl = None, json: Json = False) -> None:
    """Append the dead records to their topics again, for stages that have been mended."""
    from dateline.ledger import replay_dead

    count = replay_dead(settings(db, log))
    if json:
        print_json({"replayed": count})
    else:
        console().print(f"Appended {count} records again.")
