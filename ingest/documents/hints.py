"""What a feed asks of those who poll it, brought to sane values."""

from __future__ import annotations

import re

from ingest.documents.entries import Feed
from ingest.documents.items import Hints

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PERIODS = {
    "hourly": 3600, "daily": 86_400, "weekly": 7 * 86_400, "monthly": 30 * 86_400,
    "yearly": 365 * 86_400,
}  # fmt: skip
# Nobody polls a news feed less than monthly; what asks for more is a mistake or a trick.
_LONGEST = 30 * 86_400.0
# More updates in a period than one a minute is no promise anybody keeps.
_SHORTEST = 60.0
_NUMBER = re.compile(r"\d{1,9}")


def read(feed: Feed) -> Hints:
    """Hints that say nothing (no hours left to poll in, zero minutes) are dropped."""
    channel = feed.channel
    ttl = next((n * 60.0 for v in channel.values.get("ttl", ()) if (n := _number(v))), None)
    hours = {n % 24 for v in feed.skip_hours[:100] if (n := _number(v)) is not None and n <= 24}
    days = {_DAYS.index(d) for v in feed.skip_days[:100] if (d := v.strip().lower()) in _DAYS}
    return Hints(
        ttl=min(ttl, _LONGEST) if ttl else None,
        update_period=_period(channel.first("update_period"), channel.first("update_frequency")),
        skip_hours=tuple(sorted(hours)) if len(hours) < 24 else (),
        skip_days=tuple(sorted(days)) if len(days) < 7 else (),
    )


def _period(period: str, frequency: str) -> float | None:
    seconds = _PERIODS.get(period.strip().lower())
    if seconds is None:
        return None
    return min(max(seconds / (_number(frequency) or 1), _SHORTEST), _LONGEST)


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if _NUMBER.fullmatch(text) else None
