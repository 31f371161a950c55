"""Topic tracking, measured: definitions against labelled streams.

    python -m bench.tracking ../shared/data [--world] [--cache DIR] [--decision FILE]

Vectors are kept in the cache directory (outside the repository), keyed by text and model.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from processors.embed.encoder import Encoder, article_text
from processors.embed.settings import EmbedSettings
from processors.embed.stage import Encodes, definition_vectors
from processors.match import decision
from processors.match.definition import load_directory
from processors.match.events import EventTable, build, own_names
from processors.match.judge import Judge, vector_of
from processors.match.settings import MatchSettings
from processors.text.sentences import sentences
from stream.records import Article, Definition, Example, Name

ROOT = Path(__file__).parents[1]
KOREA = {
    "singapore-summit": "kim-trump-singapore",
    "hanoi-summit": "kim-trump-hanoi",
    "dmz-meeting": "kim-trump-dmz",
    "inter-korean-summit": "kim-moon-panmunjom",
    "nk-missile-crisis-2017": "nk-missile-crisis-2017",
    "warmbier": "warmbier",
}
CACHE = Path(tempfile.gettempdir()) / "dateline-bench"
# How events are given, see `clusters`.
WAYS = ("k1", "k2", "k4", "described", "full")
# A cluster is worth registering when it goes on for at least so many articles.
MIN_CLUSTER = 6
CHAIN = ("kim-moon-panmunjom", "kim-trump-singapore", "kim-trump-hanoi", "kim-trump-dmz")


class Cache:
    """An encoder that remembers on disk what it has encoded."""

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self.name, self.dims, self._encoder = encoder.name, encoder.dims, encoder
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{encoder.name.replace('/', '_')}.npz"
        self._known: dict[str, bytes] = {}
        if self._path.exists():
            with np.load(self._path) as stored:
                vectors = stored["vectors"]
                keys = [str(key) for key in stored["keys"]]
            self._known = {key: vectors[i].tobytes() for i, key in enumerate(keys)}

    def encode(self, texts: Sequence[str]) -> list[bytes]:
        keys = [hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24] for text in texts]
        missing = {
            key: text for key, text in zip(keys, texts, strict=True) if key not in self._known
        }
        self._known |= dict(zip(missing, self._encoder.encode(list(missing.values())), strict=True))
        return [self._known[key] for key in keys]

    def save(self) -> None:
        rows = np.stack([np.frombuffer(raw, "<f2") for raw in self._known.values()])
        np.savez(self._path, keys=np.array(list(self._known)), vectors=rows)


class Task(NamedTuple):
    """Definitions to track in a stream; `about[article id]` = ids of its events."""

    name: str
    definitions: list[Definition]
    articles: list[Article]
    about: dict[str, set[str]]


def article(row: dict[str, object], number: int) -> Article:
    published = row.get("published")
    when = datetime.fromisoformat(str(published)) if published else None
    if when is not None:
        when = (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    lang = row.get("lang")
    return Article(
        id=str(row.get("id") or number),
        revision="1",
        title=str(row.get("title") or ""),
        text=str(row.get("text") or ""),
        outlet="bench",
        fetched=when or datetime(2030, 1, 1, tzinfo=UTC),
        published=when,
        published_from="feed" if when else "none",
        lang=str(lang) if lang else None,
    )


def rows(path: Path) -> list[dict[str, object]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def korea(data: Path) -> Task:
    """The chain of four meetings and two other events, described."""
    own = load_directory(ROOT / "examples" / "events")
    own += load_directory(ROOT / "examples" / "events" / "earlier")
    found = rows(data / "tracking" / "korea-dev.jsonl")
    articles = [article(row, n) for n, row in enumerate(found)]
    about = {
        str(row["id"]): {KOREA[e] for e in row["events"] if e in KOREA}  # type: ignore[attr-defined]
        for row in found
    }
    return Task("korea", own, articles, about)


def korea_examples(data: Path, k: int, windows: bool) -> Task:
    """The same events known by their first `k` dated articles only."""
    full = korea(data)
    clusters: dict[str, list[Article]] = defaultdict(list)
    for one in full.articles:
        if len(full.about[one.id]) == 1 and one.published is not None:
            clusters[next(iter(full.about[one.id]))].append(one)
    definitions, used = [], set[str]()
    for described in full.definitions:
        picked = clusters[described.id][:k]
        used |= {one.id for one in picked}
        definitions.append(
            Definition(
                id=described.id,
                version=1,
                title=described.title,
                examples=[example(one) for one in picked],
                starts=described.starts if windows else None,
                ends=described.ends if windows else None,
                follows=described.follows if windows else [],
            )
        )
    rest = [one for one in full.articles if one.id not in used]
    return Task(f"korea-k{k}{'w' if windows else ''}", definitions, rest, full.about)


def example(one: Article) -> Example:
    return Example(title=one.title, text=one.text[:8000], published=one.published, lang=one.lang)


def clusters(path: Path, how: str, given_in: str | None = "en") -> Task:
    """Events made from the clusters of a labelled stream.

    `how`: "k1" "k2" "k4" = title and that many examples; "described" = title and two sentences;
    "full" = the same with names and a window. `given_in`: the analyst's language, in which these
    are (None = any).
    """
    found = rows(path)
    articles = [article(row, n) for n, row in enumerate(found)]
    about = {one.id: {str(row["cluster"])} for one, row in zip(articles, found, strict=True)}
    grouped: dict[str, list[Article]] = defaultdict(list)
    for one, row in zip(articles, found, strict=True):
        grouped[str(row["cluster"])].append(one)
    definitions, used = [], set[str]()
    for cluster, members in sorted(grouped.items()):
        readable = [one for one in members if given_in is None or one.lang in (None, given_in)]
        if len(members) < MIN_CLUSTER or len(readable) < 4:
            continue
        k = int(how[1:]) if how.startswith("k") else 1
        picked = readable[:k]
        used |= {one.id for one in picked}
        definitions.append(_made(cluster, picked, members, how))
    rest = [one for one in articles if one.id not in used]
    return Task(f"{path.stem}:{how}", definitions, rest, about)


def _made(id_: str, picked: list[Article], members: list[Article], how: str) -> Definition:
    first = picked[0]
    made = Definition(id=id_, version=1, title=first.title or first.text[:80])
    if how.startswith("k"):
        return msgspec.structs.replace(made, examples=[example(one) for one in picked])
    lead = " ".join(sentences(first.text)[:2]) or first.title
    made = msgspec.structs.replace(made, description=lead)
    if how == "described":
        return made
    names = sorted(own_names(made), key=lambda name: lead.find(name))
    days = sorted(one.published.date() for one in members if one.published)
    # An analyst would give some room on both sides.
    return msgspec.structs.replace(
        made,
        actors=[Name(name=name) for name in names[::2]],
        places=[Name(name=name) for name in names[1::2]],
        starts=(days[0] - timedelta(days=2)).isoformat() if days else None,
        ends=(days[-1] + timedelta(days=2)).isoformat() if days else None,
    )


def world() -> tuple[Task, dict[str, str]]:
    """The sample world, and the kind of trap of each look-alike."""
    articles, about, traps = [], {}, {}
    for path in sorted((ROOT / "examples" / "world").glob("*.toml")):
        for row in tomllib.loads(path.read_text(encoding="utf-8")).get("article", []):
            key = row["key"]
            shown = {"id": key, "title": row["title"], "text": row["text"].strip(), "lang": "en"}
            shown["published"] = None if row.get("undated") else row["published"].isoformat()
            articles.append(article(shown, 0))
            about[key] = set(row["about"])
            if "lookalike" in row:
                traps[key] = row["lookalike"]
    return Task("world", load_directory(ROOT / "examples" / "events"), articles, about), traps


def table_of(definitions: Iterable[Definition], encoder: Encodes) -> EventTable:
    definitions = list(definitions)
    return build(definitions, {one.id: definition_vectors(one, encoder) for one in definitions})


def vectors_of(articles: Sequence[Article], encoder: Encodes) -> list[NDArray[np.float32]]:
    return [
        vector_of(raw) for raw in encoder.encode([article_text(a.title, a.text) for a in articles])
    ]


class Score(NamedTuple):
    right: int
    wrong: int
    missed: int

    @property
    def f1(self) -> float:
        total = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / total if total else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0


def measure(task: Task, judge: Judge, encoder: Cache) -> dict[str, Score]:
    """Score of each event over the whole stream, at the configured threshold."""
    tally: dict[str, list[int]] = {one.id: [0, 0, 0] for one in task.definitions}
    for one, vector in zip(task.articles, vectors_of(task.articles, encoder), strict=True):
        yes = {d.event_id for d in judge.kept(one, vector) if d.matched}
        truth = task.about[one.id]
        for event, counts in tally.items():
            if event in yes or event in truth:
                counts[0 if event in yes and event in truth else 1 if event in yes else 2] += 1
    return {event: Score(*counts) for event, counts in tally.items()}


def false_alerts(data: Path, encoder: Cache, decider: decision.Decider) -> dict[str, int]:
    """Matches of the chain in a stream that knows nothing of it, dated into each window."""
    definitions = load_directory(ROOT / "examples" / "events")
    judge = Judge(table_of(definitions, encoder), decider, MatchSettings())
    stream = [article(r, n) for n, r in enumerate(rows(data / "stream" / "uci-march-2014.jsonl"))]
    vectors = vectors_of(stream, encoder)
    chance, counts = random.Random(7), dict.fromkeys(CHAIN, 0)
    for definition in definitions:
        assert definition.starts
        assert definition.ends
        first = date.fromisoformat(definition.starts)
        length = (date.fromisoformat(definition.ends) - first).days
        for one, vector in zip(stream, vectors, strict=True):
            day = first + timedelta(days=chance.randint(0, length))
            moved = msgspec.structs.replace(
                one, published=datetime(day.year, day.month, day.day, tzinfo=UTC)
            )
            counts[definition.id] += any(
                d.event_id == definition.id and d.matched for d in judge.kept(moved, vector)
            )
    return counts


def tasks(data: Path) -> list[Task]:
    found = [korea(data)]
    found += [korea_examples(data, k, windows) for k in (1, 2, 4) for windows in (False, True)]
    for name in ("localnews-dev", "ecbplus-train", "og2021-dev"):
        found += [clusters(data / "clustering" / f"{name}.jsonl", how) for how in WAYS]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--decision", type=Path)
    parser.add_argument("--world", action="store_true", help="only the sample world")
    options = parser.parse_args()
    encoder = Cache(Encoder(EmbedSettings()), options.cache)
    decider = decision.load(encoder.name, path=options.decision)
    report_world(encoder, decider)
    if not options.world:
        for task in tasks(options.data):
            scores = measure(
                task, Judge(table_of(task.definitions, encoder), decider, MatchSettings()), encoder
            )
            report(task.name, scores, detail=task.name == "korea")
        print("false alerts in the UCI stream:", false_alerts(options.data, encoder, decider))
    encoder.save()


def report(name: str, scores: dict[str, Score], *, detail: bool = False) -> None:
    mean = [
        float(np.mean([getattr(s, m) for s in scores.values()]))
        for m in ("f1", "precision", "recall")
    ]
    print(
        f"{name:26} {len(scores):4} events  "
        f"macro F1 {mean[0]:.3f}  P {mean[1]:.3f}  R {mean[2]:.3f}"
    )
    if detail:
        for event, score in scores.items():
            print(f"    {event:24} F1 {score.f1:.3f}  {score}")


def report_world(encoder: Cache, decider: decision.Decider) -> None:
    task, traps = world()
    judge = Judge(table_of(task.definitions, encoder), decider, MatchSettings())
    report("world", measure(task, judge, encoder), detail=True)
    right = 0
    for one, vector in zip(task.articles, vectors_of(task.articles, encoder), strict=True):
        kept = judge.kept(one, vector)
        yes = {d.event_id for d in kept if d.matched}
        good = yes == task.about[one.id]
        right += good and one.id in traps
        if not good:
            chances = {d.event_id: round(d.probability, 2) for d in kept}
            print(
                f"    {traps.get(one.id, ''):18} {one.id}: {chances}, labelled {task.about[one.id]}"
            )
    print(f"    look-alikes right: {right} of {len(traps)}")


if __name__ == "__main__":
    main()
