"""Dates as feeds write them, read from the raw string.

feedparser's own reading is not used: it takes 2021年9月20日 for 1 November, epoch seconds for the
year 1633 and BST for UTC. What cannot be read with certainty is None, never a guess: an unknown
date is better than a wrong one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from ingest.documents.calendars import month_named, zone_offset

# Longer strings are no dates, and regular expressions should not meet them.
_MAX_LENGTH = 100
# Before: an unset field, such as Go's 0001-01-01. After: a placeholder, such as 9999-12-31. What
# lies between is the publisher's claim and kept, however odd: the order of articles never uses it.
_FIRST, _LAST = datetime(1000, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)

_MAX_OFFSET = 14 * 60  # minutes; Kiribati is farthest
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_TIME = (
    r"(?P<hour>\d{1,2})(?:[:.]|\s?h\s?)(?P<minute>\d{1,2})"
    r"(?:[:.](?P<second>\d{1,2}))?(?:[.,]\d{1,9})?"
)
_CLOCK = re.compile(_TIME + r"\s*(?P<half>[ap]\.?m\b\.?)?", re.IGNORECASE)
_OFFSET = re.compile(
    r"(?:GMT|UTC)?\s*(?P<sign>[+\-−])(?P<hours>\d{1,2})(?:[:.]?(?P<minutes>\d{2}))?"
    r"(?:\s*\(?[A-Za-z][A-Za-z ]*\)?)?\s*$",
    re.I,
)
_ZONE = re.compile(r"\b([A-Za-z]{1,5})\s*\)?$")
_ISO = re.compile(
    r"(?P<year>\d{4})(?:[-/]|\.\s?)(?P<month>\d{1,2})(?:[-/]|\.\s?)(?P<day>\d{1,2})(?!\d)"
)
_COMPACT = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?:T?(?P<h>\d\d)(?P<m>\d\d)(?P<s>\d\d)?)?(?!\d)"
)
_CJK = re.compile(
    r"(?P<year>\d{4})\s*[年년]\s*(?P<month>\d{1,2})\s*[月월]\s*(?P<day>\d{1,2})\s*[日일]"
)
_CJK_TIME = re.compile(
    r"(?P<pm>下午|午後|오후)?\s*(?P<hour>\d{1,2})\s*[時时시点]\s*(?:(?P<minute>\d{1,2})\s*[分분])?"
)
_NAME = r"(?P<name>[^\s\d.,:;/+()\-]{2,20})"
_DAY_NAME = re.compile(
    r"(?<!\d)(?P<day>\d{1,2})(?:st|nd|rd|th|er|re|º|ª|°|\.)?[\s\-]+(?:de\s+|ב)?"
    + _NAME
    + r"\.?,?[\s\-]+(?:de\s+)?(?P<year>\d{4}|\d{2})(?!\d|:)"
)
_NAME_DAY = re.compile(_NAME + r"\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})(?!\d)")
_YEAR_NAME = re.compile(
    r"(?P<year>\d{4})(?:\.|\s*m\.)?[\s\-]+" + _NAME + r"\.?[\s\-]+(?P<day>\d{1,2})(?!\d|:)"
)
_CTIME = re.compile(
    r"(?P<name>[A-Za-z]{3}) (?P<day>\d{1,2}) (?P<time>[\d:]{4,8}(?: [A-Z]{1,5})?) (?P<year>\d{4})$"
)
_DOTTED = re.compile(
    r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.\s?(?P<year>\d{4}|\d{2})(?!\d|[.:])"
)
_SLASHED = re.compile(r"(?P<a>\d{1,2})[/-](?P<b>\d{1,2})[/-](?P<year>\d{4})(?!\d)")
_EPOCH = re.compile(r"-?\d{9,10}(?:\.\d+)?|\d{13}|\d{16}")  # seconds, milli-, microseconds
_PARTIAL = re.compile(r"((?:19|20)\d\d)(?:-(\d\d))?")  # W3CDTF: a month, a year
_ORDINAL = re.compile(r"((?:19|20)\d\d)-?(\d{3})(?=$|T)")  # ISO 8601: the day of the year
_VIETNAMESE = re.compile(
    r"(?P<day>\d{1,2})\s+tháng\s+(?P<month>\d{1,2}),?\s+(?:năm\s+)?(?P<year>\d{4})", re.I
)
_ERAS = {"令和": 2018, "平成": 1988, "民國": 1911, "民国": 1911}
_ERA = re.compile(r"(令和|平成|民國|民国)\s*(\d{1,3}|元)\s*年")
_AFTERNOON = re.compile(r"下午|午後|오후|晚上")
_BEFORE_NOON = re.compile(r"上午|午前|오전|凌晨")
# What nine in ten feeds write, read at once.
_RFC_822 = re.compile(
    r"(?:[A-Za-z]{3},\s?)?(\d{1,2}) ([A-Za-z]{3}) ([12]\d{3}) (\d\d):(\d\d):(\d\d) "
    r"(?:(GMT|UTC|Z)|([+-])(\d\d):?(\d\d))"
)
_SHORT = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def read(raw: str | None) -> datetime | None:
    """The instant (aware, UTC) that `raw` names; a time without zone counts as UTC. None when it
    is no date, is ambiguous (05/06/2021) or lies outside the years 1000 to 9998."""
    if not raw or len(raw) > _MAX_LENGTH:
        return None
    text = " ".join(raw.split())
    try:
        found = _rfc822(text) or _epoch(text) or _iso(text) or _read(text)
    except (ValueError, OverflowError):  # 31 February, hour 27
        return None
    return found if found and _FIRST <= found < _LAST else None


def _rfc822(text: str) -> datetime | None:
    match = _RFC_822.fullmatch(text)
    if match is None or match[2].lower() not in _SHORT:
        return None
    month = _SHORT.index(match[2].lower()) + 1
    day, _, year, hour, minute, second, _, sign, off_hours, off_minutes = match.groups()
    if int(hour) > 23 or int(second) > 59:
        return None  # the patient way knows what to do
    found = datetime(int(year), month, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    if sign is None:
        return found
    offset = int(off_hours) * 60 + int(off_minutes)
    if offset > _MAX_OFFSET:
        return found
    return found - timedelta(minutes=offset if sign == "+" else -offset)


def _epoch(text: str) -> datetime | None:
    if not _EPOCH.fullmatch(text):
        return None
    seconds = float(text)
    if len(text) in (13, 16) and text.isdigit():
        seconds /= 1000 if len(text) == 13 else 1_000_000
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def _iso(text: str) -> datetime | None:
    """The form that keeps fractions of a second; anything unlike it goes on to the patterns."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _read(text: str) -> datetime | None:
    text = _ERA.sub(_western, text)
    if match := _PARTIAL.fullmatch(text):
        return datetime(int(match[1]), int(match[2] or 1), 1, tzinfo=UTC)
    if match := _ORDINAL.match(text):
        found = datetime(int(match[1]), 1, 1, tzinfo=UTC) + timedelta(days=int(match[2]) - 1)
        if found.year != int(match[1]):
            return None
        return _at((found.year, found.month, found.day), text[match.end() :])
    if match := _CJK.search(text):
        return _at(_ymd(match), text[match.end() :], cjk=True)
    if match := _ISO.match(text):
        return _at(_ymd(match), text[match.end() :])
    if match := _COMPACT.match(text):
        rest = text[match.end() :]
        if match["h"]:
            rest = f"{match['h']}:{match['m']}:{match['s'] or '00'}{rest}"
        return _at(_ymd(match), rest)
    if match := _CTIME.search(text):
        month = month_named(match["name"])
        return (
            _at((_year(match["year"]), month, int(match["day"])), match["time"]) if month else None
        )
    for pattern in (_DAY_NAME, _NAME_DAY, _YEAR_NAME):
        for match in pattern.finditer(text):
            if month := month_named(match["name"]):
                day = (_year(match["year"]), month, int(match["day"]))
                return _at(day, _without(text, match))
    if match := _VIETNAMESE.search(text):
        return _at(_ymd(match), _without(text, match))
    if match := _DOTTED.search(text):
        year = _year(match["year"])
        return _at((year, int(match["month"]), int(match["day"])), _without(text, match))
    if match := _SLASHED.search(text):
        slashed = _slashed(match, text)
        return _at(slashed, _without(text, match)) if slashed else None
    return None


