"""Alerts on standard output: for people at a terminal, plain when piped, JSON lines for scripts."""

from __future__ import annotations

import json as jsonlib
import sys
import threading
from collections.abc import Mapping
from typing import IO, Any

from rich.console import Console
from rich.text import Text

from sinks.alerts.channels.contract import Message, NotSent
from sinks.alerts.words import counted


class ConsoleChannel:
    name = "console"
    idempotent = False
    wants_page = False

    def __init__(self, *, json: bool = False, out: IO[str] | None = None) -> None:
        self._json = json
        self._out = out if out is not None else sys.stdout
        self._console = Console(file=self._out, soft_wrap=True, highlight=False)
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        try:
            with self._lock:
                if self._json:
                    self._out.write(jsonlib.dumps(message.payload, ensure_ascii=False) + "\n")
                else:
                    for line in _lines(message.payload):
                        self._console.print(line)
                self._out.flush()
        except (OSError, ValueError) as error:  # the reader of the pipe has gone
            raise NotSent(f"standard output cannot be written: {error}") from error


def _lines(payload: Mapping[str, Any]) -> list[Text]:
    if "event" not in payload:
        return _notice(payload)
    event = payload["event"]
    kind = ("ALERT ", "bold yellow") if payload["sequence"] == 1 else ("update", "yellow")
    sources = counted(payload["independent_sources"], "independent source")
    articles = counted(payload["article_count"], "article")
    lines = [
        Text.assemble(
            f"{payload['at'][:16].replace('T', ' ')} ",
            kind,
            (f" {printable(payload['headline'])}", "bold"),
            (f"  {printable(event.get('title') or event['id'])}", "cyan"),
        ),
        Text(f"    {printable(payload['what_is_new'])} ({articles}, {sources})"),
    ]
    reason = payload.get("reason", {})
    because = "; ".join(printable(signal) for signal in reason.get("signals", []))
    if sentence := printable(reason.get("sentence", "")):
        lines.append(Text(f"    “{sentence}”" + (f" ({because})" if because else ""), "dim"))
    return lines


def _notice(payload: Mapping[str, Any]) -> list[Text]:
    over = payload["state"] == "resolved"
    kind = ("over   ", "green") if over else ("NOTICE ", "bold magenta")
    return [
        Text.assemble(
            f"{payload['at'][:16].replace('T', ' ')} ",
            kind,
            (printable(payload["headline"]), "bold"),
        ),
        *(Text(f"    {printable(line)}") for line in payload["what_is_new"].splitlines()),
    ]


def printable(text: str) -> str:
    """One line without control characters: a headline must not steer the terminal."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())
