"""TLS before the packaged broker, which speaks none; and a count of what goes through."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading


class TlsFront:
    """Ends TLS (None: passes plain) on a loopback port and passes on to `target`. `sent` counts
    the bytes that clients sent, as the broker gets them."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.target, self.sent = 0, 0
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        # A handshake that fails is the client's to tell.
        self._loop.set_exception_handler(lambda *_: None)
        serving = asyncio.start_server(self._serve, sock=self._socket, ssl=self._context)
        server = self._loop.run_until_complete(serving)
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_read, to_write = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            done = [self._pipe(reader, to_write, count=True), self._pipe(to_read, writer)]
            await asyncio.gather(*done)
        finally:
            writer.close()
            to_write.close()

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
