"""When to ask a feed next. Pure: what is known goes in, seconds or a time come out.

A healthy feed is asked at its own pace, but not before what the publisher asked for has passed;
and whatever anybody asked for, never later than `max_interval`. Times are UTC, as skipHours are,
so summer time changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from http import HTTPStatus

from ingest.documents.items import Hints
from ingest.settings import IngestSettings

DAY = 86_400.0
# Three polls for each item a feed brings: half of the news is then seen within a sixth of the
# feed's usual gap, and most polls cost only a 304.
_POLLS_PER_ITEM = 3.0
# The publishing rate is remembered with this half-life. On five captured days of 16 feeds, news
# was 5.7 minutes old on average at 120 polls a feed and day; with half the half-life 7.2 at 107,
# with twice 5.4 at 133. A profile of the hours, learnt on the way, would save every tenth poll
# (6.0 at 105): not worth 24 numbers a feed.
_RATE_HALF_LIFE = DAY
# … or of two of the feed's own gaps, so that the rate of a slow feed does not fade to nothing
# between its items; but a week at most, so that one which awakes is followed within days.
_LONGEST_HALF_LIFE = 7 * DAY
# Without dates or history: as if it brought an item an hour.
_UNKNOWN_RATE = 24.0
# Feeds added together, or that failed together, drift apart: each always waits a share of its
# own, up to a tenth, longer.
JITTER = 0.1
# Doubling more than this often is past any cap and only makes large numbers.
_MAX_DOUBLINGS = 20
# Hints give way where items would scroll out of the document unseen: it is read at least five
# times in the time in which all of its items are replaced, because they come in bursts. When each
# of the 16 feeds asked for a year, reading twice lost 168 of 2,533 items, five times 17.
_TURNOVERS = 0.2
# Feeds that sleep until the same full hour wake over a quarter of it.
_WAKING = 900.0
_HOUR = timedelta(hours=1)
# Clocks of machines that share feeds are closer than this, or many other things fail.
_SKEW = _HOUR
# A host that says 429 without saying how long is left alone for a minute, as many limits count
# requests a minute. No answer of one feed silences its host's others for more than an hour.
_HOST_HOLD = 60.0
_MAX_HOST_HOLD = 3600.0


def jitter(url: str) -> float:
    """A factor between 1 and 1 + JITTER, always the same for a URL."""
    return 1 + JITTER * _share(url)


def _share(url: str) -> float:
    return int.from_bytes(blake2b(url.encode(), digest_size=4).digest(), "big") / 2**32


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
    half_life = min(max(_RATE_HALF_LIFE, 2 * DAY / max(before, 0.01)), _LONGEST_HALF_LIFE)
    weight = math.exp2(-elapsed / half_life)
    return before * weight + new / (elapsed / DAY) * (1 - weight)


def asked_for(
    items_per_day: float, hints: Hints, *, max_age: float | None, shown: int | None
) -> float:
    """Seconds for which the publisher wants to be left alone, as far as that is believed.

    `max_age` and `ttl` say how long a copy stays good: asking earlier would bring the same one.
    An update period is no such promise (blog software says "hourly" of every feed), so it counts
    up to the usual gap between two items only. And `shown`, the items of the last document,
    bounds them all: no hint may make us miss items.
    """
    gap = DAY / max(items_per_day, 0.01)
    wanted = max(max_age or 0.0, hints.ttl or 0.0, min(hints.update_period or 0.0, gap))
    return min(wanted, shown * gap * _TURNOVERS) if shown else wanted


def interval(
    items_per_day: float,
    settings: IngestSettings,
    *,
    hints: Hints = Hints(),  # noqa: B008 (frozen)
    max_age: float | None = None,
    shown: int | None = None,
    missed: bool = False,
) -> float:
    """Seconds to the next poll of a healthy feed, before jitter. `missed`: nothing of what it
    showed before was still there, so items may have come and gone unseen; then the soonest poll
    allowed."""
    wanted = settings.min_interval if missed else DAY / max(items_per_day, 0.01) / _POLLS_PER_ITEM
    wanted = max(wanted, asked_for(items_per_day, hints, max_age=max_age, shown=shown))
    return bounded(wanted, settings)


def bounded(seconds: float, settings: IngestSettings) -> float:
    """Within the operator's bounds, with room for the jitter."""
    return max(min(seconds, settings.max_interval / (1 + JITTER)), settings.min_interval)


def backoff(
    usual: float,
    errors_in_row: int,
    settings: IngestSettings,
    *,
    retry_after: float | None = None,
    gone: bool = False,
) -> float:
    """Seconds to the next try after the nth error in a row: doubling up to a cap, for ever.
    `gone`: the server says that there will never be anything again."""
    if gone:
        return settings.gone_interval
    wait = max(usual, settings.min_interval) * 2.0 ** min(errors_in_row - 1, _MAX_DOUBLINGS)
    wait = min(wait, settings.max_backoff)
    if retry_after is not None:
        wait = max(wait, min(retry_after, settings.max_backoff))
    return wait


def host_hold(status: int | None, retry_after: float | None) -> float | None:
    """Seconds for which the whole host should be left alone after such an answer; None = the
    answer was about this feed only."""
    if status not in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return None
    if retry_after is None:
        return _HOST_HOLD if status == HTTPStatus.TOO_MANY_REQUESTS else None
    return min(max(retry_after, 0.0), _MAX_HOST_HOLD)


def next_at(
    now: datetime,
    seconds: float,
    url: str,
    settings: IngestSettings,
    *,
    hints: Hints = Hints(),  # noqa: B008 (frozen)
    late: float = 0.0,
) -> datetime:
    """The time of the next poll, `seconds` from `now` and a little, in no hour that `hints` skip
    unless max_interval ends first. `late`: seconds by which this poll came too late. After an
    outage of ours thousands do at once, and are spread over the length of an interval."""
    share = _share(url)
    wait = seconds * (1 + share if late > seconds else jitter(url))
    latest = max(seconds * jitter(url), settings.max_interval)
    at = now + timedelta(seconds=min(wait, latest))
    return awake(at, hints, now + timedelta(seconds=latest), share * _WAKING)


def believed(next_at: datetime, last_at: datetime | None, now: datetime) -> datetime:
    """`next_at` as it was stored; now, when the last poll lies in the future: whoever made it had
    a clock that ran ahead, and the feed would wait until we are there."""
    ahead = last_at is not None and last_at - now > _SKEW
    return min(next_at, now) if ahead else next_at


def awake(at: datetime, hints: Hints, latest: datetime, waking: float = 0.0) -> datetime:
    """The first time from `at` on that is not in a skipped hour or day, `waking` seconds after
    that begins; but not after `latest`. Looks a week ahead: skips repeat."""
    if not asleep(at, hints):
        return at
    for _ in range(7 * 24):
        at = at.replace(minute=0, second=0, microsecond=0) + _HOUR
        if at >= latest or not asleep(at, hints):
            break
    return min(at + timedelta(seconds=waking), latest)


def asleep(at: datetime, hints: Hints) -> bool:
    return at.hour in hints.skip_hours or at.weekday() in hints.skip_days
