"""What a poller has to ask and when: its feeds in memory, in the order in which they are due.

A host is asked for one feed at a time, so hosts stand in the queue and not feeds: a round costs
what is due in it, not what there is, and two hundred feeds of one host that are due together wait
without being in anybody's way.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime

from ingest.feeds import Feed


class Agenda:
    """Belongs to one event loop. `free_at` says from when on a host may be asked."""

    def __init__(self, free_at: Callable[[str], datetime | None]) -> None:
        self._free_at = free_at
        self._feeds: dict[int, Feed] = {}
        self._hosts: dict[str, _Host] = {}
        self._queue: list[tuple[datetime, str]] = []  # when and host; outdated entries among them

    def __len__(self) -> int:
        return len(self._feeds)

    def ids(self) -> set[int]:
        return set(self._feeds)

    def get(self, feed_id: int) -> Feed | None:
        return self._feeds.get(feed_id)

    def put(self, feed: Feed) -> None:
        """New, or as it is now. One that is not active is dropped."""
        if feed.state != "active":
            return self.drop(feed.id)
        known = self._feeds.get(feed.id)
        if known is not None and known.host != feed.host:
            self.drop(feed.id)
        self._feeds[feed.id] = feed
        host = self._hosts.setdefault(feed.host, _Host())
        if feed.id not in host.ids or known is None or known.next_at != feed.next_at:
            host.ids.add(feed.id)
            heapq.heappush(host.feeds, (feed.next_at, feed.id))
        self._enter(feed.host)
        return None

    def drop(self, feed_id: int) -> None:
        feed = self._feeds.pop(feed_id, None)
        if feed is None:
            return
        host = self._hosts[feed.host]
        host.ids.discard(feed_id)
        if not host.ids and not host.asking:
            del self._hosts[feed.host]

    def drop_host(self, host: str) -> None:
        for feed_id in tuple(self._hosts[host].ids) if host in self._hosts else ():
            self.drop(feed_id)

    def begin(self, now: datetime) -> Feed | None:
        """The next feed to ask, if one is due: off the agenda until it is `put` again, and its
        host until it was `asked`."""
        while self._queue and self._queue[0][0] <= now:
            at, name = heapq.heappop(self._queue)
            host = self._hosts.get(name)
            if host is None or host.asking or host.queued != at:
                continue  # outdated
            host.queued = None
            due = self._first(host)
            if due is None or self._ready(name, due[0]) > now:
                self._enter(name)  # the host was asked by others meanwhile, or its feed is gone
                continue
            heapq.heappop(host.feeds)
            host.asking = True
            host.ids.discard(due[1])
            return self._feeds.pop(due[1])
        return None

    def asked(self, host: str) -> None:
        """The feed of this host that was begun has been asked: it is the next one's turn."""
        known = self._hosts.get(host)
        if known is None:
            return
        known.asking = False
        if known.ids:
            self._enter(host)
        else:
            del self._hosts[host]

    def all_due(self, now: datetime) -> list[Feed]:
        """Everything that is due at hosts that may be asked, the longest waiting first; off the
        agenda."""
        due = [f for f in self._feeds.values() if self._ready(f.host, f.next_at) <= now]
        for feed in due:
            self.drop(feed.id)
        return sorted(due, key=lambda f: (f.next_at, f.id))

    def next_at(self) -> datetime | None:
        """When to ask `begin` again; None when nothing waits."""
        while self._queue:
            at, name = self._queue[0]
            host = self._hosts.get(name)
            if host is not None and not host.asking and host.queued == at:
                return at
            heapq.heappop(self._queue)
        return None

    def _first(self, host: _Host) -> tuple[datetime, int] | None:
        while host.feeds:
            at, feed_id = host.feeds[0]
            feed = self._feeds.get(feed_id)
            if feed is not None and feed.next_at == at and feed_id in host.ids:
                return at, feed_id
            heapq.heappop(host.feeds)  # outdated
        return None

    def _ready(self, host: str, due: datetime) -> datetime:
        free_at = self._free_at(host)
        return max(due, free_at) if free_at else due

    def _enter(self, name: str) -> None:
        host = self._hosts[name]
        due = self._first(host)
        if host.asking or due is None:
            return
        at = self._ready(name, due[0])
        if host.queued != at:
            host.queued = at
            heapq.heappush(self._queue, (at, name))


class _Host:
    def __init__(self) -> None:
        self.ids: set[int] = set()
        self.feeds: list[tuple[datetime, int]] = []  # next_at and id; outdated entries among them
        self.asking = False
        self.queued: datetime | None = None  # its entry in the queue that counts
