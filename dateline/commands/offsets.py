"""Where the stages go on in the log."""

from __future__ import annotations

from typing import Annotated

import typer

from dateline.commands.shared import Db, Json, LogUrl, console, print_json, print_table, settings

app = typer.Typer(no_args_is_help=True)


@app.command()
def show(db: Db = None, log: LogUrl = None, json: Json = False) -> None:
    """Where each stage goes on, and what the log holds."""
    from dateline.offsets import show as read

    rows = read(settings(db, log))
    if json:
        print_json(rows)
        return
    print_table(
        ("stage", "partition", "first", "goes on at", "database is at", "end", "waiting"),
        [
            (
                r["stage"],
                f"{r['topic']}/{r['partition']}",
                r["first"],
                r["next"],
                r["saved"],
                r["end"],
                r["waiting"],
            )
            for r in rows
        ],
        "",
    )


@app.command()
def reset(
    stage: Annotated[str, typer.Argument(help="embed, cluster, match or database.")],
    to: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="An ISO time; start or end of what the log holds; or saved: where "
            "the database is.",
        ),
    ],
    skip: Annotated[
        bool, typer.Option(help="Leave records out, if that is what it means.")
    ] = False,
    db: Db = None,
    log: LogUrl = None,
    json: Json = False,
) -> None:
    """Let a stopped stage go on at another place, and with topics that were made again."""
    from dateline.offsets import read_time
    from dateline.offsets import reset as move

    rows = move(settings(db, log), stage, read_time(to), skip=skip)
    if json:
        print_json(rows)
        return
    print_table(
        ("partition", "went on at", "goes on at"),
        [(f"{r['topic']}/{r['partition']}", r["was"], r["now"]) for r in rows],
        "",
    )
    if stage == "cluster":
        console().print(
            "Where its newest snapshot fits the log, that still says where it goes on: "
            "placements on the log are facts."
        )
