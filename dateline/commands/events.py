"""The events: definitions from files, what they matched, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from dateline.commands.shared import (
    NO_EVENTS,
    Db,
    Json,
    LogUrl,
    console,
    print_json,
    print_rows,
    print_table,
    settings,
)

app = typer.Typer(no_args_is_help=True)


@app.command()
def apply(
    directory: Annotated[Path, typer.Argument(help="A folder of .toml definitions, or one file.")],
    prune: Annotated[
        bool, typer.Option("--prune", help="Also remove events that are not in the folder.")
    ] = False,
    db: Db = None,
    log: LogUrl = None,
    json: Json = False,
) -> None:
    """Register definitions. A new version looks back 30 days over what is stored."""
    from dateline import app as program
    from dateline import lookup, registry

    config = settings(db, log)
    program.prepare(config)
    opened = program.open_log(config)
    try:
        done = registry.apply_path(opened, directory, prune=prune, lookup=lookup.example(config))
    finally:
        opened.close()
    if json:
        print_json(done._asdict())
        return
    for verb, ids in done._asdict().items():
        if ids:
            console().print(f"{verb}: {', '.join(ids)}")
    if not any(done._asdict().values()):
        console().print(f"{directory} holds no definitions.")


@app.command("list")
def list_(db: Db = None, json: Json = False) -> None:
    """The registered events and how much matched."""
    from dateline import lookup

    print_rows(
        lookup.events(settings(db)),
        {
            "event": "event_id",
            "title": "title",
            "version": "version",
            "window": lambda r: f"{r['starts'] or '…'} – {r['ends'] or '…'}",
            "matches": "matches",
            "last match": "last_match",
        },
        NO_EVENTS,
        json=json,
    )


@app.command()
def show(event: str, db: Db = None, json: Json = False) -> None:
    """One event: its definition and the articles that matched."""
    from dateline import lookup

    found = lookup.event(settings(db), event)
    if json:
        print_json(found)
        return
    console().print(f"[b]{escape(found['title'])}[/b]  {found['event_id']}@{found['version']}")
    print_table(
        ("article", "published", "probability", "outlet", "title"),
        [
            (_short(m), m["published"], f"{m['probability']:.2f}", m["outlet"], m["title"])
            for m in found["articles"]
        ],
        "Nothing has matched yet.",
    )  # fmt: skip


def _short(match: dict[str, Any]) -> str:
    """The id of its own archive, where it is one that a person can type."""
    ref, own = str(match["ref"] or ""), str(match["article_id"])
    return ref if 0 < len(ref) <= len(own) else own


@app.command()
def explain(
    event: str,
    article: Annotated[str, typer.Argument(help="Article id, ref or URL.")],
    db: Db = None,
    json: Json = False,
) -> None:
    """Why an article matched an event, or why not, in words."""
    from dateline import lookup
    from processors.match.words import lines

    config = settings(db)
    decision, found = lookup.decision(config, event, article)
    if json:
        import msgspec

        print_json(msgspec.to_builtins(decision))
        return
    verdict = "is about" if decision.matched else "is not about"
    title = found["title"] or found["text"][:80]
    console().print(f"[b]{escape(title)}[/b]")
    console().print(f"{verdict} [b]{escape(event)}[/b]: probability {decision.probability:.2f}")
    for line in lines(decision):
        console().print(f"  · {line}", markup=False)
    label, why = lookup.placing(config, found)
    console().print(f"story: [b]{escape(label)}[/b]")
    for line in why:
        console().print(f"  · {line}", markup=False)


@app.command()
def backtest(
    file: Annotated[Path, typer.Argument(help="One definition file.")],
    db: Db = None,
    days: Annotated[int, typer.Option(help="How far back from the newest article.")] = 30,
    json: Json = False,
) -> None:
    """What a definition would have matched among the stored articles. Writes nothing."""
    from dateline import lookup

    print_rows(
        lookup.backtest(settings(db), file, days),
        {
            "article": lambda r: r["ref"] or r["article_id"],
            "published": "published",
            "probability": lambda r: f"{r['probability']:.2f}",
            "outlet": "outlet",
            "title": "title",
        },
        f"Nothing of the last {days} days would have matched.",
        json=json,
    )
