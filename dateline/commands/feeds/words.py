"""How feeds and items are shown to people. What comes from feeds is never taken for markup."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.style import Style
    from rich.table import Table
    from rich.text import Text

# A table that goes into a file or to grep has no window to fit.
_WIDE = 200
# Beyond these a larger unit says enough.
_UNITS = (
    (timedelta(minutes=2), timedelta(seconds=1), "s"),
    (timedelta(hours=2), timedelta(minutes=1), "min"),
    (timedelta(days=2), timedelta(hours=1), "h"),
)
_DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
STYLES = {
    "stored": "green", "duplicate": "dim", "filtered": "yellow", "dead": "red",
    "ok": "green", "active": "green", "paused": "dim", "gone": "red",
}  # fmt: skip


def out() -> Console:
    from rich.console import Console

    fits = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if fits else _WIDE)


def table(*columns: str, right: Sequence[str] = ()) -> Table:
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return made


def text(value: Any, style: str | Style = "") -> Text:
    """Anything as one that prints as it is: no markup, no control characters."""
    from rich.text import Text

    shown = "" if value is None else str(value)
    return Text("".join(c if c.isprintable() or c == "\n" else "�" for c in shown), style=style)


def link(url: str | None) -> Style:
    """Dim, and to be clicked as a whole even where it is folded."""
    from rich.style import Style

    return Style(dim=True, link=url if url and url.isascii() and url.isprintable() else None)


def lines(*parts: tuple[Any, str | Style]) -> Text:
    """One cell with a line for each (value, style) that has something to show."""
    from rich.text import Text

    return Text("\n").join([text(value, style) for value, style in parts if value])


def moment(value: datetime | None) -> str:
    """In UTC, to the minute."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if value else ""


def away(value: datetime | None, now: datetime) -> str:
    """How long ago, or until when, in one unit; "" for None."""
    if value is None:
        return ""
    if abs(value - now) < timedelta(seconds=1):
        return "now"
    span = length(abs(value - now).total_seconds())
    return f"{span} ago" if value <= now else f"in {span}"


def length(seconds: float) -> str:
    span = timedelta(seconds=seconds)
    for limit, unit, name in _UNITS:
        if span < limit:
            return f"{span // unit} {name}"
    return f"{span.days} days"


def many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def iso(row: dict[str, Any]) -> dict[str, Any]:
    """A row for JSON: times in ISO 8601."""
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()}


def hints(given: dict[str, Any]) -> list[str]:
    """What a feed asks of those who poll it, to be read after "it"."""
    said = []
    if ttl := given.get("ttl"):
        said.append(f"may be kept for {length(ttl)} (ttl)")
    if period := given.get("update_period"):
        said.append(f"is updated every {length(period)} (sy)")
    if hours := given.get("skip_hours"):
        said.append(f"asks to be left alone at {', '.join(map(str, hours))} h UTC")
    if days := given.get("skip_days"):
        said.append(f"asks to be left alone on {', '.join(_DAYS[day] for day in days)}")
    return said
