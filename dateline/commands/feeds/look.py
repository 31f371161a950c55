"""How the feeds are: all of them, the unhealthy ones, or one in detail."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dateline.commands.feeds import words
from dateline.commands.feeds.access import to_read
from dateline.commands.shared import Db, Json, print_json, settings

if TYPE_CHECKING:
    from rich.table import Table
    from sqlalchemy import Engine

BEGIN = """No feeds yet. To begin:
  dateline feeds add https://example.org         finds the feeds of a site and adds them
  dateline feeds import feeds.opml --dry-run     shows what another reader's list would add
  dateline feeds check https://example.org/rss   shows each item as it would be ingested"""
# Polls that `show` lists, and days: what a person compares at one look.
_POLLS, _DAYS = 10, 7
# Due feeds of one host wait for each other; this long only when nobody polls.
_LATE = timedelta(minutes=10)
_WELL = ("ok", "new")
_COUNTS = ("seen", "stored", "revised", "duplicate", "filtered", "dead")


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
        print_json([_iso(row) for row in rows])
    elif rows:
        _print(rows)
    elif not everything:
        typer.echo(BEGIN)
    else:
        where = f" in the folder {folder}" if folder else ""
        which = "unhealthy feed" if unhealthy else "feed"
        typer.echo(f"No {which}{where}; {words.many(len(everything), 'feed')} in all.")


def show(
    url: Annotated[str, typer.Argument(metavar="URL")], db: Db = None, json: Json = False
) -> None:
    """One feed: its state, its rhythm, what its document asks, its last days and polls."""
    from stream.errors import UsageError

    with to_read(settings(db)) as engine:
        if engine is None:
            raise UsageError("there is no database yet, so no feeds; `dateline feeds add URL`")
        found = _detail(engine, url)
    if json:
        print_json(found)
        return
    out = words.out()
    out.print(words.text(found["title"] or found["url"], "bold"))
    facts = words.table("", "")
    facts.show_header = False
    for name, value in _facts(found):
        if value:
            facts.add_row(words.text(name, "dim"), words.text(value))
    out.print(facts)
    for heading, rows in (("day (UTC)", found["days"]), ("poll (UTC)", found["polls"])):
        if rows:
            out.print(_counted(heading, rows))


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

    from store.engine import reading, translated
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


def _detail(engine: Engine, url: str) -> dict[str, Any]:
    """The feed's row, who polls it, its last polls and their sums by day; plain values."""
    import sqlalchemy as sa

    from ingest import feeds
    from store import tables, views
    from store.engine import reading, translated

    feed = feeds.find(engine, url)
    f, h, p, ledger = tables.feeds, tables.hosts, tables.polls, views.v_ledger.table
    with translated(), reading(engine) as connection:
        row = connection.execute(
            sa.select(f, h.c.owner)
            .join_from(f, h, h.c.host == f.c.host, isouter=True)
            .where(f.c.id == feed.id)
        ).one()
        polls = connection.execute(
            sa.select(p).where(p.c.source == feed.url).order_by(p.c.at.desc()).limit(_POLLS)
        ).all()
        days = connection.execute(
            sa.select(ledger)
            .where(ledger.c.source == feed.url)
            .order_by(ledger.c.day.desc())
            .limit(_DAYS)
        ).all()
    return {
        **_iso(dict(row._mapping)),
        "days": [dict(day._mapping) for day in days],
        "polls": [_iso(dict(poll._mapping)) for poll in polls],
    }


def _facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and value of what `show` says above the tables; "" = nothing to say."""
    now = datetime.now(UTC)

    def at(name: str) -> str:
        value = found.get(name)
        moment = datetime.fromisoformat(value) if value else None
        return f"{words.moment(moment)} ({words.away(moment, now)})" if moment else ""

    per_day, errors = found["items_per_day"], found["errors_in_row"]
    hints = ", ".join(f"{k} {v}" for k, v in (found["hints"] or {}).items())
    rhythm = f"every {words.length(found['interval_s'])}"
    if per_day is not None:
        rhythm = f"{per_day:.1f} items a day, polled {rhythm}"
    full_text = {None: "", True: "from the articles' pages", False: "never from pages"}
    return [
        ("address", found["url"]),
        ("state", found["state"]),
        (
            "health",
            found["health"] + (f", since {at('health_since')}" if found["health_since"] else ""),
        ),
        ("why", found["why"] or ""),
        ("error", f"{found['error']} ({words.many(errors, 'time')} in a row)" if errors else ""),
        ("outlet", found["outlet"] or ""),
        ("folder", found["folder"] or ""),
        ("full text", full_text[found["full_text"]]),
        ("rhythm", rhythm),
        ("it asks", hints),
        ("added", at("added")),
        ("last polled", at("last_at")),
        ("last answer", at("last_ok")),
        ("last new", at("last_new")),
        ("next poll", at("next_at") if found["state"] == "active" else ""),
        (
            "moved to",
            f"{found['moved_to']}, since {at('moved_since')}" if found["moved_to"] else "",
        ),
        ("polled by", found["owner"] or ""),
    ]


def _counted(heading: str, rows: list[dict[str, Any]]) -> Table:
    numbers = [n for n in ("polls", "failed", "outcome", "status", *_COUNTS) if n in rows[0]]
    shown = words.table(heading, *numbers, "reasons", right=numbers)
    for row in rows:
        at = row.get("day") or words.moment(datetime.fromisoformat(row["at"]))
        reasons = "; ".join(f"{n} {why}" for why, n in (row.get("reasons") or {}).items())
        cells = ["" if row[n] is None else row[n] for n in numbers]
        shown.add_row(words.text(at), *map(words.text, cells), words.text(reasons, "dim"))
    return shown


def _iso(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()}
