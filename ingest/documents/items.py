"""What a document held: the items of a feed before anything is known about them."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class Item(Struct, kw_only=True, omit_defaults=True):
    """One entry as read: text cleaned, URL canonical, times aware UTC; None or "" = not there."""

    position: int  # in the document, from 0
    title: str = ""
    text: str = ""
    url: str | None = None
    guid: str | None = None
    published: datetime | None = None
    author: str | None = None
    lang: str | None = None  # the feed's claim
    spoken: str | None = None  # what it was found to be in, when that was asked for
    error: str | None = None  # why it could not be read: the item is dead


class Hints(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """What a document asks of those who poll it."""

    ttl: float | None = None  # seconds for which it need not be asked again (RSS ttl)
    update_period: float | None = None  # seconds between two updates (sy:updatePeriod, -Frequency)
    skip_hours: tuple[int, ...] = ()  # 0 to 23, UTC
    skip_days: tuple[int, ...] = ()  # 0 = Monday


class Document(Struct, kw_only=True, omit_defaults=True):
    """A feed that was understood, even with no items in it."""

    kind: str  # rss20, atom10, json1.1 …
    encoding: str
    title: str = ""
    link: str | None = None
    hints: Hints = Hints()
    items: list[Item] = []
    ended: bool = False  # it says that nothing more will come (JSON Feed: expired)
    left_out: dict[str, int] = {}  # fate and reason -> items not read, such as those over the cap

    @property
    def seen(self) -> int:
        """Items that stood in the document, read or not: each must end in a fate."""
        return len(self.items) + sum(self.left_out.values())


class Refusal(Struct, kw_only=True):
    """Not a feed, or one that cannot be read: one sentence why."""

    kind: str  # short and countable: empty, page, not-a-feed, timeout, crash
    sentence: str
