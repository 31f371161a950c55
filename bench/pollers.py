"""The contenders of `bench.ingest`, each run in a process of its own.

    python -m bench.pollers NAME FOLDER    (the feeds' URLs as JSON on standard input)

Says "ready" when everything is imported and has polled the warm-up feeds, then polls all of them
for each line on standard input and answers with one line of JSON: {"items": n, "unchanged": n}.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

# In flight at once, for everybody who can: loopback has no latency to hide.
CONCURRENCY = 32
# Feeds that are polled before the clock starts, so that imports, worker processes and models
# count for nobody.
WARM_UP = 40

# A pass of a thousand feeds takes five seconds, or a minute on a busy machine.
_PATIENCE_S = 300.0

Pass = Callable[[], Awaitable[dict[str, int]]]


@asynccontextmanager
async def bare(urls: list[str], folder: Path) -> AsyncIterator[Pass]:
    """aiohttp and feedparser with nothing around them: no database, no checks, no politeness."""
    import aiohttp
    import feedparser

    tags: dict[str, str] = {}
    slots = asyncio.Semaphore(CONCURRENCY)

    async def poll(session: aiohttp.ClientSession, url: str) -> int | None:
        headers = {"If-None-Match": tags[url]} if url in tags else {}
        async with slots, session.get(url, headers=headers) as answer:
            body = await answer.read()
        if answer.status == 304:
            return None
        tags[url] = answer.headers["ETag"]
        return len(feedparser.parse(io.BytesIO(body)).entries)

    async with aiohttp.ClientSession() as session:

        async def everything() -> dict[str, int]:
            found = await asyncio.gather(*(poll(session, url) for url in urls[WARM_UP:]))
            new = [n for n in found if n is not None]
            return {"items": sum(new), "unchanged": len(found) - len(new)}

        for url in urls[:WARM_UP]:
            await poll(session, url)
        yield everything


@asynccontextmanager
async def reader(urls: list[str], folder: Path) -> AsyncIterator[Pass]:
    """lemon24 reader with its defaults and a file for a database."""
    from reader import make_reader

    logging.disable(logging.WARNING)
    made = make_reader(str(folder / "reader.sqlite"))
    for url in urls[:WARM_UP]:
        made.add_feed(url)
    made.update_feeds(scheduled=False)
    for url in urls[WARM_UP:]:
        made.add_feed(url)
    rest = set(urls[WARM_UP:])

    async def everything() -> dict[str, int]:
        items = unchanged = 0
        for result in made.update_feeds_iter(scheduled=False):
            if result.url in rest:
                value = result.value
                if isinstance(value, Exception):
                    raise value
                items += value.new if value else 0
                unchanged += value is None or not value.new
        return {"items": items, "unchanged": unchanged}

    yield everything
    made.close()


@asynccontextmanager
async def feedparser_alone(urls: list[str], folder: Path) -> AsyncIterator[Pass]:
    """Dateline without its own reader of well-formed feeds."""
    from ingest.documents import workers

    pool = workers.Pool  # type: ignore[attr-defined]
    workers.Pool = lambda _, *rest: pool("bench.feedparser_worker", *rest)  # type: ignore
    async with dateline(urls, folder) as everything:
        yield everything


@asynccontextmanager
async def dateline(urls: list[str], folder: Path) -> AsyncIterator[Pass]:
    """The real poller with its real database and log, all rows written."""
    import os

    from ingest import feeds
    from ingest.clock import WallClock
    from ingest.documents import language
    from ingest.polling.poller import Poller
    from ingest.settings import IngestSettings
    from store.engine import open_database
    from stream.log.contract import topics
    from stream.log.sqlite import SqliteLog
    from stream.telemetry import configure_logs

    class Later(WallClock):
        """The wall's time, put forward before each pass so that every feed is due."""

        ahead = timedelta(0)
        sleepers: ClassVar[set[asyncio.Event]] = set()

        def now(self) -> datetime:
            return super().now() + self.ahead

        async def sleep_until(self, until: datetime, wake: asyncio.Event) -> None:
            self.sleepers.add(wake)
            await super().sleep_until(until, wake)
            self.sleepers.discard(wake)

        def jump(self) -> None:
            self.ahead += timedelta(days=2)  # beyond any interval
            for wake in self.sleepers:
                wake.set()

    configure_logs("info", json_lines=True)
    engine = open_database(folder / "dateline.db", upgrade=True)
    log = SqliteLog(folder / "dateline.log.db")
    log.create_topics(topics(1))
    settings = IngestSettings(
        allow_networks=["127.0.0.0/8"],  # type: ignore[list-item]
        host_gap=0,
        concurrency=CONCURRENCY,
        parse_workers=os.cpu_count() or 1,
    )
    clock, stop = Later(), asyncio.Event()

    async def polled(count: int) -> dict[str, int]:
        """Put the clock forward and wait until so many polls have been saved."""
        before, late = _counters(), time.monotonic() + _PATIENCE_S
        clock.jump()
        while (now := _counters())["polls"] - before["polls"] < count:
            if running.done():
                running.result()
            if time.monotonic() > late:
                raise SystemExit(f"not all feeds were polled within {_PATIENCE_S:g} s")
            await asyncio.sleep(0.005)
        if now["failed"]:
            raise SystemExit(f"polls failed; see {folder}")
        return {name: now[name] - before[name] for name in ("items", "unchanged")}

    language.load()
    feeds.add_many(engine, [feeds.Entry(url=url) for url in urls[:WARM_UP]], now=clock.now())
    running = asyncio.create_task(Poller(engine, log, settings, clock).run(stop))
    await polled(WARM_UP)
    for url in urls[:WARM_UP]:
        feeds.set_state(engine, url, "paused", now=clock.now())
    # Due after the next jump; the poller takes up what was added when it next looks.
    soon = clock.now() + timedelta(days=1)
    feeds.add_many(engine, [feeds.Entry(url=url) for url in urls[WARM_UP:]], now=soon)
    await asyncio.sleep(6)
    yield lambda: polled(len(urls) - WARM_UP)
    stop.set()
    await running
    log.close()
    engine.dispose()


def _counters() -> dict[str, int]:
    """What the poller's own metrics say since the process began."""
    from prometheus_client import REGISTRY

    names = ("dateline_ingest_polls_total", "dateline_ingest_items_total")
    count = {
        next(iter(sample.labels.values())): int(sample.value)
        for metric in REGISTRY.restricted_registry(names).collect()
        for sample in metric.samples
        if sample.name in names
    }
    items, unchanged = count.pop("stored", 0), count.get("unchanged", 0)
    for fate in ("revised", "duplicate", "filtered", "dead"):
        count.pop(fate, None)
    polls = sum(count.values())
    failed = polls - unchanged - count.get("ok", 0)
    return {"polls": polls, "failed": failed, "unchanged": unchanged, "items": items}


NAMES = {"reader": reader, "bare": bare, "dateline": dateline, "feedparser": feedparser_alone}


async def _main(name: str, folder: Path, urls: list[str]) -> None:
    async with NAMES[name](urls, folder) as everything:
        print("ready", flush=True)
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps(await everything()), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(sys.argv[1], Path(sys.argv[2]), json.loads(sys.stdin.readline())))
