"""A TCP proxy that is a bad network: it delays, resets, or swallows what goes through it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Coroutine
from typing import Any

from tests.relay import Relay


class FaultProxy(Relay):
    """Passes on to `target`, badly.

    `delay`: seconds that every chunk waits. `reset()`: every connection ends with a RST.
    `half_open(True)`: whatever is connected, and connects, hears nothing any more; those
    connections stay dead when it is over, as they would after a cable was pulled.
    """

    def __init__(self, target: int = 0) -> None:
        super().__init__(target)
        self.delay = 0.0
        self._silent = False
        self._open: set[asyncio.StreamWriter] = set()

    def reset(self) -> int:
        """How many connections were cut."""
        return self._do(self._reset())

    def half_open(self, on: bool) -> None:
        self._do(self._half_open(on))

    def close(self) -> None:
        self._do(self._reset())
        super().close()

    # -- on the loop -----------------------------------------------------------------------------

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
