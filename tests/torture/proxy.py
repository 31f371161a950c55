"""A TCP proxy that is a bad network: it delays, resets, or swallows what goes through it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any


class FaultProxy:
    """Listens on loopback from the start, so that its address can be told to the server behind it,
    whose port is `target`.

    `delay`: seconds that every chunk waits. `reset()`: every connection ends with a RST.
    `half_open(True)`: whatever is connected, and connects, hears nothing any more; those
    connections stay dead when it is over, as they would after a cable was pulled.
    """

    def __init__(self, target: int = 0) -> None:
        self.target, self.delay = target, 0.0
        self._silent = False
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="fault-proxy", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def reset(self) -> int:
        """How many connections were cut."""
        return self._do(self._reset())

    def half_open(self, on: bool) -> None:
        self._do(self._half_open(on))

    def close(self) -> None:
        self._do(self._reset())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    # -- on the loop -----------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._socket))
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _reset(self) -> int:
        cut = len(self._open)
        for writer in list(self._open):
            with contextlib.suppress(OSError):
                # Linger of nothing: the peer gets a RST, not an end.
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
            writer.transport.abort()
        return cut

    async def _half_open(self, on: bool) -> None:
        self._silent = on

    async def _serve(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            there, on = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            back.transport.abort()
            return
        ends = {back, on}
        self._open |= ends
        dead = asyncio.Event()
        pumps = [
            asyncio.ensure_future(self._pump(here, on, dead)),
            asyncio.ensure_future(self._pump(there, back, dead)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._open -= ends
            for writer in ends:
                writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, dead: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(256 * 1024):
                if self._silent:
                    dead.set()  # in both directions, for as long as the peers keep it open
                if dead.is_set():
                    continue
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
