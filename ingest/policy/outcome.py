"""What a poll changes in its feed's row: when it is asked next, its rate, rhythm and health. Pure:
the row and the outcome go in, columns come out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct, structs

from ingest.documents.items import Hints
from ingest.feeds import Feed
from ingest.policy import health, moves, rhythm, schedule
from ingest.settings import IngestSettings


class News(Struct, kw_only=True):
    """What a document held."""

    shown: int  # items in it
    fresh: int = 0  # of them, how many this feed had never shown before
    changed: bool = False  # something was stored or revised
    missed: bool = False  # nothing it had shown before was still there
    dates: Sequence[datetime] = ()
    hints: Hints = Hints()
    ended: bool = False  # it says that nothing more will come
    flaw: str | None = None  # one sentence: what could not be read
    twin: tuple[str, float] | None = None  # the feed that shows most of the same, and how many


def after_error(
    feed: Feed,
    now: datetime,
    settings: IngestSettings,
    *,
    kind: str,
    sentence: str,
    status: int | None,
    retry_after: float | None = None,
    cut_off: bool = False,
) -> dict[str, Any]:
    """The columns that a failed poll changes. A feed is never given up: even one that is gone is
    asked again every `gone_interval`. `cut_off`: it is our own network, so nobody is spared by
    waiting longer, and all would be late when it is back."""
    errors = feed.errors_in_row + 1
    gone = status == HTTPStatus.GONE and errors >= health.GONE_AFTER
    usual = min(feed.interval_s, settings.max_interval)
    tries = 1 if cut_off else errors
    wait = schedule.backoff(usual, tries, settings, retry_after=retry_after, gone=gone)
    columns: dict[str, Any] = {
        "last_at": now,
        "last_status": status,
        "outcome": kind,
        "error": sentence,
        "errors_in_row": errors,
        # Not spread when late: doubling has spread it already.
        "next_at": schedule.next_at(now, wait, feed.url, settings, hints=stored_hints(feed)),
    }
    return columns | health.judged(structs.replace(feed, **columns), now, settings)


def after_success(
    feed: Feed,
    now: datetime,
    settings: IngestSettings,
    *,
    status: int,
    max_age: float | None = None,
    moved_to: str | None = None,
    news: News | None = None,
) -> dict[str, Any]:
    """The columns that a successful poll changes, apart from validators and title. `news` None:
    the document is the one of last time."""
    columns: dict[str, Any] = {
        "last_at": now,
        "last_ok": now,
        "last_status": status,
        "outcome": "unchanged" if news is None else "ok",
        "error": None,
        "errors_in_row": 0,
        "items_per_day": _rate(feed, now, news),
        **moves.watch(feed, moved_to, now),
    }
    if news is not None:
        columns |= _of_document(feed, now, news, settings)
    after = structs.replace(feed, **columns)
    wait = _wait(after, now, settings, max_age, missed=news is not None and news.missed)
    columns["interval_s"] = wait
    columns["next_at"] = schedule.next_at(
        now, wait, feed.url, settings, hints=stored_hints(after),
        late=(now - feed.next_at).total_seconds(),
    )  # fmt: skip
    return columns | health.judged(after, now, settings)


def stored_hints(feed: Feed) -> Hints:
    """What the last document asked for; a 304 brings no document, but the wishes stand."""
    try:
        return msgspec.convert(feed.hints or {}, Hints)
    except msgspec.ValidationError:  # written by another release
        return Hints()


def _rate(feed: Feed, now: datetime, news: News | None) -> float:
    if feed.items_per_day is None or feed.last_ok is None:
        return schedule.first_rate(list(news.dates) if news else [], now)
    elapsed = (now - feed.last_ok).total_seconds()
    return schedule.rate(feed.items_per_day, news.fresh if news else 0, elapsed)


def _wait(
    feed: Feed, now: datetime, settings: IngestSettings, max_age: float | None, *, missed: bool
) -> float:
    if health.ended(feed):
        return settings.gone_interval
    if feed.moved_to and moves.stayed(feed, now, settings):
        # Still here means that the new address is a feed of its own, which brings the items.
        return schedule.bounded(settings.max_interval, settings)
    return schedule.interval(
        feed.items_per_day or 0.0, settings, hints=stored_hints(feed), max_age=max_age,
        shown=feed.shown, missed=missed,
    )  # fmt: skip


def _of_document(feed: Feed, now: datetime, news: News, settings: IngestSettings) -> dict[str, Any]:
    hints = msgspec.to_builtins(news.hints) | ({"ended": True} if news.ended else {})
    columns: dict[str, Any] = {"hints": hints or None, "shown": news.shown, "flaw": news.flaw}
    if news.twin is not None:
        columns["twin"], columns["twin_share"] = news.twin
    if feed.last_new is None:
        # Of a first document its own dates tell since when there was nothing new.
        past = [d for d in news.dates if d <= now]
        if news.fresh or news.changed:
            columns["last_new"] = max(past, default=now)
            columns["longest_pause"] = rhythm.first_longest(past, now)
    elif news.fresh or news.changed:
        columns["last_new"] = now
        columns["longest_pause"] = rhythm.longest(feed.longest_pause, _pause(feed, now, settings))
    return columns


def _pause(feed: Feed, now: datetime, settings: IngestSettings) -> timedelta:
    """How long the feed had brought nothing until now. Longer than `max_interval` we never wait:
    the time in which nobody asked beyond that was an outage of ours and no pause of the feed."""
    last_new, asked = feed.last_new or now, feed.last_ok or now
    wait = min(now - asked, timedelta(seconds=settings.max_interval))
    return max(asked - last_new + wait, timedelta())
