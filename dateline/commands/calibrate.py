"""The decisions for another model, learned from labelled streams."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from dateline.commands.shared import Json, console, print_json, print_table, settings


def register(app: typer.Typer) -> None:
    app.command()(calibrate)


def calibrate(
    files: Annotated[
        list[Path],
        typer.Argument(help="JSON lines: title, text, published, lang, cluster (see the docs)."),
    ],
    stories: Annotated[Path, typer.Option(help="Write the decision of the cluster stage here.")],
    events: Annotated[Path, typer.Option(help="Write the decision of the match stage here.")],
    model: Annotated[
        str | None, typer.Option(help="As in embed.model; default: the configured one.")
    ] = None,
    reads: Annotated[
        str | None,
        typer.Option(help="Languages it reads, as in en,de; default: what is known of it."),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps vectors between runs.")
    ] = None,
    json: Json = False,
) -> None:
    """Learn how stories and events are decided with another embedding model."""
    import msgspec
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from bench.calibrate import calibrate as learn
    from stream.errors import UsageError

    embed = settings().embed
    if model is not None:
        embed = embed.model_copy(update={"model": model})
    for path in (stories, events):
        if not path.parent.is_dir():  # before an hour of work
            raise UsageError(f"cannot write {path}: there is no folder {path.parent}")
    bar = Progress(
        TextColumn("{task.description:<36}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(file=sys.stderr),
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task("reading", total=None)
        found = learn(
            files,
            embed,
            cache or Path(tempfile.gettempdir()) / "dateline-bench",
            reads=[one.strip() for one in (reads or "").split(",") if one.strip()],
            step=lambda what, done, of: bar.update(
                task, description=what, completed=done, total=of
            ),
        )
    stories.write_bytes(found.stories)
    events.write_bytes(found.events)
    report = found.report
    if json:
        print_json(msgspec.to_builtins(report))
        return

    def share(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}"

    console().print(f"{report.model}, reads {' '.join(report.reads)}")
    print_table(
        ("stream", "articles", "stories F1", "left out", "events", "events F1", "left out"),
        [
            (
                one.stream, one.articles, share(one.stories_f1), share(one.stories_left_out),
                one.events, share(one.events_f1), share(one.events_left_out),
            )
            for one in report.streams
        ],
        "",
    )  # fmt: skip
    console().print(
        "Left out: learned from the other streams only, which is what to expect of new ones.\n"
        f'To use it: embed.model as here, cluster.decision_file = "{stories}", '
        f'match.decision_file = "{events}".',
        markup=False,
    )
