"""Kill -9 in the middle of everything, again and again; then every article must be there once."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from store.compare import differences
from store.connection import reading
from store.engine import open_database
from tests.dateline.program import EVENTS, command, dateline, environment
from tests.torture.headlines import write

ARTICLES, KILLS, SEED = 400, 6, 20240301
# No single start of the program, the model's loading included, takes a third of it.
PATIENCE_S = 60


def records(log: Path) -> int:
    """How many records the log holds: the pipeline's progress, seen from outside."""
    if not log.exists():
        return 0
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True, timeout=5)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM records").fetchone()[0])
        except sqlite3.OperationalError:  # its tables are not made yet
            return 0


def kill_past(folder: Path, goal: int, delay: float) -> bool:
    """Start the replay; kill its process group `delay` s after the log has grown, and past `goal`
    records. False when it finished before."""
    log = folder / "news.log.db"
    goal = max(goal, records(log))  # a kill before this start did anything would prove nothing
    with (folder / "stderr").open("ab") as said:
        process = subprocess.Popen(
            command("replay", "news.jsonl", "--events", EVENTS),
            cwd=folder, env=environment(), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=said,
        )  # fmt: skip
        end = time.monotonic() + PATIENCE_S
        while process.poll() is None and records(log) <= goal:
            assert time.monotonic() < end, f"the log never grew past {goal} records"
            time.sleep(0.01)
        try:
            process.wait(timeout=delay)  # the moment within the batch
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_by_kill_9(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = write(tmp_path / "news.jsonl", ARTICLES, SEED)
    chance = random.Random(SEED)
    # Each article passes four topics. The first goals fall into ingest, the last into matching.
    goals = sorted(chance.randrange(0, ARTICLES * 3) for _ in range(KILLS))
    kills = sum(kill_past(tmp_path, goal, chance.uniform(0, 0.2)) for goal in goals)
    # On a very fast machine the last start may be through before its kill.
    assert kills >= KILLS - 1, (tmp_path / "stderr").read_text()
    assert "Traceback" not in (tmp_path / "stderr").read_text()

    done = dateline(tmp_path, "replay", "news.jsonl", "--events", EVENTS)
    assert done.returncode == 0, done.stderr
    audit = dateline(tmp_path, "audit", "--db", "news.db")
    again = dateline(tmp_path, "db", "rebuild", "again.db", "--db", "news.db")
    assert again.returncode == 0, again.stderr

    one, other = open_database(tmp_path / "news.db"), open_database(tmp_path / "again.db")
    with reading(one) as connection:
        query = sa.text("SELECT ref FROM v_story_articles")
        held = Counter(connection.execute(query).scalars())
    differing = differences(one, other)
    one.dispose()
    other.dispose()
    lost = sorted(set(wanted) - set(held))
    doubled = sorted(ref for ref, times in held.items() if times > 1)
    with capsys.disabled():
        print(
            f"\nkill -9: {kills} kills at {goals} records, {len(held)} articles,"
            f" {len(lost)} lost, {len(doubled)} twice, {len(differing)} tables differ from the"
            f" rebuilt ones; audit {'ok' if audit.returncode == 0 else 'FAILED'}"
        )
    assert (lost, doubled, differing) == ([], [], [])
    assert set(held) == set(wanted)
    assert audit.returncode == 0, audit.stdout
