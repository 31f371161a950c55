"""What a feed says, as written: before anything is cleaned, resolved or judged."""

from __future__ import annotations

from msgspec import Struct, field


class Link(Struct):
    href: str
    rel: str = "alternate"
    type: str = ""
    base: str | None = None


class Entry(Struct):
    """What one item (or the channel) says, as written: field -> values in their order."""

    values: dict[str, list[str]] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    permalink: bool = True  # may the guid be an address?
    lang: str | None = None

    def first(self, name: str) -> str:
        return next((v for v in self.values.get(name, ()) if v), "")

    def last(self, name: str) -> str:
        return next((v for v in reversed(self.values.get(name, ())) if v), "")


class Feed(Struct):
    version: str
    channel: Entry
    entries: list[Entry]
    skipped: int = 0  # items beyond the cap
    skip_hours: list[str] = field(default_factory=list)
    skip_days: list[str] = field(default_factory=list)
