"""Events through the real judge, with vectors of our own: what is heard, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bench.events import events_of
from bench.judging import Bench, truth_of
from bench.silence import silence
from bench.streams import Row, Stream
from bench.tracking import Cache

START = datetime(2024, 5, 1, 12, tzinfo=UTC)
# Decided by the shipped file, which is for this encoder.
MODEL = "all-MiniLM-L6-v2@53aa5117-test"


class Encoder:
    """One direction for texts about the strike, another for all others."""

    name, dims = MODEL, 4

    def encode(self, texts: Sequence[str]) -> list[bytes]:
        return [vector(text).tobytes() for text in texts]


def vector(text: str) -> np.ndarray:
    return np.eye(4, dtype="<f2")[0 if "strike" in text else 1]


def stream(name: str, titles: Sequence[str], cluster: str, *, apart: int = 0) -> Stream:
    rows = [
        Row(title, "", START + timedelta(days=apart, hours=i), "en", None, cluster, False)
        for i, title in enumerate(titles)
    ]
    return Stream(name, rows, np.stack([vector(row.title) for row in rows]), MODEL)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Cache(Encoder(), tmp_path))


DAYS = ("one", "two", "three", "four", "five", "six", "ten")
STRIKE = [f"Dock strike in Gdynia, day {word}" for word in DAYS]


def test_an_event_hears_its_own_stream_and_not_a_strangers(bench: Bench) -> None:
    own = events_of(stream("own", STRIKE, "strike"), 0, 4)
    judged = bench.judge(own.task, own.vectors)
    assert judged.truth.tolist() == truth_of(own.task).tolist() == [[True, True, True]]
    assert judged.yes.all()
    quiet = stream("quiet", [f"Orchids flower again {i}" for i in range(5)], "x", apart=900)
    found = silence("own", own.task, [judged], [quiet], bench)
    assert (found.events, found.articles, found.false) == (1, 5, [])
    assert found.at(0.5) == (1.0, 1.0)


def test_a_look_alike_from_years_later_counts_because_its_date_is_moved(bench: Bench) -> None:
    own = events_of(stream("own", STRIKE, "strike"), 0, 4)
    judged = bench.judge(own.task, own.vectors)
    alike = stream("alike", [STRIKE[0], "Orchids flower again"], "x", apart=3000)
    found = silence("own", own.task, [judged], [alike], bench)
    assert len(found.false) == 1
    # One alert by one event in two articles.
    assert found.rate(0.5) == 5_000
    assert found.rate(1.1) == 0


def test_baseline_scores_are_cosines_to_the_nearest_example(bench: Bench) -> None:
    mixed = stream("mixed", [*STRIKE, "Orchids flower again"], "strike")
    found = events_of(mixed, 0, 4)
    assert bench.cosines(found).tolist() == [[1.0, 1.0, 1.0, 0.0]]