def _without(text: str, match: re.Match[str]) -> str:
    """What stands around the day: the time may come before or after it."""
    return f"{text[: match.start()]} {text[match.end() :]}"


def _ymd(match: re.Match[str]) -> tuple[int, int, int]:
    return int(match["year"]), int(match["month"]), int(match["day"])


def _year(digits: str) -> int:
    year = int(digits)
    # RFC 822 had two digits
    return year if len(digits) > 2 else year + (2000 if year < 70 else 1900)


def _western(era: re.Match[str]) -> str:
    return f"{_ERAS[era[1]] + (1 if era[2] == '元' else int(era[2]))}年"


def _slashed(match: re.Match[str], text: str) -> tuple[int, int, int] | None:
    """05/03/2019 is the third of May or the fifth of March: decided by a part over 12, or by the
    weekday that stands beside it."""
    a, b, year = int(match["a"]), int(match["b"]), int(match["year"])
    readings = []
    for month, day in ((a, b), (b, a)):
        try:
            readings.append(datetime(year, month, day, tzinfo=UTC))
        except ValueError:
            continue
    if len(set(readings)) > 1:
        said = next((n for n, w in enumerate(_WEEKDAYS) if w in text.lower()), None)
        readings = [r for r in readings if r.weekday() == said]
    if not readings:
        return None
    return readings[0].year, readings[0].month, readings[0].day


def _at(day: tuple[int, int, int], rest: str, *, cjk: bool = False) -> datetime:
    hour = minute = second = 0
    clock = _CLOCK.search(rest) or (_CJK_TIME.search(rest) if cjk else None)
    zone: timezone = UTC
    if clock:
        parts = clock.groupdict()
        hour, minute = int(parts["hour"]), int(parts["minute"] or 0)
        second = int(parts.get("second") or 0)
        half = parts.get("half") or ""
        before = rest[: clock.start()] + (parts.get("pm") or "")
        if half[:1] in ("p", "P") or _AFTERNOON.search(before):
            hour += 12 if hour < 12 else 0
        elif hour == 12 and (half or _BEFORE_NOON.search(before)):
            hour = 0
        zone = _zone(rest[clock.end() :].strip(), day)
    if hour > 24 or second > 60 or (hour == 24 and (minute or second)):
        raise ValueError("no such time")
    # ISO allows 24:00, and a minute may have a leap second.
    extra = timedelta(days=hour // 24, seconds=second // 60)
    local = datetime(*day, hour % 24, minute, min(second, 59), tzinfo=zone)
    return (local + extra).astimezone(UTC)


def _zone(text: str, day: tuple[int, int, int]) -> timezone:
    if match := _OFFSET.search(text):
        minutes = int(match["hours"]) * 60 + int(match["minutes"] or 0)
        sign = -1 if match["sign"] in "-−" else 1
        return timezone(sign * timedelta(minutes=minutes)) if minutes <= _MAX_OFFSET else UTC
    if match := _ZONE.search(text):
        return timezone(timedelta(minutes=zone_offset(match[1], day)))
    return UTC
