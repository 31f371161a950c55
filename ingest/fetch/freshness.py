"""What an answer's headers say about time: how long it stays fresh, and when to come back.

RFC 9111 as a private cache reads it: `s-maxage` is for shared ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# A hundred years in seconds has ten digits: longer numbers are not meant.
_MAX_DIGITS = 10


def http_date(value: str | None) -> datetime | None:
    """An aware time, or None for what is no date."""
    if not value or len(value) > 100 or not value.isprintable():
        return None
    try:
        found = parsedate_to_datetime(value)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def lifetime(headers: Mapping[str, str]) -> float | None:
    """Seconds for which asking again would bring the same; 0 = stale at once; None = not said."""
    fresh: float | None = None
    if control := headers.get("Cache-Control"):
        for part in control[:1000].lower().split(","):
            name, _, value = part.strip().partition("=")
            # With a value, `no-cache` is about single header fields.
            if name == "no-store" or (name == "no-cache" and not value):
                return 0.0
            if name == "max-age" and fresh is None:
                fresh = _seconds(value.strip('"'))
    if fresh is None and (expires := headers.get("Expires")):
        until = http_date(expires)
        # "0" and other nonsense mean that it has expired.
        fresh = 0.0 if until is None else (until - _sent(headers)).total_seconds()
    if fresh is None:
        return None
    return max(0.0, fresh - (_seconds(headers.get("Age", "")) or 0.0))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from either form of Retry-After."""
    value = headers.get("Retry-After", "").strip()
    if (seconds := _seconds(value)) is not None:
        return seconds
    until = http_date(value)
    return None if until is None else max(0.0, (until - _sent(headers)).total_seconds())


def _sent(headers: Mapping[str, str]) -> datetime:
    """By their clock, which also made the other date; without it, by ours."""
    return http_date(headers.get("Date")) or datetime.now(UTC)


def _seconds(value: str) -> float | None:
    value = value.strip()
    return float(value) if value.isdecimal() and len(value) <= _MAX_DIGITS else None
