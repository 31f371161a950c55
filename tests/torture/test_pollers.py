"""Three pollers on one table of feeds, one of them killed with -9: fresh, never twice, polite."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.leases import measure

# Seven hundred feeds at a twenty-fifth of real life's times are as many requests a second as 5,000
# feeds are. Leases are shortened less: on a machine with many other tests a process is held up for
# seconds now and then. `python -m bench.leases` does the same with 10,000 feeds and nothing scaled.
FEEDS, SCALE, LEASE_S = 700, 0.04, 12.0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers at all of 127.0.0.0/8")
def test_each_feed_is_polled_on_time_and_no_host_too_fast_though_a_poller_is_killed(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = measure(
        postgres_url, tmp_path, feeds=FEEDS, scale=SCALE, rounds=3, lease=LEASE_S / SCALE
    )
    with capsys.disabled():
        print(f"\n{found.table()}")
    assert found.requests > FEEDS
    assert (found.lost, found.passed_on) == (0, 0), "the machine was too busy to tell"
    assert min(found.shares) > 0.25 * FEEDS
    assert (found.unasked, found.early, found.at_once, found.too_fast) == (0, 0, 0, 0)
    # What it had asked and not yet saved, and no more: it asks a few at once.
    assert found.again <= FEEDS // 50
