"""What the demo shows: the months passing, alerts as they come, the analyst's last screen."""

from __future__ import annotations

import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from dateline.config import Settings
from dateline.demo import results
from dateline.demo.world import World
from dateline.registry import Applied
from processors.match.words import lines

HEADLINE = "Kim and Trump meet at the DMZ"


class _Clock(Protocol):
    def now(self) -> datetime: ...


class Screen:
    """Thread-safe: alerts arrive on their own thread."""

    def __init__(self, settings: Settings, world: World, directory: Path, *, once: bool) -> None:
        self._settings, self._world, self._directory = settings, world, directory
        self._console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
        self._lock = threading.Lock()
        self._clock: _Clock | None = None
        self._ended = threading.Event()
        self._once = once
        self._bar = Progress(
            TextColumn("[b]{task.fields[date]}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[counts]}"),
            console=self._console,
            transient=True,
            disable=not sys.stdout.isatty(),
        )

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._bar.stop()

    def say(self, text: str) -> None:
        with self._lock:
            self._console.print(text)

    def opening(self, events: list[str]) -> None:
        feeds, outlets = len(self._world.feeds), len({f.outlet for f in self._world.feeds})
        self.say(
            f"[b]Dateline[/b]  {feeds} feeds of {outlets} outlets, "
            f"{self._world.starts:%B %Y} to {self._world.ends:%B %Y}; "
            f"watching for {len(events)} events:"
        )
        for name in events:
            self.say(f"  · {name}")
        self.say("[dim]Starting the stages and loading the model …[/dim]")

    def polling(self, clock: _Clock) -> None:
        self._clock = clock
        if not self._once:
            self.say(
                f"[dim]Polling over HTTP. Change a file in {self._directory}/events and save: "
                "it is matched again while you watch.[/dim]"
            )
        self._bar.start()
        threading.Thread(target=self._tick, daemon=True).start()

    def _tick(self) -> None:
        from dateline import lookup

        task = self._bar.add_task("", total=1.0, date="", counts="")
        span = (self._world.ends - self._world.starts).total_seconds()
        while not self._ended.wait(0.25):
            assert self._clock is not None
            now = self._clock.now()
            counts = lookup.rows(
                self._settings,
                "SELECT (SELECT count(*) FROM identities) AS seen,"
                " (SELECT count(*) FROM articles) AS stored,"
                " (SELECT count(*) FROM matches WHERE matched) AS matched",
            )[0]
            self._bar.update(
                task,
                completed=min(1.0, (now - self._world.starts).total_seconds() / span),
                date=f"{now:%d %b %Y}",
                counts="{seen} polled · {stored} stored · {matched} matched".format(**counts),
            )

    def polled(self) -> None:
        self._ended.set()
        self._bar.stop()

    def alert(self, payload: dict[str, Any]) -> None:
        """One line an alert and one with its reason."""
        event = escape(payload["event"]["title"])
        first = payload["sequence"] == 1
        when = payload.get("at", "")[:10]
        kind = "[b yellow]ALERT [/]" if first else "[yellow]update[/]"
        with self._lock:
            headline = escape(payload["headline"])
            self._console.print(f"{when} {kind} [b]{headline}[/b]  [cyan]{event}[/]")
            self._console.print(f"           [dim]{escape(payload['what_is_new'])}[/dim]")
            if first and payload.get("reason", {}).get("sentence"):
                self._console.print(f"           “{escape(payload['reason']['sentence'])}”")

    def registered(self, done: Applied) -> None:
        for verb, ids in done._asdict().items():
            if ids and verb != "unchanged":
                self.say(f"[b green]{verb}[/] {', '.join(ids)}: looking back over 30 days …")

    def closing(self, seconds: float) -> None:
        """The analyst's screen."""
        found = results.read(self._settings, self._world)
        say = self.say
        say("")
        say(
            f"[b]Fifteen months in {seconds:.0f} s[/b]: {found.polls:,} polls saw {found.items:,} "
            f"items, {found.duplicates:,} of them again."
        )
        equal = "=" if found.articles == found.fates else "[red]≠[/red]"
        say(
            f"{found.articles} articles {equal} {found.fates} fates · {found.copies} copies"
            f" folded · {found.revisions - found.articles} edits · {found.stories} stories ·"
            f" {found.alerts} alerts"
        )
        for event in found.events:
            say("")
            say(
                f"[b cyan]{escape(event.title)}[/]  {event.articles} articles,"
                f" {event.independent} independent sources"
            )
            if event.best is not None:
                say(f"  “{escape(event.best.decision.sentence)}”")
                say(
                    f"  [dim]{event.best.outlet}, {event.best.published},"
                    f" probability {event.best.decision.probability:.2f}[/dim]"
                )
            if event.near_miss is not None:
                miss = event.near_miss
                say(
                    f"  [yellow]why not[/] “{escape(miss.title)}”"
                    f" ({miss.outlet}, {miss.published}): {miss.decision.probability:.2f}"
                )
                for line in lines(miss.decision)[1:3]:
                    say(f"    [dim]· {escape(line)}[/dim]")
        say("")
        say(
            f"Against the labels of the sample world: {found.lookalikes_right} of"
            f" {found.lookalikes} look-alikes told apart, {found.labelled_right} of"
            f" {found.labelled} articles right for every event."
        )
        say("")
        say("Try a headline of yours:")
        database = self._directory / "dateline.db"
        say(f'  .venv/bin/dateline explain "{HEADLINE}" --db {database}')
        if self._once:
            say("Open the desk on what was found:")
            say(f"  .venv/bin/dateline run --stage desk --db {database}")

    def stays_open(self, port: int) -> None:
        self.say(f"The desk is open: [b]http://127.0.0.1:{port}/[/b]   (Ctrl-C ends the demo)")
