"""All figures of docs/quality.md in one command.

    dateline bench quality DATA [--write docs/quality.md] [--orders 5] [--left-out DIR]

DATA is the folder with clustering/, tracking/ and stream/. `--write` replaces what stands between
the markers of that page and draws reliability.svg beside it; without it the page's parts are
printed. `--left-out DIR` holds decision files that were learned without a set, by the names
`stories-SET.json` and `tracking-SET.json`; where there is one, that set is scored by it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench import entry, stories, trials
from bench.calibration import Calibration, calibration, diagram
from bench.events import events_of
from bench.judging import Bench, Judged, by_event
from bench.silence import DEFAULT, THRESHOLDS, Silence, silence
from bench.streams import Stream, load
from bench.tables import markdown
from bench.tracking import CACHE, ROOT, Cache, Task, korea, vectors_of, world
from bench.tracking import rows as rows_of
from processors.cluster import decision
from processors.cluster.settings import ClusterSettings
from processors.embed.encoder import Encoder
from processors.embed.settings import EmbedSettings
from stream.errors import UsageError

# File, language, short name of the set that a decision may be learned without.
STORIES = (
    ("clustering/og2021-dev", "en", "og2021"),
    ("clustering/og2021-dev", None, "og2021"),
    ("clustering/localnews-dev", None, "localnews"),
    ("clustering/ecbplus-train", None, "ecbplus"),
    ("clustering/mmds2025-dev", "en", "mmds2025"),
    ("clustering/mmds2025-dev", None, "mmds2025"),
    ("stream/uci-march-2014", None, "uci"),
)
TRACKING = (
    ("clustering/localnews-dev", None, "localnews"),
    ("clustering/ecbplus-train", None, "ecbplus"),
    ("clustering/og2021-dev", "en", "og2021"),
)
# Each event known by its first four articles: as much as an analyst can be asked for.
SILENT = TRACKING[:2]
STRANGERS = ("stream/uci-march-2014", "clustering/og2021-dev")
_PART = re.compile(
    r"(<!-- (\w+): written by `dateline bench quality` -->\n).*?(<!-- end -->)", re.S
)


class Run(NamedTuple):
    data: Path
    orders: int
    cache: Path
    left_out: Path | None
    bench: Bench

    def stream(self, name: str, lang: str | None = None) -> Stream:
        found = load(self.data / f"{name}.jsonl", self.cache)
        return found.only(lang) if lang else found

    def decision(self, kind: str, set_: str) -> Path | None:
        """The file learned without this set, when there is one."""
        path = self.left_out / f"{kind}-{set_}.json" if self.left_out else None
        return path if path is not None and path.is_file() else None


def story_tables(run: Run) -> str:
    parts = []
    for name, lang, set_ in STORIES:
        file = run.decision("stories", set_)
        report = stories.measure(
            run.stream(name, lang), run.orders, ClusterSettings(decision_file=file)
        )
        parts.append(f"**{stories.title(report)}**{_by(file)}\n")
        parts.append(markdown(stories.HEAD, [stories.cells(one) for one in report.methods]))
        _say(parts[-2])
    return "\n".join(parts)


def tracking_tables(run: Run, seen: dict[str, Calibration]) -> str:
    parts = []
    for name, lang, set_ in TRACKING:
        file = run.decision("tracking", set_)
        run.bench.decide_by(file)
        modes = [(1, False), (2, False), (4, False), (1, True)]
        for k, described in modes:
            report = trials.measure(
                run.stream(name, lang), run.bench, k, described=described, orders=run.orders
            )
            parts += _tracked(report, file)
            if k == 4:
                seen[f"{set_}, k = 4"] = report.calibration
    file = run.decision("tracking", "og2021")
    run.bench.decide_by(file)
    report = trials.measure(run.stream("clustering/og2021-dev"), run.bench, 4, given_in="en")
    run.bench.decide_by(None)
    return "\n".join(parts + _tracked(report, file))


def _tracked(report: trials.Report, file: Path | None) -> list[str]:
    _say(trials.title(report))
    true = report.calibration
    return [
        f"**{trials.title(report)}**{_by(file)}; ECE {true.ece:.3f}, Brier skill "
        f"{true.skill:.2f} over {true.candidates:,} candidates\n",
        markdown(trials.HEAD, [trials.cells(one) for one in report.methods]),
    ]


def korea_table(run: Run, seen: dict[str, Calibration]) -> str:
    file = run.decision("tracking", "korea")
    run.bench.decide_by(file)
    task = korea(run.data)
    judged = _judge(run.bench, task)
    found, _ = trials.figures("", [judged])
    true = seen["korea, described"] = calibration([(judged.scores, judged.truth)])
    parts = zip(task.definitions, *by_event(judged), judged.truth.sum(axis=1), strict=True)
    rows = [[d.id, f"{n}", f"{p:.3f}", f"{r:.3f}", f"{f:.3f}"] for d, p, r, f, n in parts]
    macro = [f"{value:.3f}" for value in found.macro]
    labels = rows_of(run.data / "tracking" / "korea-dev.jsonl")
    doubtful = {str(row["id"]) for row in labels if row.get("ambiguous")}
    clear = np.array([one.id not in doubtful for one in task.articles])
    undoubted = Judged(judged.scores[:, clear], judged.yes[:, clear], judged.truth[:, clear])
    plain, _ = trials.figures("", [undoubted])
    run.bench.decide_by(None)
    lookalikes, traps = world()
    decided = _judge(run.bench, lookalikes)
    right = (decided.yes == decided.truth).all(axis=0)
    trapped = [one.id in traps for one in lookalikes.articles]
    return (
        markdown(
            ("event", "articles", "P", "R", "F1"),
            [*rows, ["**macro**", f"{len(task.articles)} judged", *macro]],
        )
        + f"\nMacro F1 95 %: {found.interval}{_by(file)}; ECE "
        f"{true.ece:.3f}, Brier skill {true.skill:.2f}. Without the {int((~clear).sum())} articles "
        f"that the labels call ambiguous: macro F1 {plain.macro[2]:.3f}. Look-alikes of the sample "
        f"world right: {int(right[trapped].sum())} of {len(traps)}.\n"
    )


def _judge(bench: Bench, task: Task) -> Judged:
    return bench.judge(task, np.stack(vectors_of(task.articles, bench.encoder)))


def silence_tables(run: Run) -> str:
    strangers = [load(run.data / f"{name}.jsonl", run.cache) for name in STRANGERS]
    found = []
    for name, lang, set_ in SILENT:
        run.bench.decide_by(run.decision("tracking", set_))
        own = events_of(run.stream(name, lang), 0, 4)
        judged = run.bench.judge(own.task, own.vectors)
        found.append(silence(f"{set_}, k = 4", own.task, [judged], strangers, run.bench))
        _say(f"silence: {set_}")
    run.bench.decide_by(run.decision("tracking", "korea"))
    task = korea(run.data)
    judged = _judge(run.bench, task)
    found.append(silence("korea, described", task, [judged], strangers, run.bench))
    run.bench.decide_by(None)
    head = ("threshold", *(f"{s.name} ({s.events} events): alerts / R / F1" for s in found))
    rows = [[_threshold(t), *(_silent(one, t) for one in found)] for t in THRESHOLDS]
    size = found[0].articles
    return f"{size:,} unrelated articles ({', '.join(STRANGERS)}).\n\n" + markdown(head, rows)


def _threshold(value: float) -> str:
    return f"**{value:.2f}** (default)" if value == DEFAULT else f"{value:.1f}"


def _silent(one: Silence, threshold: float) -> str:
    recall, f1 = one.at(threshold)
    return f"{one.rate(threshold):.2f} / {recall:.2f} / {f1:.2f}"


def versions(run: Run) -> str:
    git = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    placing = decision.load(run.bench.encoder.name, None).fingerprint
    return (
        f"Commit {git.stdout.strip() or 'unknown'}, encoder {run.bench.encoder.name}, stories by "
        f"{placing}, matches by {run.bench.decider.fingerprint}"
        + (", sets scored by decisions learned without them where marked" if run.left_out else "")
        + ".\n"
    )


def _by(file: Path | None) -> str:
    return ", learned without this set" if file else ""


def _say(line: str) -> None:
    print(line.strip(), file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = entry.parser("quality", __doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--write", type=Path, help="the page whose parts are replaced")
    parser.add_argument("--orders", type=int, default=5, help="shuffled orders (default 5)")
    parser.add_argument("--left-out", type=Path, help="folder of decisions learned without a set")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for vectors")
    parser.add_argument("--only", action="append", help="one part; may be repeated")
    options = parser.parse_args(argv)
    bench = Bench(Cache(Encoder(EmbedSettings()), options.cache))
    run = Run(options.data, options.orders, options.cache, options.left_out, bench)
    seen: dict[str, Calibration] = {}
    parts: dict[str, Callable[[], str]] = {
        "versions": lambda: versions(run),
        "stories": lambda: story_tables(run),
        "tracking": lambda: tracking_tables(run, seen),
        "korea": lambda: korea_table(run, seen),
        "silence": lambda: silence_tables(run),
    }
    wanted = options.only or list(parts)
    if unknown := set(wanted) - set(parts):
        raise UsageError(f"--only takes {', '.join(parts)}; got {', '.join(sorted(unknown))}")
    made = {name: parts[name]() for name in parts if name in wanted}
    run.bench.encoder.save()
    if options.write is None:
        print("\n".join(made.values()))
        return
    write(options.write, made)
    if {"tracking", "korea"} <= set(wanted):  # whose probabilities are drawn
        picture = diagram([(name, one.bins) for name, one in seen.items()])
        (options.write.parent / "reliability.svg").write_text(picture, encoding="utf-8")


def write(page: Path, made: dict[str, str]) -> None:
    """Replace the parts between the page's markers; what has no marker there is an error."""
    text = page.read_text(encoding="utf-8")
    if missing := set(made) - {match[2] for match in _PART.finditer(text)}:
        raise UsageError(f"{page} has no marker for {', '.join(sorted(missing))}")

    def renewed(match: re.Match[str]) -> str:
        return f"{match[1]}\n{made[match[2]]}\n{match[3]}" if match[2] in made else match[0]

    page.write_text(_PART.sub(renewed, text), encoding="utf-8")


if __name__ == "__main__":
    entry.run(main)
