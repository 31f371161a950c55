"""`python -m tests.torture`: kill, cut off and flood the pipeline, then compare.

Exit code 0 when nothing was lost, doubled or different, else 1.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from pathlib import Path

from stream.telemetry import configure_logs
from tests.torture.run import Report, on_broker, on_sqlite

# Two cores with other work on them need eight minutes for these, most of it to start Python.
ARTICLES, KILLS = 5_000, 100
# The one-file log has no network, so it gets a smaller part.
SHARE_OF_SQLITE = 0.2
# What a minute of a longer run is worth, measured so.
KILLS_A_MINUTE, ARTICLES_A_MINUTE = 16, 800


def main() -> int:
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--articles", type=int, default=ARTICLES)
    parser.add_argument("--kills", type=int, default=KILLS, help="SIGKILLs, besides the others")
    parser.add_argument("--minutes", type=float, help="about so long, instead of the two above")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--log", choices=("broker", "sqlite", "both"), default="both")
    parser.add_argument("--keep", type=Path, help="an empty folder that is kept afterwards")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if chosen.minutes:
        chosen.kills = int(chosen.minutes * KILLS_A_MINUTE)
        chosen.articles = int(chosen.minutes * ARTICLES_A_MINUTE)

    configure_logs("warning")
    # Told to stop, it takes everything that it started with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    def tell(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    reports: list[Report] = []
    with tempfile.TemporaryDirectory(prefix="dateline-torture-") as temporary:
        base = chosen.keep or Path(temporary)
        base.mkdir(parents=True, exist_ok=True)
        share = 1.0 if chosen.log == "sqlite" else SHARE_OF_SQLITE
        if chosen.log != "sqlite":
            reports.append(on_broker(base, chosen.articles, chosen.kills, chosen.seed, tell))
        if chosen.log != "broker":
            reports.append(
                on_sqlite(
                    base, int(chosen.articles * share), int(chosen.kills * share), chosen.seed, tell
                )
            )
    if chosen.json:
        print(json.dumps([report.as_dict() for report in reports], indent=2))
    else:
        for report in reports:
            print(report.as_text())
    return 0 if all(report.good for report in reports) else 1


if __name__ == "__main__":
    raise SystemExit(main())
