"""A small stream written for the tests, and a vectoriser that needs no model."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from msgspec import Raw

from processors.cluster.settings import ClusterSettings
from processors.cluster.stage import ClusterStage
from processors.text.words import terms
from stream.log.contract import LogRecord, Partition
from stream.records import EMBEDDED, Article, Embedded, Placed, encode

START = datetime(2024, 5, 1, 8, tzinfo=UTC)
LANE = Partition(EMBEDDED, 0)
DIMS = 128
# The words do the work in these tests; any decision that was learned will do.
DECISION = Path(__file__).parents[2] / "processors/cluster/decision/all-MiniLM-L6-v2.json"

FERRY = (
    "The ferry Solveig ran aground off the island of Tarnholm on Tuesday evening with 312 people "
    "aboard, and rescue boats brought all passengers to the harbour of Lund by midnight. The coast "
    "guard said a failed rudder had turned the vessel towards the rocks while the captain tried "
    "to anchor. Divers will inspect the hull in the morning, and the operator Nordlinjen has "
    "cancelled every crossing until the weekend."
)
BUDGET = (
    "Parliament in Varsk passed a budget of 48 billion crowns after a night of debate, with higher "
    "pensions and a new levy on banks. Finance minister Petra Holub defended the plan against an "
    "opposition that called it reckless, and said the deficit would fall within three years. "
    "Trade unions welcomed the pensions, while the chamber of commerce warned of fewer loans."
)
VOLCANO = (
    "Ash from the volcano Hekarra closed two airports and covered villages on its southern slope, "
    "where farmers led their cattle away through grey rain. Scientists of the observatory measured "
    "a plume nine kilometres high and expect the eruption to last for days. Schools stay shut and "
    "the army hands out masks in the district of Oru."
)
ASHORE = (
    "Rescue boats brought 312 passengers of the ferry Solveig to the harbour of Lund, after the "
    "vessel ran aground off the island of Tarnholm with a failed rudder. The operator Nordlinjen "
    "cancelled every crossing, and the coast guard spoke of luck."
)
HULL = (
    "Divers inspect the hull of the ferry Solveig, aground on the rocks off the island of "
    "Tarnholm. The captain had tried to anchor when the rudder failed, the coast guard said. "
    "Passengers who were brought to Lund wait for word from the operator Nordlinjen."
)


def article(
    number: int, title: str, text: str = "", *, hours: float = 0, **more: object
) -> Article:
    when = START + timedelta(hours=hours)
    fields: dict[str, object] = {
        "id": f"a{number}",
        "revision": "r1",
        "title": title,
        "text": text,
        "outlet": f"outlet{number}.example",
        "fetched": when,
        "published": when,
        "published_from": "feed",
        "lang": "en",
    }
    return Article(**(fields | more))  # type: ignore[arg-type]


def vector(text: str) -> bytes:
    """Hashed words: equal texts are equal, shared words bring texts near."""
    total = np.zeros(DIMS, dtype=np.float32)
    total[0] = 1e-3
    for term in terms(text):
        seed = int.from_bytes(hashlib.blake2b(term.encode(), digest_size=4).digest(), "little")
        total += np.random.default_rng(seed).standard_normal(DIMS).astype(np.float32)
    return (total / np.linalg.norm(total)).astype("<f2").tobytes()


def embedded(one: Article, model: str = "words@1") -> Embedded:
    return Embedded(
        article=Raw(encode(one)), model=model, dims=DIMS, vector=vector(f"{one.title}\n{one.text}")
    )


def record(one: Article, offset: int, model: str = "words@1") -> LogRecord:
    value = encode(embedded(one, model))
    return LogRecord(EMBEDDED, 0, offset, one.id.encode(), value, {}, START)


def records(articles: list[Article]) -> list[LogRecord]:
    return [record(one, offset) for offset, one in enumerate(articles)]


def settings(**more: object) -> ClusterSettings:
    return ClusterSettings.model_validate({"decision_file": DECISION} | more)


def stage(folder: Path | None = None, **more: object) -> ClusterStage:
    """A stage that owns lane 0."""
    made = ClusterStage(settings(**more), folder)
    made.start(LANE, "log-1")
    return made


def placed(on: ClusterStage, given: list[LogRecord]) -> list[Placed]:
    found = [output.record for one in given for output in on.process([one])]
    assert all(isinstance(one, Placed) for one in found)
    return found  # type: ignore[return-value]


def place(articles: list[Article], **more: object) -> list[Placed]:
    return placed(stage(**more), records(articles))


def three_stories(rounds: int = 4) -> list[Article]:
    """Three happenings told in turn, `rounds` times each, in other words every time."""
    angles = ["", "Witnesses spoke of fear. ", "Questions remain. ", "A minister paid a visit. "]
    made = []
    for turn in range(rounds):
        for at, (title, text) in enumerate(
            (
                ("Ferry Solveig aground off Tarnholm", FERRY),
                ("Parliament in Varsk passes budget of 48 billion crowns", BUDGET),
                ("Ash of volcano Hekarra closes airports", VOLCANO),
            )
        ):
            number = 3 * turn + at
            sentences = text.split(". ")
            turned = ". ".join(sentences[turn % 3 :] + sentences[: turn % 3])
            told = f"{angles[turn % 4]}Report {turn}. {turned}"
            made.append(article(number, f"{title}, report {turn}", told, hours=number))
    return made


def changes(found: list[Placed], kind: str) -> list[str]:
    return [change.story for one in found for change in one.changes if change.kind == kind]
