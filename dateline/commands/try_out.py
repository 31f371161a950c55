"""What a newcomer tries first: the demo, a headline, an archive."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dateline.commands.shared import Db, Json, console, print_json, settings
from dateline.demo import EXAMPLES


def register(app: typer.Typer) -> None:
    app.command()(demo)
    app.command()(explain)
    app.command()(replay)


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="As fast as it goes; ends by itself.")
    ] = False,
    log: Annotated[str, typer.Option(help="sqlite, or kafka for the packaged broker.")] = "sqlite",
    seconds: Annotated[
        float, typer.Option(min=5, help="How long the fifteen months take to play.")
    ] = 30,
    directory: Annotated[Path, typer.Option(help="Made anew at each start.")] = Path("demo-run"),
    port: Annotated[int, typer.Option(help="Of the desk; 0 = any free one.")] = 8642,
) -> None:
    """Sample feeds over HTTP, the whole pipeline, alerts as they happen, the desk."""
    from dateline.demo.play import play

    raise typer.Exit(play(directory, log=log, once=once, seconds=seconds, port=port))


def explain(
    text: Annotated[
        str, typer.Argument(help="A headline, a text, or the URL of a stored article.")
    ],
    published: Annotated[
        str | None, typer.Option(help="When it was published (ISO 8601); default: not known.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option(help="A folder of definitions, instead of the registered ones.")
    ] = None,
    db: Db = None,
    json: Json = False,
) -> None:
    """Which events would it match, and why (and why not)."""
    import msgspec

    from dateline import lookup
    from dateline.app import open_engine
    from dateline.explain import Explainer
    from processors.match.words import lines
    from stream.errors import UsageError

    config = settings(db)
    title, body, when = text.strip(), "", _time(published)
    # Without anything registered yet, the samples show what the answer looks like.
    nothing_yet = config.embedded and not Path(config.database.url).exists() and db is None
    if events is None and nothing_yet:
        events = EXAMPLES / "events"
        typer.echo("No database here yet: trying the sample events.", err=True)
    if title.startswith(("http://", "https://")):
        stored = lookup.article(config, title)
        title, body, when = stored["title"], stored["text"], when or stored["published"]
    elif "\n" in title or len(title) > 200:
        title, _, body = (
            title.partition("\n") if title.find("\n") in range(200) else ("", "", title)
        )
    if events is not None:
        from dateline.registry import load

        known = load(events, lookup.example(config))
        explainer = Explainer(config, None, definitions=known)
    else:
        explainer = Explainer(config, open_engine(config))
    if not explainer.definitions():
        raise UsageError(
            "the database has no events yet: `dateline events apply DIR` registers some, "
            "`dateline run` takes them in; or try a folder with --events DIR"
        )
    if sys.stderr.isatty():
        typer.echo("Loading the model …", err=True)
    decisions = explainer(title, body, when)
    if json:
        print_json([msgspec.to_builtins(decision) for decision in decisions])
        return
    out = console()
    for decision in decisions:
        mark = "[b green]match[/]" if decision.matched else "[dim]no[/]   "
        doubt = "" if decision.calibrated else "  uncalibrated"
        out.print(f"{mark} {decision.probability:5.2f}  [b]{decision.event_id}[/b]{doubt}")
        for line in lines(decision)[1:]:
            out.print(f"             · {line}", markup=False, highlight=False)


def replay(
    file: Annotated[Path, typer.Argument(help="JSON lines: id, url, title, text, published, …")],
    db: Db = None,
    events: Annotated[
        Path | None, typer.Option(help="A folder of event definitions to register first.")
    ] = None,
    json: Json = False,
) -> None:
    """An archive through the whole pipeline, into a database and a log of its own."""
    from dateline.replay import replay as run

    config = settings(db or f"{file.stem}.db")
    report = run(config, file, events)
    if json:
        print_json(report.as_dict())
    else:
        console().print(report.as_text())


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    from stream.errors import UsageError

    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--published: expected a time such as 2018-06-12T14:00+08:00, got {text!r}"
        ) from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
