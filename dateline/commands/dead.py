"""Records that no stage could handle."""

from __future__ import annotations

from typing import Annotated

import typer

from dateline.commands.shared import (
    Db,
    Json,
    LogUrl,
    console,
    print_json,
    print_rows,
    settings,
    shown,
)

app = typer.Typer(no_args_is_help=True)
Stage = Annotated[str | None, typer.Option(help="Only letters of this stage.")]


@app.command("list")
def list_(
    stage: Stage = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those that were replayed.")] = False,
    db: Db = None,
    json: Json = False,
) -> None:
    """Dead letters: what failed, where, why, how often."""
    from dateline import letters

    print_rows(
        letters.listing(settings(db), stage=stage, every=all_),
        {
            "letter": "letter",
            "article": "article_id",
            "error": lambda r: f"{r['error']}: {r['message']}",
            "tries": "attempts",
            "since": "first_failed",
            "state": "state",
        },
        "No dead letters.",
        json=json,
    )


@app.command()
def show(
    letter: Annotated[str, typer.Argument(help="As `dead list` names it.")],
    db: Db = None,
    log: LogUrl = None,
    json: Json = False,
) -> None:
    """One dead letter with the record that it points to."""
    from dateline import letters

    found = letters.show(settings(db, log), letter)
    if json:
        print_json(found)
        return
    record = found.pop("record")
    for name, value in found.items():
        console().print(f"{name:>13}  {shown(value)}", markup=False)
    if record is None:
        console().print("The log no longer holds the record.")
    else:
        print_json(record)


@app.command()
def replay(
    letter: Annotated[
        list[str] | None, typer.Argument(help="As `dead list` names them; default all.")
    ] = None,
    stage: Stage = None,
    db: Db = None,
    log: LogUrl = None,
    json: Json = False,
) -> None:
    """Append the dead records to their topics again, each once, for stages that were mended."""
    from dateline import letters

    done = letters.replay(settings(db, log), letter or (), stage=stage)
    if json:
        print_json({"replayed": len(done.appended), **done._asdict()})
        return
    console().print(f"Appended {len(done.appended):,} records again.")
    if done.gone:
        console().print(
            f"{len(done.gone):,} could not be: the log no longer holds {', '.join(done.gone[:3])}"
            + (" and others." if len(done.gone) > 3 else ".")
        )
