"""Geometry of the small inline graphics; the templates draw them (no inline styles: see guard)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from dashboard.words import iso_day
from stream.records import Decision, Signal

WIDTH, HEIGHT = 640.0, 44.0
# Sixty-four bars stay 3 px wide on a phone of 420 px.
MAX_BARS = 64


@dataclass(frozen=True)
class Bar:
    x: float
    width: float
    original: float  # heights
    copied: float
    label: str


@dataclass(frozen=True)
class Timeline:
    """Coverage over the event's window, stretched to hold coverage outside it."""

    bars: list[Bar]
    first: date
    last: date
    window_x: float
    window_width: float
    articles: int


def timeline(
    days: Sequence[tuple[str, int, int]], starts: str | None, ends: str | None
) -> Timeline | None:
    """`days` holds (ISO day, originals, copies). None when there is nothing to set it on."""
    counts = [(found, o, c) for text, o, c in days if (found := iso_day(text))]
    known = [found for found, _, _ in counts]
    known += [edge for edge in (iso_day(starts), iso_day(ends)) if edge]
    if not known:
        return None
    first, last = min(known), max(known)
    length = (last - first).days + 1
    per_bar = math.ceil(length / MAX_BARS)
    slots = math.ceil(length / per_bar)
    originals, copies = [0] * slots, [0] * slots
    for found, original, copied in counts:
        slot = (found - first).days // per_bar
        originals[slot] += original
        copies[slot] += copied
    tallest = max([o + c for o, c in zip(originals, copies, strict=True)] + [1])
    step = WIDTH / slots
    scale = (HEIGHT - 2) / tallest
    bars = [
        Bar(
            x=round(slot * step + step * 0.12, 2),
            width=round(step * 0.76, 2),
            original=round(originals[slot] * scale, 2),
            copied=round(copies[slot] * scale, 2),
            label=_label(first + timedelta(days=slot * per_bar), per_bar, o=originals[slot],
                         c=copies[slot]),
        )
        for slot in range(slots)
        if originals[slot] + copies[slot]
    ]  # fmt: skip
    begin, end = iso_day(starts) or first, iso_day(ends) or last
    window_x = (begin - first).days / per_bar * step
    # The last bar may stand for fewer days than the others: a window that ends there ends with it.
    until = WIDTH if end >= last else ((end - first).days + 1) / per_bar * step
    window_width = max(0.0, until - window_x)
    articles = sum(originals) + sum(copies)
    return Timeline(bars, first, last, round(window_x, 2), round(window_width, 2), articles)


def _label(start: date, days: int, *, o: int, c: int) -> str:
    when = start.isoformat() if days == 1 else f"{start} to {start + timedelta(days=days - 1)}"
    return f"{when}: {o + c} articles" + (f", {c} of them copies" if c else "")


@dataclass(frozen=True)
class Push:
    """One signal as a bar to the right (for) or left (against) of a middle line at 50."""

    signal: Signal
    x: float
    width: float


def pushes(decision: Decision) -> list[Push]:
    """Bars for the decision's signals on a common scale of 0–100, the heaviest first.

    Signals that added nothing are left out: what is shown still sums to the score. The scale
    never falls below two log-odds, so that a row of tiny reasons looks tiny.
    """
    told = [signal for signal in decision.signals if abs(signal.contribution) >= 0.005]
    told.sort(key=lambda signal: -abs(signal.contribution))
    largest = max([abs(signal.contribution) for signal in told] + [2.0])
    bars = []
    for signal in told:
        width = round(abs(signal.contribution) / largest * 50, 2)
        bars.append(Push(signal, 50.0 if signal.contribution >= 0 else 50.0 - width, width))
    return bars


@dataclass(frozen=True)
class Link:
    event_id: str
    title: str
    label: str  # the place that the title names, when that tells the links apart; else the title
    here: bool


def chain(events: Sequence[dict[str, object]], event_id: str) -> list[Link]:
    """The chain that an event stands in, oldest first; empty for an event that stands alone.

    Follows both directions; a loop in the definitions ends where it closes.
    """
    by_id = {str(event["event_id"]): event for event in events}
    before = {
        key: [f for f in _ids(event["follows"]) if f in by_id] for key, event in by_id.items()
    }
    linked, waiting = {event_id}, [event_id]
    while waiting:
        here = waiting.pop()
        after = [key for key, follows in before.items() if here in follows]
        for other in [*before.get(here, ()), *after]:
            if other not in linked:
                linked.add(other)
                waiting.append(other)
    ordered: list[str] = []

    def place(key: str, path: frozenset[str]) -> None:
        for earlier in sorted(before.get(key, ())):
            if earlier not in ordered and earlier not in path:
                place(earlier, path | {key})
        if key not in ordered:
            ordered.append(key)

    for key in sorted(
        linked, key=lambda k: (str(by_id[k]["starts"] or ""), k) if k in by_id else ("", k)
    ):
        place(key, frozenset())
    if len(ordered) < 2:
        return []
    labels = {key: _place(by_id[key]) for key in ordered}
    if len(set(labels.values())) < len(ordered):
        labels = {key: str(by_id[key]["title"]) for key in ordered}
    return [Link(key, str(by_id[key]["title"]), labels[key], key == event_id) for key in ordered]


def _place(event: dict[str, object]) -> str:
    title, places = str(event["title"]), event["places"]
    named = [place for place in places if place in title] if isinstance(places, list) else []
    return str(named[0]) if named else title


def _ids(follows: object) -> list[str]:
    return [str(item) for item in follows] if isinstance(follows, list) else []
