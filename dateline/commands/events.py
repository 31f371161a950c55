"""The events: definitions from files, what they matched, and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from dateline.commands.shared import (
    NOTED,
    By,
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
Event = Annotated[str, typer.Argument(help="As `dateline events list` names it.")]
Article = Annotated[str, typer.Argument(help="Its id, ref or URL.")]


class Said(StrEnum):
    right = "right"
    wrong = "wrong"
    other = "other"


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
    definitions = registry.load(directory, lookup.example(config))
    program.prepare(config)
    opened = program.open_log(config)
    try:
        done = registry.apply(opened, definitions, prune=prune)
    finally:
        opened.close()
    if json:
        print_json(done._asdict())
        return
    for verb, ids in done._asdict().items():
        if ids:
            console().print(f"{verb}: {', '.join(ids)}")
    if done:
        console().print("The database follows, and articles are matched, while the pipeline runs.")


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
            "window": _window,
            "matches": "matches",
            "last match": "last_match",
            "removed": lambda r: "removed" if r["removed"] else "",
        },
        # Registering appends to the log; the database learns of it when the stages run.
        "The database has no events yet: `dateline events apply DIR` registers some, and "
        "`dateline run` takes them in.",
        json=json,
    )


@app.command()
def show(event: Event, db: Db = None, json: Json = False) -> None:
    """One event: its definition and the articles that matched."""
    from dateline import lookup

    found = lookup.event(settings(db), event)
    if json:
        print_json(found)
        return
    removed = ", removed" if found["removed"] else ""
    console().print(
        f"[b]{escape(found['title'])}[/b]  {found['event_id']}@{found['version']}{removed}\n"
        f"{escape(found['definition'].get('description') or '')}"
    )
    print_table(
        ("article", "published", "probability", "verdict", "outlet, title"),
        [
            (
                *(_short(m), m["published"], f"{m['probability']:.2f}", m["verdict"]),
                f"{m['outlet']}\n{m['title']}",
            )
            for m in found["articles"]
        ],
        "Nothing has matched yet.",
    )  # fmt: skip


def _window(event: Mapping[str, Any]) -> str:
    """On two lines, so that the days stay whole in a narrow window."""
    starts, ends = event["starts"], event["ends"]
    return f"{starts or '…'} –\n{ends or '…'}" if starts or ends else ""


def _short(match: Mapping[str, Any]) -> str:
    """The id of its own archive, where it is one that a person can type."""
    ref, own = str(match["ref"] or ""), str(match["article_id"])
    return ref if 0 < len(ref) <= len(own) else own


@app.command()
def explain(
    event: Event,
    article: Article,
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
    mark = "" if decision.calibrated else ", uncalibrated"
    console().print(
        f"{verdict} [b]{escape(event)}[/b]: probability {decision.probability:.2f}{mark}"
    )
    for line in lines(decision)[1:]:
        console().print(f"  · {line}", markup=False)
    label, why = lookup.placing(config, found)
    console().print(f"story: [b]{escape(label)}[/b]")
    for line in why:
        console().print(f"  · {line}", markup=False)


@app.command()
def verdict(
    event: Event,
    article: Article,
    said: Annotated[
        Said, typer.Argument(metavar="right|wrong|other", help="other: it is about another event.")
    ],
    other: Annotated[
        str | None, typer.Option(metavar="EVENT", help="With `other`: which event it is about.")
    ] = None,
    by: By = None,
    db: Db = None,
    log: LogUrl = None,
) -> None:
    """Say whether an article is about an event. The last word counts; matches show it."""
    from dateline import answers, lookup
    from stream.errors import UsageError
    from stream.records import Verdict

    if other is not None and said is not Said.other:
        raise UsageError(f"--other goes with the verdict `other`, not with `{said.value}`")
    config = settings(db, log)
    found = lookup.article(config, article)
    for one in filter(None, (event, other)):
        lookup.event(config, one)  # says so when there is none
    answers.give(
        config,
        Verdict(
            event_id=event,
            article_id=found["id"],
            verdict=said.value,
            other_event=other,
            at=datetime.now(UTC),
            by=by,
        ),
    )
    console().print(NOTED)


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
            "article": _short,
            "published": "published",
            "probability": lambda r: f"{r['probability']:.2f}",
            "outlet, title": lambda r: f"{r['outlet']}\n{r['title']}",
        },
        f"Nothing of the last {days} days would have matched.",
        json=json,
    )
