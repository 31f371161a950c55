"""Numbers and days that a text mentions."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import NamedTuple

from processors.text import MAX_CHARS
from processors.text.sentences import Span

MONTHS = {
    name: number
    for number, names_ in enumerate(
        (
            ("january", "jan"),
            ("february", "feb"),
            ("march", "mar"),
            ("april", "apr"),
            ("may",),
            ("june", "jun"),
            ("july", "jul"),
            ("august", "aug"),
            ("september", "sept", "sep"),
            ("october", "oct"),
            ("november", "nov"),
            ("december", "dec"),
        ),
        start=1,
    )
    for name in names_
}

# The look behind comes after the first digit, so that a search skips to digits.
_NUMBER = re.compile(r"\d(?<![\w.,].)\d{0,14}(?:[.,]\d{1,15})*(?![\w])")
# The same in a text that is all ASCII, in two thirds of the time.
_ASCII_NUMBER = re.compile(r"[0-9](?<![\w.,].)[0-9]{0,14}(?:[.,][0-9]{1,15})*(?![\w])", re.ASCII)
_MONTH_WORD = "|".join(sorted(MONTHS, key=len, reverse=True))
_DAY = r"\d{1,2}"
_YEAR = r"(?:19|20)\d\d"
_TH = "(?:st|nd|rd|th)?"
# What every one of the four begins with, first: nothing else is tried elsewhere.
_DATES = re.compile(
    r"(?=[\dJFMASOND])(?:"
    rf"(?<!\d)(?P<y1>{_YEAR})[-/.年]\s?(?P<m1>{_DAY})[-/.月]\s?(?P<d1>{_DAY})(?!\d)"
    rf"|(?<!\d)(?P<m2>{_DAY})月(?P<d2>{_DAY})日"
    rf"|\b(?P<d3>{_DAY}){_TH}(?: of)? (?P<m3>{_MONTH_WORD})\b\.?,?(?: (?P<y3>{_YEAR})\b)?"
    rf"|\b(?P<m4>{_MONTH_WORD})\b\.? (?P<d4>{_DAY}){_TH}\b(?!:)(?:,? (?P<y4>{_YEAR})\b)?)",
    re.IGNORECASE,
)


class Day(NamedTuple):
    """A day that the text mentions, as it stands there."""

    text: str
    start: int
    day: date


def numbers(text: str) -> list[Span]:
    """Numbers as written, with their separators ("1,200", "3.5")."""
    text = text[:MAX_CHARS]
    number = _ASCII_NUMBER if text.isascii() else _NUMBER
    return [Span(m.group(), m.start()) for m in number.finditer(text)]


def mentioned_dates(text: str, anchor: date | None) -> list[Day]:
    """Days that the text names. One without a year is taken in the year that brings it nearest
    to `anchor` (the day of publication), and left out when there is no anchor."""
    found: list[Day] = []
    for match in _DATES.finditer(text[:MAX_CHARS]):
        parts = {key[0]: value for key, value in match.groupdict().items() if value}
        month = MONTHS.get(parts["m"].lower()) or (
            int(parts["m"]) if parts["m"].isascii() and parts["m"].isdigit() else 0
        )
        day = _nearest(int(parts["y"]) if "y" in parts else None, month, int(parts["d"]), anchor)
        if day is not None:
            found.append(Day(match.group(), match.start(), day))
    return found


def _nearest(year: int | None, month: int, day: int, anchor: date | None) -> date | None:
    if year is not None:
        years = [year]
    elif anchor is not None:
        years = [anchor.year + step for step in (-1, 0, 1) if 1 <= anchor.year + step <= 9999]
    else:
        return None
    days = []
    for candidate in years:
        try:
            days.append(date(candidate, month, day))
        except ValueError:
            continue
    if anchor is None:
        return days[0] if days else None
    return min(days, key=lambda one: abs(one - anchor), default=None)


def day_distance(day: date, starts: date | None, ends: date | None) -> int:
    """How many days `day` lies outside the window (0 = inside; an open end has no limit)."""
    if starts is not None and day < starts:
        return (starts - day) // timedelta(days=1)
    if ends is not None and day > ends:
        return (day - ends) // timedelta(days=1)
    return 0
