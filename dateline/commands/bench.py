"""Measurements, beside a peer or a limit. The code is in `bench/`."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)
Rest = Annotated[list[str] | None, typer.Argument(help="Arguments of the measurement.")]
_pass_on = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(context_settings=_pass_on, add_help_option=False)
def stories(rest: Rest = None) -> None:
    """Story quality on labelled files, beside baselines."""
    _module("bench.stories", rest)


@app.command(context_settings=_pass_on, add_help_option=False)
def tracking(rest: Rest = None) -> None:
    """Tracking quality on labelled files, with k examples or a description, beside baselines."""
    _module("bench.trials", rest)


@app.command(context_settings=_pass_on, add_help_option=False)
def copies(rest: Rest = None) -> None:
    """Copies between outlets, on captured feeds, against pairs judged by hand."""
    _module("bench.copies", rest)


@app.command(context_settings=_pass_on, add_help_option=False)
def quality(rest: Rest = None) -> None:
    """Every figure of docs/quality.md, from the folder of labelled data."""
    _module("bench.quality", rest)


@app.command(context_settings=_pass_on, add_help_option=False)
def cost(rest: Rest = None) -> None:
    """Placing and matching as the stream grows to 100,000 open articles, beside an exact scan."""
    _module("bench.cost", rest, stage="cluster")


@app.command(context_settings=_pass_on, add_help_option=False)
def recovery(rest: Rest = None) -> None:
    """How soon the cluster stage places again after a kill, with up to a million open articles."""
    _module("bench.recovery", rest, stage="cluster")


@app.command(context_settings=_pass_on, add_help_option=False)
def ingest(rest: Rest = None) -> None:
    """Feeds a second through the poller, beside reader and a bare loop."""
    _module("bench.ingest", rest)


@app.command(context_settings=_pass_on, add_help_option=False)
def leases(rest: Rest = None) -> None:
    """10,000 feeds, three pollers, one killed: how late, how often twice, how polite."""
    _module("bench.leases", rest)


def _module(name: str, rest: list[str] | None, stage: str = "") -> None:
    """`stage`: in an environment as that stage has it."""
    from dateline.supervisor import memory_of

    command, environ = [sys.executable, "-m", name, *(rest or [])], {**memory_of([stage])}
    done = subprocess.run(command, env={**environ, **os.environ}, check=False)  # noqa: S603
    raise typer.Exit(done.returncode)
