"""Thousands of feeds on thousands of hosts, served on loopback by one small process.

    python -m bench.crowd --hang 0.01 --fail 0.05 --scale 1

Prints the port as one line and serves until its standard input closes; then it writes what it was
asked, one JSON array a line: [host, feed, begun, ended, answered], times in seconds since the
epoch, `answered` false where it never answered. Every address of 127.0.0.0/8 is a host of its own.
Some feeds never answer and some always fail, decided by their numbers; the rest take a moment
(`--scale` times that of real servers) and know their ETag.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import socket
import sys
import time

_REQUEST = re.compile(rb"GET /(\d+) ")
# Seconds to an answer: servers nearby answer in .02, far ones or busy ones take half a second.
_LATENCY = (0.02, 0.5)

Asked = list[object]


def _body(feed: int) -> bytes:
    return (
        f'<rss version="2.0"><channel><title>Outlet {feed}</title><language>en</language>'
        f"<item><title>What was reported at outlet {feed}</title>"
        f'<link>http://outlet{feed}.example/1</link><guid isPermaLink="false">{feed}</guid>'
        f"<description>The text of the only piece that outlet {feed} has.</description></item>"
        "</channel></rss>"
    ).encode()


class _Connection(asyncio.Protocol):
    def __init__(self, asked: list[Asked], hang: float, fail: float, scale: float) -> None:
        self._asked, self._hang, self._fail, self._scale = asked, hang, fail, scale
        self._now: Asked | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._host = transport.get_extra_info("sockname")[0]

    def data_received(self, data: bytes) -> None:
        found = _REQUEST.match(data)
        if found is None:
            self._transport.close()
            return
        feed = int(found[1])
        self._now = [self._host, feed, time.time(), None, False]
        self._asked.append(self._now)
        chance = random.Random(feed)
        kind, latency = chance.random(), chance.uniform(*_LATENCY)
        if kind < self._hang:
            return
        known = f'"{feed}"'.encode() in data
        if kind < self._hang + self._fail:
            answer = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
        elif known:
            answer = f'HTTP/1.1 304 Not Modified\r\nETag: "{feed}"\r\n\r\n'.encode()
        else:
            body = _body(feed)
            answer = (
                f'HTTP/1.1 200 OK\r\nETag: "{feed}"\r\nContent-Type: application/rss+xml\r\n'
                f"Content-Length: {len(body)}\r\n\r\n"
            ).encode() + body
        asyncio.get_running_loop().call_later(latency * self._scale, self._answer, answer)

    def _answer(self, answer: bytes) -> None:
        if self._now is not None:
            self._now[3:] = [time.time(), True]
            self._now = None
            self._transport.write(answer)

    def connection_lost(self, error: Exception | None) -> None:
        if self._now is not None:
            self._now[3] = time.time()
            self._now = None


async def serve(hang: float, fail: float, scale: float) -> None:
    asked: list[Asked] = []
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # One socket for all loopback addresses, and for no other network.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    listener.bind(("0.0.0.0", 0))
    loop = asyncio.get_running_loop()
    await loop.create_server(
        lambda: _Connection(asked, hang, fail, scale), sock=listener, backlog=4096
    )
    print(listener.getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    end = time.time()
    for row in asked:
        row[3] = row[3] or end
    print("\n".join(json.dumps(row) for row in asked), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve a crowd of feeds on loopback.")
    parser.add_argument("--hang", type=float, default=0.01)
    parser.add_argument("--fail", type=float, default=0.05)
    parser.add_argument("--scale", type=float, default=1.0)
    given = parser.parse_args()
    asyncio.run(serve(given.hang, given.fail, given.scale))
