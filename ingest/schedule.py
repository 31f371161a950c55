"""When to poll a feed next. Pure: times in, times out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b

from ingest.settings import IngestSettings

DAY = 86_400.0
# Three polls for each item a feed brings: half of the news is then seen within a sixth of the
# feed's usual gap, and most polls cost only a 304.
_POLLS_PER_ITEM = 3.0
# The publishing rate is remembered with this half-life: a weekend is noticed, an hour is not.
_RATE_HALF_LIFE = 2 * DAY
# Without dates or history: as if it brought an item an hour.
_UNKNOWN_RATE = 24.0
# Feeds added together, or that failed together, drift apart by up to a tenth.
_JITTER = 0.1
# Doubling more than this often is past any cap and only makes large numbers.
_MAX_DOUBLINGS = 20


def jitter(url: str) -> float:
    """A factor between .95 and 1.05 (for _JITTER = .1), always the same for a URL."""
    share = int.from_bytes(blake2b(url.encode(), digest_size=4).digest(), "big") / 2**32
    return 1 + _JITTER * (share - 0.5)


def first_rate(dates: Sequence[datetime], now: datetime) -> float:
    """Items a day as the dates in a first document tell."""
    past = sorted(d for d in dates if d <= now)
    if not past:
        return _UNKNOWN_RATE
    # The middle item, not the oldest: feeds pin years-old pieces.
    middle = past[len(past) // 2]
    days = max((now - middle).total_seconds() / DAY, 1 / 24)
    return max(1, len(past) / 2) / days


def rate(before: float, new: int, elapsed: float) -> float:
    """Items a day after `new` came in `elapsed` seconds; `before` fades with a half-life."""
    if elapsed <= 0:
        return before
    weight = math.exp2(-elapsed / _RATE_HALF_LIFE)
    return before * weight + new / (elapsed / DAY) * (1 - weight)


def interval(
    items_per_day: float, settings: IngestSettings, *, max_age: float | None, missed: bool
) -> float:
    """Seconds to the next poll of a healthy feed. `missed`: nothing of what it showed before was
    still there, so items may have come and gone unseen; then the soonest poll allowed."""
    wanted = settings.min_interval if missed else DAY / max(items_per_day, 0.01) / _POLLS_PER_ITEM
    if max_age is not None:
        wanted = max(wanted, max_age)  # until then its cache would only repeat itself
    return min(max(wanted, settings.min_interval), settings.max_interval)


def backoff(
    usual: float, errors_in_row: int, settings: IngestSettings, *, retry_after: float | None
) -> float:
    """Seconds to the next try after the nth error in a row: doubling up to a cap, for ever."""
    wait = max(usual, settings.min_interval) * 2.0 ** min(errors_in_row - 1, _MAX_DOUBLINGS)
    wait = min(wait, settings.max_backoff)
    if retry_after is not None:
        wait = max(wait, min(retry_after, settings.max_backoff))
    return wait


def next_at(now: datetime, seconds: float, url: str) -> datetime:
    return now + timedelta(seconds=seconds * jitter(url))
