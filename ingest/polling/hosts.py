"""Courtesy to hosts: one request at a time, with a gap between two, whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from ingest.articles import urls
from ingest.clock import Clock
from ingest.settings import IngestSettings

# Requests in a row, whichever feeds they were for, that a host left without an answer before it is
# taken for silent: one is one feed's affair, a second in a row seldom.
_SILENT_AFTER = 2
# A silent host keeps its slot for a whole deadline each time it is asked. Left alone for twice as
# long after each, it never costs more than a third of one slot; the rest of its feeds wait with it.
_FIRST_SILENCE = 2.0  # deadlines
# … but an hour later it is asked whatever it did: hosts do come back.
_LONGEST_SILENCE_S = 3600.0

# Article pages may lie anywhere: of the hosts beyond so many, those that were free to be asked for
# so long and were not are forgotten.
_MANY = 20_000
_OLD = timedelta(hours=1)


def host_of(url: str) -> str:
    """What leases, gaps and holds go by: the name in the address without www or mobile forms.
    Not the network address: a name keeps its owner when its address changes, and those who share
    an address behind one provider are used to being asked side by side."""
    return urls.domain(url) or "?"


class Hosts:
    """Whose turn it is at each host. One event loop, one of these: feeds, article pages and
    robots.txt share it."""

    def __init__(self, settings: IngestSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._gap = timedelta(seconds=settings.host_gap)
        self._hosts: dict[str, _Host] = {}
        self._held: set[str] = set()
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._stopping = False
        self._tidy_at = _MANY

    def stop(self) -> None:
        """Whoever still waits for a turn is cancelled when it comes."""
        self._stopping = True

    @asynccontextmanager
    async def turn(self, url: str) -> AsyncIterator[None]:
        """Hold while asking for `url`; waiting for a busy host takes no slot from the others."""
        name = host_of(url)
        if len(self._hosts) >= self._tidy_at:
            self._tidy()
        host = self._hosts.setdefault(name, _Host())
        async with host.turn:
            while (free_at := host.free_at) is not None and free_at > self._clock.now():
                await self._clock.sleep_until(free_at, asyncio.Event())
                if self._clock.ends is not None and self._clock.now() >= self._clock.ends:
                    break
            async with self._slots:
                if self._stopping:
                    raise asyncio.CancelledError  # had not begun
                try:
                    yield
                finally:
                    self.not_before(name, self._clock.now() + self._gap)

    def free_at(self, host: str) -> datetime | None:
        """Not to be asked before; None = at any time, as far as this poller knows."""
        known = self._hosts.get(host)
        return known.free_at if known else None

    def not_before(self, host: str, at: datetime) -> None:
        """Leave the host alone until then; turns that are waited for wait longer."""
        known = self._hosts.setdefault(host, _Host())
        known.free_at = max(known.free_at or at, at)

    def hold(self, url: str, until: datetime) -> None:
        """Nothing of the host of `url` is to be asked before `until`, by no poller."""
        host = host_of(url)
        self.not_before(host, until)
        self._held.add(host)

    def newly_held(self) -> dict[str, datetime]:
        """Holds that are not `noted` yet, for those who may come to look after these hosts."""
        return {host: at for host in self._held if (at := self.free_at(host)) is not None}

    def noted(self, held: Mapping[str, datetime]) -> None:
        self._held -= {host for host, at in held.items() if self.free_at(host) == at}

    def answered(self, url: str) -> None:
        """The host spoke, be it to refuse."""
        if (host := self._hosts.get(host_of(url))) is not None:
            host.silent = 0

    def silent(self, url: str) -> None:
        """No answer came within the deadline, or no connection: see `_SILENT_AFTER`."""
        host = self._hosts.setdefault(host_of(url), _Host())
        host.silent += 1
        if host.silent >= _SILENT_AFTER:
            doubled = 2.0 ** min(host.silent - _SILENT_AFTER, 20)
            wait = min(_FIRST_SILENCE * self._settings.deadline * doubled, _LONGEST_SILENCE_S)
            self.hold(url, self._clock.now() + timedelta(seconds=wait))

    def also_asked(self, url: str) -> None:
        """A redirect led there: the next request to that host keeps the gap."""
        self.not_before(host_of(url), self._clock.now() + self._gap)

    def forget(self, host: str) -> None:
        """Another poller looks after it from now on."""
        known = self._hosts.get(host)
        if known is not None and not known.turn.locked():
            del self._hosts[host]

    def _tidy(self) -> None:
        old = self._clock.now() - _OLD
        self._hosts = {
            name: host
            for name, host in self._hosts.items()
            if host.turn.locked() or host.free_at is None or host.free_at > old
        }
        self._tidy_at = max(_MANY, 2 * len(self._hosts))


class _Host:
    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.free_at: datetime | None = None  # by the clock
        self.silent = 0  # requests in a row without an answer
