"""One Atom 1.0 file for each event: an entry an alert, updated in place.

The file is always written whole from the outbox and renamed into place, so it is never half
there, and a lost or damaged one is complete again with the next alert.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sinks.alerts.channels.contract import Message, NotSent

# The authority of the tag: URIs that name feeds and entries (RFC 4151): reserved, resolves nowhere.
_AUTHORITY = "dateline.invalid,2026"
# Notices to operators; no event's file can have this name, in which "@" would be quoted.
NOTICES = "@notices.atom"
_OPERATORS = {"id": "@notices", "title": "Dateline: notices to its operators"}


class AtomChannel:
    name = "atom"
    idempotent = True
    wants_page = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: Message) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            event = message.payload.get("event")
            name = file_name(event["id"]) if event else NOTICES
            _replace(self._folder / name, render(event or _OPERATORS, message.page))
        except OSError as error:
            raise NotSent(f"{self._folder} cannot be written: {error.strerror}") from error


def file_name(event_id: str) -> str:
    """A name without slashes and never hidden."""
    return quote(event_id, safe="").replace(".", "%2E", int(event_id.startswith("."))) + ".atom"


def render(event: Mapping[str, Any], alerts: Sequence[Mapping[str, Any]]) -> str:
    """The feed of an event from the payloads of its alerts, newest first."""
    title = event.get("title") or event["id"]
    updated = max((alert["at"] for alert in alerts), default="1970-01-01T00:00:00+00:00")
    return "\n".join(
        [
            '<?xml version="1.0" encoding="utf-8"?>',
            '<feed xmlns="http://www.w3.org/2005/Atom">',
            f"  <id>{_tag('event', event['id'])}</id>",
            f"  <title>{_text(title)}</title>",
            f"  <updated>{updated}</updated>",
            "  <author><name>Dateline</name></author>",
            *(_entry(alert) for alert in alerts),
            "</feed>",
            "",
        ]
    )


def _entry(alert: Mapping[str, Any]) -> str:
    links = [
        f'    <link rel="{"alternate" if number == 0 else "related"}" href="{_text(a["url"])}"'
        f' title="{_text(a["title"])}"/>'
        for number, a in enumerate(a for a in alert["articles"] if a["url"])
    ]
    return "\n".join(
        [
            "  <entry>",
            f"    <id>{_tag('alert', alert['alert_id'])}</id>",
            f"    <title>{_text(alert['headline'])}</title>",
            f"    <published>{alert['first_at']}</published>",
            f"    <updated>{alert['at']}</updated>",
            *links,
            f"    <summary>{_text(alert['what_is_new'])}</summary>",
            f'    <content type="html">{_text(_html(alert))}</content>',
            "  </entry>",
        ]
    )


def _html(alert: Mapping[str, Any]) -> str:
    reason = alert.get("reason", {})
    parts = [f"<p>{escape(alert['what_is_new'])}</p>"]
    if sentence := reason.get("sentence"):
        parts.append(f"<blockquote>{escape(sentence)}</blockquote>")
    if signals := reason.get("signals"):
        parts.append(f"<p>{escape('; '.join(signals))}</p>")
    items = [
        f"<li>{escape(a['title'])} ({escape(a['outlet'])}, {a['probability']:.0%})</li>"
        for a in alert["articles"]
    ]
    return "".join([*parts, "<ul>", *items, "</ul>"])


def _tag(kind: str, name: str) -> str:
    return f"tag:{_AUTHORITY}:{kind}/{quote(name, safe='')}"


def _text(text: str) -> str:
    """Escaped, and without the characters that XML 1.0 cannot hold at all."""
    return escape("".join(c for c in text if c in "\t\n" or _in_xml(ord(c))))


def _in_xml(code: int) -> bool:
    return (
        0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
    ) and not 0x7F <= code <= 0x9F


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
