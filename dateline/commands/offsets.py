"""Where the stages go on in the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from dateline.commands.shared import Db, Json, LogUrl, console, print_rows, settings

app = typer.Typer(no_args_is_help=True)


@app.command()
def show(db: Db = None, log: LogUrl = None, json: Json = False) -> None:
    """Where each stage goes on, and what the log holds."""
    from dateline.offsets import show as read

    print_rows(
        read(settings(db, log)),
        {
            "stage": "stage",
            "partition": _partition,
            "first": "first",
            "goes on at": "next",
            "saved": "saved",
            "end": "end",
            "waiting": "waiting",
        },
        "",
        json=json,
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
    print_rows(
        rows,
        {"partition": _partition, "went on at": "was", "goes on at": "now"},
        "",
        json=json,
    )
    if stage == "cluster" and not json:
        console().print(
            "Where its newest snapshot fits the log, that still says where it goes on: "
            "placements on the log are facts."
        )


def _partition(row: Mapping[str, Any]) -> str:
    return f"{row['topic']}/{row['partition']}"
