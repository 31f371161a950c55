"""Feeds a second through the real ingest, beside a peer and a limit, in one run.

    dateline bench ingest [--feeds 1000] [--items 20] [--repeat 3] [--only NAME]… [--json]

One light server on loopback serves everybody the same feeds. In turn, each in a fresh process and
an empty folder: lemon24 `reader`; a bare loop of aiohttp and feedparser; the bare loop in two
processes, one a core, which is the limit line; and Dateline's poller with its database and log, as
it is and with feedparser alone (its own reader of well-formed feeds switched off).
Each polls all feeds (first pass) and then all of them again (304 pass). The figures are medians
over the repeats, and processor milliseconds a feed tell apart what the machine did besides.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench import entry
from bench.pollers import WARM_UP

# name -> (contender of bench.pollers, processes that share its feeds)
CONTENDERS = {
    "reader": ("reader", 1),
    "bare": ("bare", 1),
    "bare, both cores": ("bare", 2),
    "dateline": ("dateline", 1),
    "dateline, feedparser alone": ("feedparser", 1),
}
PASSES = ("first", "304")
# What Dateline should reach: (who, pass, beside whom, times as fast).
GOALS = (
    ("dateline, feedparser alone", "first", "reader", 3.0),
    ("dateline, feedparser alone", "first", "bare, both cores", 0.8),
    ("dateline", "304", "reader", 10.0),
    ("dateline", "first", "reader", 10.0),
    ("dateline", "first", "bare, both cores", 0.8),
)


class Figure(NamedTuple):
    feeds_per_second: float
    cpu_ms_per_feed: float  # of the contender's processes, not the server's


def measure(
    feeds: int, items: int, repeat: int, names: Sequence[str], say: Callable[[str], None]
) -> dict[str, dict[str, list[Figure]]]:
    """contender -> pass -> one figure a repeat. Repeats take turns, so that a busy minute of the
    machine hits everybody."""
    found: dict[str, dict[str, list[Figure]]] = {n: {p: [] for p in PASSES} for n in names}
    with _server(feeds + WARM_UP * 2, items) as hosts:
        urls = [f"{hosts[n % len(hosts)]}/{n}" for n in range(feeds + WARM_UP * 2)]
        for round_ in range(repeat):
            for name in names:
                for passed, figure in zip(PASSES, _run(name, urls, feeds, items), strict=True):
                    found[name][passed].append(figure)
                    say(
                        f"{round_ + 1}/{repeat}  {name:<28}{passed:<6}"
                        f"{figure.feeds_per_second:8,.0f} feeds/s"
                        f"{figure.cpu_ms_per_feed:8.2f} ms of processor a feed"
                    )
    return found


def _run(name: str, urls: list[str], feeds: int, items: int) -> Iterator[Figure]:
    contender, processes = CONTENDERS[name]
    with ExitStack() as open_:
        # Each process has warm-up feeds of its own and its share of the rest.
        warm, rest = urls[: WARM_UP * processes], urls[WARM_UP * 2 :]
        children = [
            open_.enter_context(_child(contender, warm[n::processes] + rest[n::processes]))
            for n in range(processes)
        ]
        for child in children:
            _answer(child)
        for passed in PASSES:
            before, started = _cpu(children), time.perf_counter()
            for child in children:
                assert child.stdin is not None
                child.stdin.write("go\n")
                child.stdin.flush()
            answers = [json.loads(_answer(child)) for child in children]
            seconds = time.perf_counter() - started
            got = tuple(sum(a[key] for a in answers) for key in ("items", "unchanged"))
            expected = (feeds * items, 0) if passed == "first" else (0, feeds)
            if got != expected:
                raise SystemExit(f"{name}: expected {expected} new items and 304s, got {got}")
            yield Figure(feeds / seconds, (_cpu(children) - before) / feeds * 1000)


@contextmanager
def _server(feeds: int, items: int) -> Iterator[list[str]]:
    command = [sys.executable, "-m", "bench.feedserver", f"--feeds={feeds}", f"--items={items}"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            yield json.loads(_answer(server))
        finally:
            server.kill()


@contextmanager
def _child(contender: str, urls: list[str]) -> Iterator[subprocess.Popen[str]]:
    with tempfile.TemporaryDirectory(prefix="dateline-bench-") as folder:
        command = [sys.executable, "-m", "bench.pollers", contender, folder]
        with (
            (Path(folder) / "stderr").open("w+") as errors,
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                start_new_session=True,
            ) as child,
        ):  # fmt: skip
            assert child.stdin is not None
            child.stdin.write(json.dumps(urls) + "\n")
            child.stdin.flush()
            try:
                yield child
                child.stdin.close()
                child.wait(30)
            except SystemExit:
                errors.seek(0)
                sys.stderr.write(errors.read()[-2000:])
                raise
            finally:
                child.kill()


def _answer(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise SystemExit(f"{' '.join(map(str, child.args))} ended early")  # type: ignore[arg-type]
    return line


def _cpu(children: Sequence[subprocess.Popen[str]]) -> float:
    """Processor seconds of the children and of what they started. 0 where there is no /proc."""
    sessions = {child.pid for child in children}
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[3]) in sessions:
            total += sum(int(n) for n in fields[11:15])  # user, system, and of ended children
    return total / os.sysconf("SC_CLK_TCK")


def medians(found: dict[str, dict[str, list[Figure]]]) -> dict[str, dict[str, Figure]]:
    return {
        name: {
            passed: Figure(*(statistics.median(column) for column in zip(*figures, strict=True)))
            for passed, figures in passes.items()
        }
        for name, passes in found.items()
    }


def ratios(middle: dict[str, dict[str, Figure]]) -> list[dict[str, object]]:
    """Dateline beside each goal that was measured."""
    rows: list[dict[str, object]] = []
    for who, passed, name, goal in GOALS:
        if name in middle and who in middle:
            own, other = (middle[n][passed].feeds_per_second for n in (who, name))
            rows.append(
                {"who": who, "pass": passed, "beside": name, "times": round(own / other, 2),
                 "goal": goal, "reached": own / other >= goal}
            )  # fmt: skip
    return rows


def report(middle: dict[str, dict[str, Figure]]) -> str:
    lines = [f"{'':<28}{'first pass':>12}{'cpu ms':>9}{'304 pass':>12}{'cpu ms':>9}"]
    for name, passes in middle.items():
        cells = "".join(f"{f.feeds_per_second:>10,.0f}/s{f.cpu_ms_per_feed:>9.2f}"
                        for f in passes.values())  # fmt: skip
        lines.append(f"{name:<28}{cells}")
    for row in ratios(middle):
        lines.append(
            f"{row['who']}, {row['pass']} pass: {row['times']} × {row['beside']} "
            f"(goal {row['goal']}: {'reached' if row['reached'] else 'missed'})"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = entry.parser("ingest", __doc__)
    parser.add_argument("--feeds", type=int, default=1000, help="feeds served (1000)")
    parser.add_argument("--items", type=int, default=20, help="items in each feed")
    parser.add_argument("--repeat", type=int, default=3, help="the median of so many runs counts")
    parser.add_argument("--only", action="append", choices=CONTENDERS, help="(may be repeated)")
    parser.add_argument("--json", action="store_true", help="one object with all figures")
    given = parser.parse_args(arguments)
    say = (lambda _: None) if given.json else (lambda line: print(line, file=sys.stderr))
    found = measure(given.feeds, given.items, given.repeat, given.only or list(CONTENDERS), say)
    middle = medians(found)
    if given.json:
        figures = {n: {p: f._asdict() for p, f in passes.items()} for n, passes in middle.items()}
        document = {
            "feeds": given.feeds, "items": given.items, "repeat": given.repeat,
            "cores": os.cpu_count(), "figures": figures, "ratios": ratios(middle),
        }  # fmt: skip
        print(json.dumps(document, indent=2))
    else:
        print(report(middle))


if __name__ == "__main__":
    entry.run(main)
