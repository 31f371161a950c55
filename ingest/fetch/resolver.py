"""Names to addresses: the system's answer, without the addresses that may not be asked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from ingest.fetch.addresses import Rule


class Resolver(AbstractResolver):
    """For `aiohttp.TCPConnector`. Belongs to one event loop.

    Each question has a thread of its own that nobody waits for at the end: with a common pool, the
    slow name servers of a few feeds would hold up every other feed's question. There are never
    many, because whoever asked has a deadline and the connector asks once for a name.
    """

    def __init__(self, rule: Rule | None) -> None:
        self._rule = rule  # None: the answer as it is

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises RefusedAddress when none of the addresses may be asked, OSError when there is
        none."""
        found = await self._ask(host, port, family)
        rule = self._rule
        kept = [f for f in found if rule is None or rule.permits(f["host"])]
        if rule is not None and found and not kept:
            raise rule.refusal(found[0]["host"], host)
        return kept

    async def close(self) -> None:
        pass

    async def _ask(self, host: str, port: int, family: int) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Any]] = loop.create_future()

        def settle(found: list[Any], error: Exception | None) -> None:
            if answer.done():
                return  # given up
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)

        def ask() -> None:
            found: list[Any] = []
            failed: Exception | None = None
            try:
                # Both families only where the machine has both: else each connection would first
                # fail on the other one.
                found = socket.getaddrinfo(
                    host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG
                )
            except Exception as error:  # names that cannot be encoded raise UnicodeError
                failed = error if isinstance(error, OSError) else OSError(str(error))
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(settle, found, failed)

        threading.Thread(target=ask, name="resolve", daemon=True).start()
        return [
            ResolveResult(
                hostname=host, host=address[0], port=address[1], family=kind, proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in await answer
            if kind in (socket.AF_INET, socket.AF_INET6)
        ]  # fmt: skip
