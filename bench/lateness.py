"""What many pollers asked of a server, held against what they had said when it was due."""

from __future__ import annotations

import contextlib
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

# Real life, in seconds: what `--scale` is applied to.
INTERVAL, GAP, DEADLINE, LEASE = 300.0, 1.0, 30.0, 90.0
# From here on a host's own gap is what its feeds wait for: a second between two requests, with the
# answers and a few that hang, makes an interval full at about 200.
_CROWDED = 100
# Two clocks' reading and a busy machine's scheduling lie between a poller and the server.
_BLUR_S = 0.02


@dataclass
class Result:
    """Lateness in seconds, of requests that were due."""

    feeds: int
    hosts: int
    requests: int = 0
    shares: list[int] = field(default_factory=list)  # feeds of each poller before the kill
    takeover: float = 0.0  # seconds from the kill until every host had a live owner
    late: list[float] = field(default_factory=list)  # of hosts that the killed one did not have
    crowded_late: list[float] = field(default_factory=list)  # … with very many feeds
    orphans_late: list[float] = field(default_factory=list)  # … that it had, after the kill
    early: int = 0  # asked before they were due: twice in an interval
    at_once: int = 0  # asked while they were being asked
    again: int = 0  # asked again because the killed poller had not saved what it had asked
    too_fast: int = 0  # requests to a host within its gap
    lost: int = 0  # leases that ended because their poller was held up, by a busy machine
    passed_on: int = 0  # polls not saved because of that
    unasked: int = 0  # due for longer than anything can take, and never asked

    def table(self) -> str:
        rows = [("feeds", f"{self.feeds:,} on {self.hosts:,} hosts"),
                ("requests", f"{self.requests:,}"),
                ("feeds of each poller", " / ".join(f"{n:,}" for n in sorted(self.shares))),
                ("late", _percentiles(self.late)),
                (f"late, hosts of over {_CROWDED} feeds", _percentiles(self.crowded_late)),
                ("late, orphans of the killed", _percentiles(self.orphans_late)),
                ("every host owned again after", f"{self.takeover:.1f} s"),
                ("due and never asked", str(self.unasked)),
                ("twice in an interval", str(self.early)),
                ("twice at once", str(self.at_once)),
                ("asked again (unsaved when killed)", str(self.again)),
                ("host asked within its gap", str(self.too_fast)),
                ("leases lost, polls passed on", f"{self.lost}, {self.passed_on}")]  # fmt: skip
        return "\n".join(f"{name:<34} {value}" for name, value in rows)


def _percentiles(values: list[float]) -> str:
    if not values:
        return "none"
    ordered = sorted(values)
    at = {p: ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))] for p in (50, 95, 99)}
    return ", ".join(f"p{p} {v:.2f} s" for p, v in at.items()) + f", longest {ordered[-1]:.2f} s"


def compare_all(
    result: Result,
    asked: list[list[Any]],
    outcomes: dict[int, list[tuple[float, float]]],
    first: dict[int, float],
    orphans: set[str],
    times: tuple[float, float],
    scale: float,
    lease: float,
) -> None:
    killed, ended = times
    result.requests = len(asked)
    of_feed, of_host = defaultdict(list), defaultdict(list)
    for host, feed, begun, end, answered in asked:
        of_feed[feed].append((begun, end, host))
        # One that never answered was let go at the deadline, or before when its poller died.
        of_host[host].append((begun, end if answered else min(end, begun + DEADLINE * scale)))
    per_host = Counter(host for (_, _, host), *_ in of_feed.values())
    for feed, due in first.items():
        before = None
        saved = outcomes.get(feed, [])
        for begun, end, host in sorted(of_feed[feed]):
            known = [next_at for at, next_at in saved if at <= begun]
            due = known[-1] if known else due
            if before and begun < before[0]:
                result.at_once += 1
            elif begun < due - _BLUR_S:
                result.early += 1
            elif before and before[1] == due:
                if killed - DEADLINE * scale <= before[0] and before[2] <= killed <= begun:
                    result.again += 1
                else:
                    result.early += 1
            elif host in orphans and begun > killed:
                result.orphans_late.append(max(0.0, begun - max(due, killed)))
            else:
                few = per_host[host] <= _CROWDED
                (result.late if few else result.crowded_late).append(max(0.0, begun - due))
            before = (end, due, begun)
        last = saved[-1][1] if saved else due
        # What hangs at the end is in hand.
        longest = lease + INTERVAL * scale / 2
        result.unasked += last < ended - longest and not any(b >= last for b, _, _ in of_feed[feed])
    for spans in of_host.values():
        spans.sort()
        gaps = [later[0] - earlier[1] for earlier, later in pairwise(spans)]
        result.too_fast += sum(gap < GAP * scale - _BLUR_S for gap in gaps)


def saved_polls(result: Result, files: list[Path]) -> dict[int, list[tuple[float, float]]]:
    """When each feed's polls were saved, and when it was then due; in order."""
    found = defaultdict(list)
    for path in files:
        for line in path.read_text().splitlines():
            with contextlib.suppress(ValueError):  # what the killed one was writing
                said = json.loads(line)
                result.lost += said["event"] == "ingest.lease_lost"
                if said["event"] == "ingest.poll":
                    if said["outcome"] == "passed-on":
                        result.passed_on += 1
                        continue
                    at, due = (datetime.fromisoformat(said[k]) for k in ("timestamp", "next_at"))
                    feed = int(said["feed"].rpartition("/")[2])
                    found[feed].append((at.timestamp(), due.timestamp()))
    return {feed: sorted(rows) for feed, rows in found.items()}
