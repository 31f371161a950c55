"""A server on loopback that says what a test wants, byte for byte, and sees who hangs up."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterable

Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """One connection. `request` is the head of the last request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.request = b""

    async def asked(self) -> bytes:
        """The next request's head, also appended to the server's list."""
        self.request = await self.reader.readuntil(b"\r\n\r\n")
        return self.request

    async def say(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))
        await self.writer.drain()

    async def for_ever(self, parts: Iterable[bytes]) -> None:
        """Say it again and again, as fast as it is taken."""
        whole = b"".join(parts)
        while True:
            await self.say(whole)

    async def drip(self, data: bytes, pause: float = 0.02) -> None:
        """A byte at a time, slower than any deadline."""
        for byte in data:
            await self.say(bytes([byte]))
            await asyncio.sleep(pause)
        await self.reader.read()

    def reset(self) -> None:
        """Break the connection (RST) instead of closing it."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def hang(self) -> None:
        """Until the other side hangs up."""
        await self.reader.read()


class Server:
    """Plays `script` on every connection; bytes are an answer after which the connection closes.
    Listens on every address of this machine, IPv6 included where it has it."""

    def __init__(self, script: Script | bytes, tls: ssl.SSLContext | None = None) -> None:
        self._script, self._tls = script, tls
        self.requests: list[bytes] = []
        self.connections = 0
        self.sent = 0
        self._playing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Server:
        dual = socket.has_dualstack_ipv6()
        sock = socket.create_server(
            ("::" if dual else "0.0.0.0", 0),
            family=socket.AF_INET6 if dual else socket.AF_INET, dualstack_ipv6=dual,
        )  # fmt: skip
        self.port = int(sock.getsockname()[1])
        self._server = await asyncio.start_server(self._play, sock=sock, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._playing:
            task.cancel()
        await asyncio.gather(*self._playing, return_exceptions=True)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    async def left(self) -> None:
        """Waits until every client has hung up."""
        while self._playing:
            await asyncio.wait(self._playing)

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._playing.add(task)
        task.add_done_callback(self._playing.discard)
        self.connections += 1
        peer = _Listening(reader, writer, self)
        try:
            if isinstance(self._script, bytes):
                await peer.asked()
                await peer.say(self._script)
            else:
                await self._script(peer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the other side hung up
        finally:
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()


class _Listening(Peer):
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: Server
    ) -> None:
        super().__init__(reader, writer)
        self._server = server

    async def asked(self) -> bytes:
        self._server.requests.append(await super().asked())
        return self.request

    async def say(self, *parts: bytes) -> None:
        await super().say(*parts)
        self._server.sent += sum(map(len, parts))


def answer(*headers: str, body: bytes = b"", status: str = "200 OK", length: bool = True) -> bytes:
    """A whole answer, with a right Content-Length unless told otherwise."""
    lines = [f"HTTP/1.1 {status}", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body
