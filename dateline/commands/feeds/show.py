"""`dateline feeds show`: one feed in detail."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dateline.commands.feeds import words
from dateline.commands.feeds.access import to_read
from dateline.commands.shared import Db, Json, print_json, settings

if TYPE_CHECKING:
    from rich.table import Table
    from sqlalchemy import Engine

# Polls that are listed, and days: what a person compares at one look.
_POLLS, _DAYS = 10, 7
_FATES = ("stored", "revised", "duplicate", "filtered", "dead")


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
    if reasons := _reasons(found["polls"]):
        out.print(words.text("Why, in these polls:", "dim"))
        for line in reasons:
            out.print(words.text(line))


def _detail(engine: Engine, url: str) -> dict[str, Any]:
    """The feed's row, who polls it, its last polls and their sums by day; plain values."""
    import sqlalchemy as sa

    from ingest import feeds
    from store import tables, views
    from store.connection import reading, translated

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
        **words.iso(dict(row._mapping)),
        "days": [dict(day._mapping) for day in days],
        "polls": [words.iso(dict(poll._mapping)) for poll in polls],
    }


def _facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and value of what `show` says above the tables; "" = nothing to say."""
    now = datetime.now(UTC)

    def at(name: str) -> str:
        value = found.get(name)
        moment = datetime.fromisoformat(value) if value else None
        return f"{words.moment(moment)} ({words.away(moment, now)})" if moment else ""

    per_day, errors = found["items_per_day"], found["errors_in_row"]
    why = found["why"] or ""
    failing = errors and (found["error"] or "") not in why
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
        ("why", why),
        ("error", f"{found['error']} ({words.many(errors, 'time')} in a row)" if failing else ""),
        ("outlet", found["outlet"] or ""),
        ("folder", found["folder"] or ""),
        ("full text", full_text[found["full_text"]]),
        ("rhythm", rhythm),
        ("it", "; ".join(words.hints(found["hints"] or {}))),
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
    """Days or polls: how many items were seen and what became of them."""
    numbers = [name for name in ("polls", "failed", "seen") if name in rows[0]]
    more = ["outcome", "status"] if "outcome" in rows[0] else []
    shown = words.table(heading, *more, *numbers, "of which", right=(*numbers, "status"))
    for row in rows:
        at = row.get("day") or words.moment(datetime.fromisoformat(row["at"]))
        became = ", ".join(f"{row[fate]:,} {fate}" for fate in _FATES if row[fate])
        counts = [f"{row[name]:,}" for name in numbers]
        shown.add_row(*map(words.text, (at, *(row[name] for name in more), *counts, became)))
    return shown


def _reasons(polls: list[dict[str, Any]]) -> list[str]:
    """The reasons for fates in these polls, the most frequent first."""
    counts = Counter[str]()
    for poll in polls:
        counts.update(poll["reasons"] or {})
    return [f"  {count:,} {reason}" for reason, count in counts.most_common()]
