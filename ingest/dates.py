"""Dates as feeds write them, read from the raw string.

feedparser's own reading is not used: it takes 2021年9月20日 for 1 November, epoch seconds for the
year 1633 and BST for UTC. What cannot be read with certainty is None, never a guess: an unknown
date is better than a wrong one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

# Longer strings are no dates, and regular expressions should not meet them.
_MAX_LENGTH = 100
# Before: an unset field or a broken clock. After: a placeholder such as 9999-12-31.
_FIRST, _LAST = datetime(1800, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

_ZONES = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "bst": 60, "ist": 330, "west": 60, "cet": 60,
    "mez": 60, "cest": 120, "mesz": 120, "eet": 120, "sast": 120, "cat": 120, "eest": 180,
    "msk": 180, "eat": 180, "trt": 180, "gst": 240, "pkt": 300, "npt": 345, "ict": 420,
    "wib": 420, "hkt": 480, "sgt": 480, "pht": 480, "myt": 480, "awst": 480, "jst": 540,
    "kst": 540, "acst": 570, "aest": 600, "acdt": 630, "aedt": 660, "nzst": 720, "nzdt": 780,
    "nst": -210, "ndt": -150, "ast": -240, "adt": -180, "est": -300, "edt": -240, "cst": -360,
    "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420, "akst": -540, "akdt": -480,
    "hst": -600, "brt": -180, "art": -180,
}  # fmt: skip
# The first letters that tell the months apart, in the languages feeds use most.
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan ene gen янв janv styczeń 1月",
            "feb fév fev февр фев febr févr luty",
            "mar mär mrz märz мар mars maart marzec",
            "apr abr avr апр avril kwi",
            "may mai mag май мая mei maj",
            "jun giu июн juin juni cze",
            "jul lug июл juil juli lip",
            "aug ago août aou авг aoû sie",
            "sep set sept сен сент wrz",
            "oct okt ott out окт paź",
            "nov noy ноя нояб lis",
            "dec dez dic déc дек gru dez",
        ),
        1,
    )
    for name in names.split()
}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_TIME = r"(?P<hour>\d{1,2})[:.](?P<minute>\d{1,2})(?:[:.](?P<second>\d{1,2}))?(?:[.,]\d{1,9})?"
_CLOCK = re.compile(_TIME + r"\s*(?P<half>[ap]\.?m\b\.?)?", re.IGNORECASE)
_OFFSET = re.compile(
    r"(?:GMT|UTC)?\s*(?P<sign>[+\-−])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?\s*$", re.I
)
_ZONE = re.compile(r"\b([A-Za-z]{1,5})\s*\)?$")
_ISO = re.compile(
    r"(?P<year>\d{4})(?:[-/]|\.\s?)(?P<month>\d{1,2})(?:[-/]|\.\s?)(?P<day>\d{1,2})(?!\d)"
)
_COMPACT = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?:T(?P<h>\d\d)(?P<m>\d\d)(?P<s>\d\d)?)?(?!\d)"
)
_CJK = re.compile(
    r"(?P<year>\d{4})\s*[年년]\s*(?P<month>\d{1,2})\s*[月월]\s*(?P<day>\d{1,2})\s*[日일]"
)
_CJK_TIME = re.compile(
    r"(?P<pm>下午|午後|오후)?\s*(?P<hour>\d{1,2})\s*[時时시点]\s*(?:(?P<minute>\d{1,2})\s*[分분])?"
)
_DAY_NAME = re.compile(
    r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?[\s\-]+(?:de\s+)?(?P<name>[^\W\d_]{3,})\.?,?[\s\-]+(?:de\s+)?(?P<year>\d{4}|\d{2})(?!\d|:)"
)
_NAME_DAY = re.compile(
    r"(?P<name>[^\W\d_]{3,})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})(?!\d)"
)
_CTIME = re.compile(
    r"(?P<name>[A-Za-z]{3}) (?P<day>\d{1,2}) (?P<time>[\d:]{4,8}(?: [A-Z]{1,5})?) (?P<year>\d{4})$"
)
_DOTTED = re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})(?!\d)")
_SLASHED = re.compile(r"(?P<a>\d{1,2})[/-](?P<b>\d{1,2})[/-](?P<year>\d{4})(?!\d)")
_EPOCH = re.compile(r"-?\d{9,10}(?:\.\d+)?|\d{13}")


def read(raw: str | None) -> datetime | None:
    """The instant (aware, UTC) that `raw` names; a time without zone counts as UTC. None when it
    is no date, is ambiguous (05/06/2021) or lies outside 1800–2200."""
    if not raw or len(raw) > _MAX_LENGTH:
        return None
    text = " ".join(raw.split())
    try:
        found = _epoch(text) or _iso(text) or _read(text)
    except (ValueError, OverflowError):  # 31 February, hour 27
        return None
    return found if found and _FIRST <= found < _LAST else None


def _epoch(text: str) -> datetime | None:
    if not _EPOCH.fullmatch(text):
        return None
    seconds = float(text)
    if len(text) == 13:
        seconds /= 1000
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def _iso(text: str) -> datetime | None:
    """The form that keeps fractions of a second; anything unlike it goes on to the patterns."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _read(text: str) -> datetime | None:
    if match := _CJK.search(text):
        return _at(_ymd(match), text[match.end() :], cjk=True)
    if match := _ISO.match(text):
        return _at(_ymd(match), text[match.end() :])
    if match := _COMPACT.match(text):
        day = _ymd(match)
        rest = text[match.end() :]
        if match["h"]:
            rest = f"{match['h']}:{match['m']}:{match['s'] or '00'}{rest}"
        return _at(day, rest)
    if match := _CTIME.search(text):
        month = _month(match["name"])
        return (
            _at((_year(match["year"]), month, int(match["day"])), match["time"]) if month else None
        )
    for pattern in (_DAY_NAME, _NAME_DAY):
        if match := pattern.search(text):
            month = _month(match["name"])
            if month is None:
                continue
            return _at((_year(match["year"]), month, int(match["day"])), _without(text, match))
    if match := _DOTTED.search(text):
        return _at(_ymd(match), _without(text, match))
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
    return year if year >= 100 else year + (2000 if year < 70 else 1900)  # RFC 822 had two digits


