"""What the match tests share: a small chain of invented events, and vectors made by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
from msgspec import Raw

from processors.match import decision
from processors.match.events import build
from processors.match.judge import Judge
from processors.match.settings import MatchSettings
from stream.log.contract import LogRecord
from stream.records import (
    EVENTS,
    PLACED,
    Article,
    Decision,
    Definition,
    DefinitionVectors,
    Embedded,
    Name,
    Placed,
    encode,
)

MODEL = "all-MiniLM-L6-v2@53aa5117-test"
NOW = datetime(2024, 6, 1, tzinfo=UTC)
# Directions in a space of eight; an article is a mixture of them.
OSLO, LIMA, CAKE = np.eye(8, dtype=np.float32)[:3]

TEXT = (
    "Delegates opened the river conference in Oslo on Monday with a dispute over dams. "
    "Anna Berg of Norway asked Carlos Ruiz to sign the treaty before the summer. "
    "The weather was fine and the food was praised by everybody who came. "
    "An earlier round in Lima had failed after two days of talks."
)


def unit(*parts: np.ndarray) -> bytes:
    total = np.sum(parts, axis=0)
    return bytes((total / np.linalg.norm(total)).astype("<f2").tobytes())


def oslo(version: int = 1, **more: object) -> Definition:
    fields: dict[str, object] = {
        "title": "River conference in Oslo",
        "description": "Anna Berg and Carlos Ruiz negotiate a treaty on dams in Oslo.",
        "actors": [Name(name="Anna Berg", aliases=["Berg"]), Name(name="Carlos Ruiz")],
        "places": [Name(name="Oslo", aliases=["奥斯陆"])],
        "not_about": ["Oslo film festival"],
        "starts": "2024-05-01",
        "ends": "2024-06-30",
        "follows": ["lima"],
    }
    return Definition(id="oslo", version=version, **(fields | more))  # type: ignore[arg-type]


def lima(version: int = 1, **more: object) -> Definition:
    fields: dict[str, object] = {
        "title": "River conference in Lima",
        "description": "Anna Berg and Carlos Ruiz meet in Lima.",
        "actors": [Name(name="Anna Berg", aliases=["Berg"]), Name(name="Carlos Ruiz")],
        "places": [Name(name="Lima")],
        "starts": "2023-05-01",
        "ends": "2023-06-30",
    }
    return Definition(id="lima", version=version, **(fields | more))  # type: ignore[arg-type]


def vectors(definition: Definition, model: str = MODEL) -> DefinitionVectors:
    own = unit(OSLO) if definition.id == "oslo" else unit(OSLO, LIMA, LIMA)
    return DefinitionVectors(
        event_id=definition.id,
        version=definition.version,
        model=model,
        dims=8,
        description=[own, own],
        examples=[own for _ in definition.examples],
    )


def article(n: int = 0, **more: object) -> Article:
    fields: dict[str, object] = {
        "title": "Dispute over dams opens Oslo conference",
        "text": TEXT,
        "published": datetime(2024, 5, 20, tzinfo=UTC),
        "published_from": "feed",
        "lang": "en",
        "fetched": NOW,
    }
    return Article(id=f"a{n}", revision="r1", outlet="x.example", **(fields | more))  # type: ignore[arg-type]


def near(*parts: np.ndarray) -> np.ndarray:
    return np.frombuffer(unit(*(parts or (OSLO, OSLO, CAKE))), "<f2").astype(np.float32)


def judge(*definitions: Definition) -> Judge:
    chosen = definitions or (oslo(), lima())
    table = build(chosen, {one.id: vectors(one) for one in chosen})
    return Judge(table, decision.load(MODEL), MatchSettings())


def about(event: str, decisions: Sequence[Decision]) -> Decision:
    return next(one for one in decisions if one.event_id == event)


def decide(
    event: str = "oslo",
    *,
    by: Judge | None = None,
    vector: np.ndarray | None = None,
    **more: object,
) -> Decision:
    return about(event, (by or judge()).all(article(**more), near() if vector is None else vector))  # type: ignore[arg-type]


def signal(decision_: Decision, name: str) -> float:
    return next(one.contribution for one in decision_.signals if one.name == name)


def placed(n: int, lane: int = 0, model: str = MODEL, **more: object) -> LogRecord:
    embedded = Embedded(
        article=Raw(encode(article(n, lane=lane, **more))),
        model=model,
        dims=8,
        vector=unit(OSLO, OSLO, CAKE),
    )
    record = Placed(
        embedded=Raw(encode(embedded)), story="s", novelty=1.0, engine="e", source_offset=n
    )
    return LogRecord(PLACED, lane, n, f"a{n}".encode(), encode(record), {}, NOW)


def event_record(record: object, offset: int = 0) -> LogRecord:
    return LogRecord(EVENTS, 0, offset, None, encode(record), {}, NOW)  # type: ignore[arg-type]


def applied(*definitions: Definition) -> list[LogRecord]:
    both = [one for d in definitions for one in (d, vectors(d))]
    return [event_record(one, n) for n, one in enumerate(both)]


def nothing() -> Iterator[LogRecord]:
    return iter(())
