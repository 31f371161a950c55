"""The two runs of `make torture`: on the broker with PostgreSQL, and on SQLite alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.torture.arena import Arena, Fault
from tests.torture.lives import told
from tests.torture.seen import Seen
from tests.torture.servers import Network, Postgres
from tests.torture.verdict import Verdict, judge

Tell = Callable[[str], None]
# Past the first page of any file that a stage writes: nothing can grow.
FULL_BYTES = 4096


@dataclass
class Report:
    where: str
    seed: int
    seconds: float
    seen: Seen
    verdict: Verdict

    @property
    def good(self) -> bool:
        return self.verdict.good and not self.seen.broken

    def as_dict(self) -> dict[str, Any]:
        median, p95 = self.seen.recovery()
        return {
            "where": self.where,
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "kills": self.seen.signals["SIGKILL"],
            "signals": dict(self.seen.signals),
            "points": dict(self.seen.points),
            "faults": dict(self.seen.faults),
            "recovery": {"count": len(self.seen.recoveries), "median_s": round(median, 2),
                         "p95_s": round(p95, 2)},
            "restarts": self.seen.restarts,
            "broken": self.seen.broken,
            **asdict(self.verdict),
            "good": self.good,
        }  # fmt: skip

    def as_text(self) -> str:
        v, s = self.verdict, self.seen
        median, p95 = s.recovery()
        at = ", ".join(f"{count} {point}" for point, count in s.points.most_common())
        lines = [
            f"torture on {self.where}: {'passed' if self.good else 'FAILED'} in"
            f" {self.seconds:.0f} s (--seed {self.seed})",
            f"  kills      {s.signals['SIGKILL']} SIGKILL, {s.signals['SIGTERM']} SIGTERM,"
            f" {s.signals['SIGSTOP']} SIGSTOP; {s.restarts} ended as a server was away",
            f"  at         {at}",
            *(f"  fault      {name}, {n} ×" for name, n in s.faults.items()),
            f"  articles   {v.articles:,}, {v.matches:,} matches",
            f"  lost       {len(v.lost)}",
            f"  duplicated {len(v.duplicated)}",
            f"  differing  {len(v.differing)} tables from a rebuild in one pass,"
            f" {len(v.changed)} articles from the input",
            f"  audit      {'adds up' if not v.gaps else f'{len(v.gaps)} gaps'},"
            f" {v.dead} dead letters",
            f"  alerts     {v.alerts}: {v.sent} sent once, {v.unknown} outcome unknown,"
            f" {len(v.untold)} not told, {len(v.told_twice)} told twice",
            f"  recovery   median {median:.1f} s, p95 {p95:.1f} s from a kill to the first record"
            f" done again ({len(s.recoveries)} measured)",
        ]
        for name in ("lost", "duplicated", "differing", "changed", "gaps", "untold", "told_twice"):
            lines += [f"  ! {name}: {one}" for one in getattr(v, name)[:10]]
        lines += [f"  ! {one}" for one in s.broken[:10]]
        return "\n".join(lines)


def on_broker(
    base: Path, articles: int, kills: int, seed: int, tell: Tell, *, brief: bool = False
) -> Report:
    """Two processes a stage, Kafka's protocol through a bad network, PostgreSQL. `brief`: with
    three of the faults."""
    folder = base / "broker"
    folder.mkdir()
    with Network() as network, Postgres() as postgres:

        def restart_broker(_: Arena) -> None:
            network.broker.stop()
            time.sleep(2)
            network.broker.start()

        def slow(_: Arena) -> None:
            network.proxy.delay = 0.1
            time.sleep(5)
            network.proxy.delay = 0.0

        def cut(_: Arena) -> None:
            for _i in range(3):
                network.proxy.reset()
                time.sleep(1)

        def half_open(_: Arena) -> None:
            network.proxy.half_open(True)
            time.sleep(5)
            network.proxy.half_open(False)

        def kill_database(_: Arena) -> None:
            postgres.kill()
            time.sleep(2)
            postgres.start()

        faults: list[Fault] = [
            ("records appended again in another order", _append_again),
            ("slow network", slow),
            ("database killed", kill_database),
            ("connections reset", cut),
            ("definitions changed", _redefine),
            ("broker killed", restart_broker),
            ("records appended again in another order", _append_again),
            ("half-open connections", half_open),
            ("database killed", kill_database),
            ("broker killed", restart_broker),
        ]
        if brief:
            faults = [faults[3], faults[2], faults[5]]
        return _run(
            "the broker and PostgreSQL", folder, tell, postgres.url("rebuilt"),
            Arena(folder, log=network.url, database=postgres.url("torture"), articles=articles,
                  kills=kills, seed=seed, doubled=True, faults=faults, tell=tell),
        )  # fmt: skip


def on_sqlite(base: Path, articles: int, kills: int, seed: int, tell: Tell) -> Report:
    """One process a stage, log and database in files, and a disk that is full at times."""
    folder = base / "sqlite"
    folder.mkdir()

    def fill_disk(arena: Arena) -> None:
        for life in arena.lives:
            life.limit_files(FULL_BYTES)
        time.sleep(3)
        for life in arena.lives:
            life.limit_files(None)

    faults: list[Fault] = [
        ("records appended again in another order", _append_again),
        ("disk full", fill_disk),
        ("definitions changed", _redefine),
        ("disk full", fill_disk),
    ]
    return _run(
        "SQLite", folder, tell, str(folder / "rebuilt.db"),
        Arena(folder, log="dateline.log.db", database="dateline.db", articles=articles,
              kills=kills, seed=seed, doubled=False, faults=faults, tell=tell),
    )  # fmt: skip


def _append_again(arena: Arena) -> None:
    arena.pipeline.append_again(arena.chance)


def _redefine(arena: Arena) -> None:
    arena.pipeline.define(2)


def _run(where: str, folder: Path, tell: Tell, empty: str, arena: Arena) -> Report:
    began = time.monotonic()
    tell(f"torture on {where}: {len(arena.rows):,} articles, {arena.kills} kills")
    arena.pipeline.prepare()
    arena.play()
    tell("comparing with a rebuild")
    verdict = judge(arena.pipeline.settings, empty, arena.rows, told(arena.lives))
    if not verdict.good:
        arena.pipeline.save_log(folder / "log-of-the-failure.db")
    return Report(where, arena.seed, time.monotonic() - began, arena.seen, verdict)
