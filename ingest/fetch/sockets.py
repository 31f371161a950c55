"""The sockets that feeds are read from: where they may lead, and how much may come through.

Both rules sit here because only here nothing escapes them: the address is the one connected to,
and the bytes are all that arrive, headers, chunk sizes, interim answers and TLS included.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

import aiohttp
from aiohttp.connector import Connection

from ingest.fetch.addresses import Rule

AddrInfo = tuple[int, int, int, str, Any]

# Headers and interim answers together. 60 kB were met; parsing a megabyte of the shortest ones
# takes .2 s, and nothing says that an answer will ever follow.
_MAX_HEAD = 1024 * 1024
# Taken at a time: between two pieces the other feeds have their turn, 6 ms apart at worst.
_PIECE = 32 * 1024


class WireLimit(OSError):
    """More came than may come for one answer; a sentence for the operator."""

    @classmethod
    def over(cls, limit: int) -> WireLimit:
        return cls(
            f"more than {limit:,} bytes come over the wire; raise ingest.max_wire_bytes if this "
            "feed should be read"
        )


class CountedSocket(socket.socket):
    """Counts what it receives; beyond its limit since the last request it only raises."""

    limit = 0  # for a whole answer
    in_head = True  # its headers are not through yet
    received = 0
    requests = 0
    failed: OSError | None = None  # why nothing more can come, when it is not the peer's end

    def recv(self, size: int, flags: int = 0) -> bytes:
        try:
            data = super().recv(min(size, _PIECE), flags)
        except (BlockingIOError, InterruptedError):
            raise
        except OSError as error:
            self.failed = error
            raise
        self._count(len(data))
        return data

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        try:
            count = super().recv_into(buffer, min(size or len(buffer), _PIECE), flags)
        except (BlockingIOError, InterruptedError):
            raise
        except OSError as error:
            self.failed = error
            raise
        self._count(count)
        return count

    def _count(self, count: int) -> None:
        self.received += count
        if self.received > self.limit:
            self.failed = WireLimit.over(self.limit)
            raise self.failed
        if self.in_head and self.received > _MAX_HEAD:
            self.failed = WireLimit(f"more than {_MAX_HEAD:,} bytes of headers came")
            raise self.failed


# By number, because a transport shows its socket's number but not the socket.
_open: WeakValueDictionary[int, CountedSocket] = WeakValueDictionary()


def socket_factory(rule: Rule | None, limit: int) -> Callable[[AddrInfo], socket.socket]:
    """For `aiohttp.TCPConnector`; raises RefusedAddress instead of making a socket to an address
    that the rule does not permit. Without a rule every address will do."""

    def make(info: AddrInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        if rule is not None and not rule.permits(address[0]):
            raise rule.refusal(address[0])
        made = CountedSocket(family, kind, protocol)
        made.setblocking(False)
        made.limit = limit
        _open[made.fileno()] = made
        return made

    return make


class Answer(aiohttp.ClientResponse):
    """An answer that knows the socket it comes from."""

    _socket: CountedSocket | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None or protocol.should_close:
            # Something came before the request went out: it cannot be the answer to it. On a
            # connection used before, aiohttp now asks once more on a new one.
            lost: aiohttp.ClientConnectionError = aiohttp.ServerDisconnectedError(
                "the server spoke before it was asked, or hung up"
            )
        else:
            found = self._socket = _open.get(transport.get_extra_info("socket").fileno())
            if found is not None:
                found.received, found.in_head = 0, True
                found.requests += 1
            try:
                await super().start(connection)
                if found is not None:
                    found.in_head = False
                return self
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
                lost = error
        if self._socket is None or self._socket.requests > 1:
            raise lost
        # aiohttp repeats a request that failed like this, which is right for a connection that the
        # server closed while it lay idle. This one was new: asking again would double the harm.
        raise aiohttp.ClientConnectionError(str(lost)) from lost

    async def pour(self, take: Callable[[bytes], None]) -> None:
        """Hand over the body piece by piece, as it came (still coded). Raises WireLimit when too
        much comes, ClientPayloadError when it ends before its end."""
        try:
            async for piece in self.content.iter_any():
                take(piece)
        except aiohttp.ClientPayloadError as error:
            if self._socket is not None and isinstance(self._socket.failed, WireLimit):
                raise self._socket.failed from error
            raise
        # Without a length the end of the connection is the end of the body, but only a clean end.
        if self._socket is not None and self._socket.failed is not None and self._open_ended():
            if isinstance(self._socket.failed, WireLimit):
                raise self._socket.failed
            raise aiohttp.ClientPayloadError(f"the connection broke ({self._socket.failed})")

    def _open_ended(self) -> bool:
        return "Content-Length" not in self.headers and "Transfer-Encoding" not in self.headers
