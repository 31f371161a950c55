"""TLS and SASL/PLAIN before the packaged broker, which has neither that works; and a count of what
goes through."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Mapping

from tests.relay import Relay

# Keys of requests, and an error code, of Kafka's protocol.
API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE, SASL_FAILED = 18, 17, 36, 58


class TlsFront(Relay):
    """Ends TLS (None: passes plain) on a loopback port and passes on to `target`. `sent` counts
    the bytes that clients sent, as the broker gets them. With `users` (name -> password) it asks
    for SASL/PLAIN, and closes the connection of whoever asks for anything before."""

    def __init__(
        self, context: ssl.SSLContext | None, users: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(context=context)
        self.sent, self._users = 0, users
        # A handshake that fails is the client's to tell.
        self._loop.set_exception_handler(lambda *_: None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_read, to_write = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            if self._users is not None and not await self._login(reader, writer, to_read, to_write):
                return
            done = [self._pipe(reader, to_write, count=True), self._pipe(to_read, writer)]
            await asyncio.gather(*done)
        finally:
            writer.close()
            to_write.close()

    async def _login(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        to_read: asyncio.StreamReader,
        to_write: asyncio.StreamWriter,
    ) -> bool:
        """Answers the two SASL requests in the broker's place; True = the client may go on."""
        assert self._users is not None
        while True:
            try:
                request = await _frame(reader)
            except (asyncio.IncompleteReadError, OSError):
                return False
            api, version, correlation = struct.unpack(">hhi", request[:8])
            if api == API_VERSIONS:
                to_write.write(len(request).to_bytes(4, "big") + request)
                answer = await _frame(to_read)
            elif api == SASL_HANDSHAKE:
                answer = struct.pack(">ihih", correlation, 0, 1, 5) + b"PLAIN"
            elif api == SASL_AUTHENTICATE:
                # NUL, name, NUL, password: the last field, but for the empty tags of version 2.
                token = request[:-1] if version == 2 else request
                _, name, password = token.rsplit(b"\0", 2)
                good = self._users.get(name.decode()) == password.decode()
                answer = _authenticated(version, correlation, 0 if good else SASL_FAILED)
            else:
                return False
            writer.write(len(answer).to_bytes(4, "big") + answer)
            await writer.drain()
            if api == SASL_AUTHENTICATE:
                return good

    async def _pipe(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, count: bool = False
    ) -> None:
        try:
            while data := await source.read(65536):
                self.sent += len(data) if count else 0
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    size = int.from_bytes(await reader.readexactly(4), "big")
    return await reader.readexactly(size)


def _authenticated(version: int, correlation: int, error: int) -> bytes:
    """No message, no token, no lifetime; version 2 has lengths of one byte, and tags."""
    if version == 2:
        return struct.pack(">ibhBBqB", correlation, 0, error, 0, 1, 0, 0)
    return struct.pack(">ihhi", correlation, error, -1, 0) + (bytes(8) if version == 1 else b"")