def _month(name: str) -> int | None:
    name = name.lower()
    return next((_MONTHS[name[:n]] for n in (4, 3) if name[:n] in _MONTHS), None)


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
    clock = _CLOCK.search(rest)
    if clock:
        hour, minute, second = int(clock["hour"]), int(clock["minute"]), int(clock["second"] or 0)
        if clock["half"]:
            hour = hour % 12 + (12 if clock["half"][0] in "pP" else 0)
        rest = rest[clock.end() :]
    elif cjk and (clock := _CJK_TIME.search(rest)):
        hour, minute = int(clock["hour"]), int(clock["minute"] or 0)
        if clock["pm"] and hour < 12:
            hour += 12
        rest = rest[clock.end() :]
    zone = _zone(rest.strip()) if clock else UTC
    extra = timedelta(days=1) if hour == 24 else timedelta(0)  # ISO allows 24:00
    local = datetime(*day, hour % 24, minute, min(second, 59), tzinfo=zone)
    return (local + extra).astimezone(UTC)


def _zone(text: str) -> timezone:
    if match := _OFFSET.search(text):
        minutes = int(match["hours"]) * 60 + int(match["minutes"] or 0)
        sign = -1 if match["sign"] in "-−" else 1
        return timezone(sign * timedelta(minutes=minutes)) if minutes <= 14 * 60 else UTC
    if match := _ZONE.search(text):
        return timezone(timedelta(minutes=_ZONES.get(match[1].lower(), 0)))
    return UTC
