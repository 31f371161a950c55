"""Learn the decisions of both stages for a model from labelled streams: `dateline calibrate`."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import Struct

from bench import train_cluster, train_match
from bench.streams import Stream, encoder_of, load
from bench.tracking import WAYS, Cache, Task, clusters, measure, table_of
from processors.embed import models
from processors.embed.settings import EmbedSettings
from processors.match.decision import Decider, DecisionFile
from processors.match.judge import Judge
from processors.match.settings import MatchSettings
from stream.errors import UsageError

# Both are fitted by some hundred weighed examples; below this there is nothing to generalise from.
MIN_ARTICLES = 30


class Quality(Struct):
    """F1 on one stream: of stories (BCubed, at first placement) and of events (macro, the mean
    over what definitions may offer). Left out = learned from the other streams only."""

    stream: str
    articles: int
    events: int
    stories_f1: float
    events_f1: float | None
    stories_left_out: float | None = None
    events_left_out: float | None = None


class Report(Struct):
    model: str
    reads: list[str]
    background: float
    streams: list[Quality]


class Calibrated(NamedTuple):
    stories: bytes  # a decision file of the cluster stage
    events: bytes  # ... and of the match stage
    report: Report


def calibrate(
    files: Sequence[Path],
    embed: EmbedSettings,
    cache: Path,
    *,
    reads: Sequence[str] = (),
    step: Callable[[str, int, int], None] = lambda *_: None,
) -> Calibrated:
    """Decisions for the model of `embed`. `reads` = the languages that it reads (default: what is
    known of it, else those of the streams). `step` is told what is being done, how many steps are
    done and how many there are. Raises UsageError when the files cannot be learned from."""
    _check(files)
    alone = len(files) == 1
    steps, done = 2 * len(files) * (1 if alone else 2) + 2, 0

    def doing(what: str) -> None:
        nonlocal done
        step(what, done, steps)
        done += 1

    streams: list[Stream] = []
    lessons: dict[str, list[Stream]] = {}
    for path in files:
        doing(f"vectors of {path.name}")
        stream = load(path, cache, embed)
        if len(stream.rows) < MIN_ARTICLES:
            raise UsageError(
                f"{path} has {len(stream.rows)} articles; at least {MIN_ARTICLES} labelled ones "
                "are needed to learn from"
            )
        streams.append(stream)
        lessons[stream.name] = train_cluster.lessons_of(stream, cache, embed)
    known = reads or models.known(embed.model).reads or _languages(streams)
    encoder = Cache(encoder_of(embed), cache)
    tasks = {path.stem: _tasks(path, known) for path in files}
    if not any(tasks.values()):
        raise UsageError(
            "no stream has a cluster of six articles or more, four of them in its main language; "
            "events cannot be learned without one"
        )
    doing("stories")
    stories = _stories([one for own in lessons.values() for one in own], known)
    background = train_match.unrelated([own[0].articles for own in tasks.values() if own], encoder)
    rows: dict[str, dict[str, list[train_match.Rows]]] = {}
    for name, own in tasks.items():
        doing(f"events of {name}")
        # One name for each stream, so that it can be left out.
        renamed = [one._replace(name=f"{name.replace('-', '_')}:{one.name.split(':')[1]}")
                   for one in own]  # fmt: skip
        rows |= train_match.gather(
            renamed, encoder, background, across=len(known) > 1, language=_main(own, known) or "en"
        )
    doing("events")
    found = DecisionFile(
        model=_model(encoder.name),
        reads=list(known),
        background=background,
        made_by="dateline calibrate",
        data=[f"{one.name}: {len(one.rows)} articles" for one in streams],
        seed=train_match.SEED,
        regimes=train_match.learn(rows),
    )
    judged = []
    for stream in streams:
        own = tasks[stream.name]
        quality = Quality(
            stream.name,
            len(stream.rows),
            max((len(one.definitions) for one in own), default=0),
            train_cluster.score(stream, stories, train_cluster.THRESHOLD),
            _tracked(own, found, encoder),
        )
        if not alone:
            doing(f"stories without {stream.name}")
            rest = [one for name, some in lessons.items() if name != stream.name for one in some]
            quality.stories_left_out = train_cluster.score(
                stream, _stories(rest, known), train_cluster.THRESHOLD
            )
            doing(f"events without {stream.name}")
            others = {k: v for k, v in rows.items() if k != stream.name.replace("-", "_")}
            if any(others.values()):
                learned = msgspec.structs.replace(found, regimes=train_match.learn(others))
                quality.events_left_out = _tracked(own, learned, encoder)
        judged.append(quality)
    encoder.save()
    return Calibrated(
        json.dumps(stories, indent=1).encode() + b"\n",
        msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n",
        Report(encoder.name, list(known), background, judged),
    )


def _check(files: Sequence[Path]) -> None:
    twice = [stem for stem, n in Counter(path.stem for path in files).items() if n > 1]
    if twice:
        raise UsageError(f"two files are named {twice[0]}; their names tell streams apart")


def _stories(lessons: Sequence[Stream], reads: Sequence[str]) -> dict[str, object]:
    return train_cluster.train(lessons, reads=reads) | {"made_by": "dateline calibrate"}


def _languages(streams: Sequence[Stream]) -> list[str]:
    return sorted({row.lang for one in streams for row in one.rows if row.lang})


def _tasks(path: Path, reads: Sequence[str]) -> list[Task]:
    """Events in the main language of the stream; where several are read, also in any."""
    every = clusters(path, "k1", None)
    counts = Counter(one.lang for one in every.articles if one.lang in reads)
    main = _main([every], reads)
    found = [clusters(path, how, main) for how in WAYS]
    if len(counts) > 1:
        found += [clusters(path, how, None) for how in ("k1", "k4")]
    return [train_match.readable(one, reads) for one in found if one.definitions]


def _main(tasks: Sequence[Task], reads: Sequence[str]) -> str | None:
    """The language of most articles, of those that are read."""
    counts = Counter(one.lang for task in tasks for one in task.articles if one.lang in reads)
    return counts.most_common(1)[0][0] if counts else None


def _tracked(tasks: Sequence[Task], file: DecisionFile, encoder: Cache) -> float | None:
    """Macro F1, the mean over tasks."""
    decider = Decider(file, "calibrating", True)
    found = []
    for task in tasks:
        judge = Judge(table_of(task.definitions, encoder), decider, MatchSettings())
        found.append(np.mean([one.f1 for one in measure(task, judge, encoder).values()]))
    return float(np.mean(found)) if found else None


def _model(name: str) -> str:
    """The model with its weights, without what only the machine or the settings decide."""
    return re.sub(r"(@[0-9a-f]{8}).*", r"\1", name)
