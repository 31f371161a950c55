"""How the feeds are: all of them, or the unhealthy ones."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dateline.commands.feeds import words
from dateline.commands.feeds.access import to_read
from dateline.commands.shared import Db, Json, print_json, settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

BEGIN = """No feeds yet. To begin:
  dateline feeds add https://example.org         finds the feeds of a site and adds them
  dateline feeds import feeds.opml --dry-run     shows what another reader's list would add
  dateline feeds check https://example.org/rss   shows each item as it would be ingested"""
# Due feeds of one host wait for each other; this long only when nobody polls.
_LATE = timedelta(minutes=10)
_WELL = ("ok", "new")


def list_(
    unhealthy: Annotated[
        bool, typer.Option("--unhealthy", help="Only feeds that need somebody to look at them.")
    ] = False,
    folder: Annotated[
        str | None, typer.Option(help="Only feeds of this folder and those inside it.")
    ] = None,
    db: Db = None,
    json: Json = False,
) -> None:
    """The feeds with their health."""
    with to_read(settings(db)) as engine:
        everything = _rows(engine) if engine else []
    rows = [
        row
        for row in everything
        if (not unhealthy or _ill(row))
        and (folder is None or f"{row['folder'] or ''}/".startswith(f"{folder.strip('/')}/"))
    ]
    if json:
        print_json([words.iso(row) for row in rows])
    elif rows:
        _print(rows)
    elif not everything:
        typer.echo(BEGIN)
    else:
        where = f" in the folder {folder}" if folder else ""
        which = "unhealthy feed" if unhealthy else "feed"
        typer.echo(f"No {which}{where}; {words.many(len(everything), 'feed')} in all.")


def summary(db: str | None) -> None:
    """How many feeds there are and how they are; how to begin when there are none."""
    with to_read(settings(db)) as engine:
        rows = _rows(engine) if engine else []
    if not rows:
        typer.echo(BEGIN)
        return
    states = {s: sum(row["state"] == s for row in rows) for s in ("active", "paused")}
    said = ", ".join(f"{count:,} {state}" for state, count in states.items() if count)
    typer.echo(f"{words.many(len(rows), 'feed')}: {said}.")
    if ill := Counter(row["health"] for row in rows if _ill(row)):
        said = ", ".join(f"{count:,} {health}" for health, count in ill.most_common())
        typer.echo(f"Unhealthy: {said}. See `dateline feeds list --unhealthy`.")


def _ill(row: dict[str, Any]) -> bool:
    return row["state"] == "active" and row["health"] not in _WELL


def _rows(engine: Engine) -> list[dict[str, Any]]:
    import sqlalchemy as sa

    from store.connection import reading, translated
    from store.views import v_feeds

    query = sa.select(v_feeds.table).order_by(sa.column("url"))
    with translated(), reading(engine) as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def _print(rows: list[dict[str, Any]]) -> None:
    now = datetime.now(UTC)
    shown = words.table("health", "feed", "a day", "last new", "next", right=("a day",))
    for row in rows:
        state, health = row["state"], row["health"]
        health = state if state != "active" else health
        why = row["why"] or row["error"]
        per_day = row["items_per_day"]
        shown.add_row(
            words.text(health, words.STYLES.get(health, "yellow")),
            words.lines((row["url"], ""), (why, "yellow")),
            words.text("" if per_day is None else f"{per_day:.1f}"),
            words.text(words.away(row["last_new"], now)),
            words.text(_next(row["next_at"], now) if state == "active" else ""),
        )
    words.out().print(shown)


def _next(at: datetime, now: datetime) -> str:
    """When it is polled next; of one that waits for long, for how long: is a poller running?"""
    if at < now - _LATE:
        return f"{words.length((now - at).total_seconds())} late"
    return words.away(max(at, now), now)
