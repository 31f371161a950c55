"""The feeds to poll: finding and adding them, checking them, their health, lists of them."""

from __future__ import annotations

import typer

from dateline.commands.feeds import add, change, check, lists, look, show
from dateline.commands.shared import Db

app = typer.Typer(invoke_without_command=True)
app.command("add")(add.add)
app.command("list")(look.list_)
app.command("show")(show.show)
app.command("check")(check.check)
app.command("import")(lists.import_)
app.command("export")(lists.export)
app.command("pause")(change.pause)
app.command("resume")(change.resume)
app.command("poll-now")(change.poll_now)
app.command("remove")(change.remove)


@app.callback()
def _feeds(context: typer.Context, db: Db = None) -> None:
    """The feeds to poll. Without a command: how they are, or how to begin."""
    if db is not None and context.invoked_subcommand is not None:
        from stream.errors import UsageError

        then = f"dateline feeds {context.invoked_subcommand} --db …"
        raise UsageError(f"--db goes behind the command: `{then}`")
    if context.invoked_subcommand is None:
        look.summary(db)
        typer.echo("\nCommands and options: `dateline feeds --help`.")
