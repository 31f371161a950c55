"""Decisions, times and numbers as an analyst would say them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from stream.records import Decision, Signal

# A contribution below this moves a probability by about two points at most: not worth a word.
TELLING = 0.1


def percent(probability: float) -> str:
    """'97 %'; never a certainty that nobody has: '>99 %', '<1 %'."""
    if probability > 0.99:
        return ">99 %"
    if probability < 0.01:
        return "<1 %"
    return f"{probability * 100:.0f} %"


def number(value: float | None) -> str:
    """'12,345'; '—' for what is not known."""
    if value is None:
        return "—"
    return f"{value:,.1f}" if isinstance(value, float) and value % 1 else f"{int(value):,}"


def plural(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def day(moment: date | None, *, year: bool = True) -> str:
    if moment is None:
        return "no date"
    return f"{moment.day} {moment:%b %Y}" if year else f"{moment.day} {moment:%b}"


def moment(value: datetime | None) -> str:
    """'27 May 2018, 14:23' in UTC."""
    return "never" if value is None else f"{day(value)}, {value:%H:%M}"


def ago(value: datetime | None, now: datetime) -> str:
    """'4 min ago', 'in 2 h'; beyond two days the date itself says more."""
    if value is None:
        return "never"
    seconds = (now - value).total_seconds()
    size = abs(seconds)
    if size >= 48 * 3600:
        return day(value)
    if size < 60:
        return "just now" if seconds >= 0 else "in a moment"
    told = f"{size // 60:.0f} min" if size < 5400 else f"{size / 3600:.0f} h"
    return f"{told} ago" if seconds > 0 else f"in {told}"


def iso_day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def window(starts: str | None, ends: str | None) -> str:
    """'6 Mar – 5 Jun 2018'."""
    first, last = iso_day(starts), iso_day(ends)
    if first and last:
        return f"{day(first, year=first.year != last.year)} – {day(last)}"
    if first:
        return f"since {day(first)}"
    return f"until {day(last)}" if last else "no window"


def span(first: datetime | None, last: datetime | None) -> str:
    """'27 May 2018', '24–28 May 2018', '24 May – 2 Jun 2018'."""
    if first is None or last is None:
        return day(first or last)
    if first.date() == last.date():
        return day(last)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day(last)}"
    return f"{day(first, year=first.year != last.year)} – {day(last)}"


def outside_link(url: str | None) -> str | None:
    """The URL when a browser may be sent there: http and https only."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


# The signals of `processors.match` as a person would call them; others are shown by their name.
_SIGNALS = {
    "meaning": "Meaning",
    "detail": "Closest sentence",
    "examples": "Examples",
    "against": "Counter-examples",
    "ahead": "Look-alikes",
    "lead": "Ahead of all others",
    "told": "Rare words",
    "stray": "Off the examples",
    "actors": "People",
    "places": "Places",
    "names": "Names",
    "own": "Names of its own",
    "opening": "Opening",
    "outdone": "A related event",
    "inside": "In the window",
    "outside": "Off the window",
    "days": "Days spoken of",
    "excluded": "Not about",
    "apart": "Apart from examples",
}


def signal_name(signal: Signal) -> str:
    return _SIGNALS.get(signal.name) or signal.name.replace("_", " ").capitalize()


def signed(value: float) -> str:
    """'+1.20', '−0.34'."""
    return f"{value:+.2f}".replace("-", "−")


def why(decision: Decision | None) -> str:
    """One line: what spoke most for a match, or most against one."""
    if decision is None:
        return "the reasons were stored in a form that this release cannot read"
    sign = 1 if decision.matched else -1
    weighty = sorted(
        (s for s in decision.signals if s.contribution * sign >= TELLING),
        key=lambda signal: -signal.contribution * sign,
    )
    # Two signals may say the same thing, as the whole description does of its closest sentence;
    # one that has no clause is told by its name at best.
    whole = any(s.name == "meaning" for s in weighty)
    telling = [s for s in weighty if not (whole and s.name == "detail")]
    clauses = list(dict.fromkeys(s.note for s in telling if s.note))
    clauses = clauses or [signal_name(signal).lower() for signal in weighty]
    if clauses:
        return "; ".join(clauses[:2])
    return "no single reason stands out" if decision.matched else "little in it speaks for this"


def marked(sentence: str, names: Sequence[str]) -> Markup:
    """The sentence with the shared names marked; everything else is plain text."""
    wanted = sorted({name for name in names if name}, key=len, reverse=True)
    if not wanted:
        return Markup(escape(sentence))  # noqa: S704  (escaped in this very call)
    pattern = re.compile("(" + "|".join(re.escape(name) for name in wanted) + ")")
    pieces = pattern.split(sentence)
    return Markup("").join(
        Markup("<mark>{}</mark>").format(piece) if index % 2 else piece
        for index, piece in enumerate(pieces)
    )


def now() -> datetime:
    return datetime.now(UTC)
