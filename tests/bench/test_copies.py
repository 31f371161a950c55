from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import copies
from bench.copies import Share, measure
from stream.errors import UsageError
from stream.records import Article


def article(name: str) -> Article:
    return Article(
        id=name,
        revision="1",
        title=name,
        text="",
        outlet="x",
        fetched=datetime(2024, 1, 1, tzinfo=UTC),
    )


@pytest.fixture
def labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("a", "b", True), ("a", "c", True), ("a", "d", False), ("b", "d", None),
            ("x", "y", True)]  # fmt: skip
    text = "".join(json.dumps({"a": a, "b": b, "copy": copy}) + "\n" for a, b, copy in rows)
    (tmp_path / "copies.jsonl").write_text(text)
    monkeypatch.setattr(copies, "LABELS", tmp_path / "copies.jsonl")


@pytest.mark.usefixtures("labels")
def test_pairs_are_counted_against_the_judged_ones_that_are_there() -> None:
    found = {("a", "b"), ("a", "d"), ("b", "d"), ("c", "d")}
    report = measure([article(name) for name in "abcd"], found)
    assert report.judged == 4
    assert (report.precision.right, report.precision.all) == (1, 2)
    assert (report.recall.right, report.recall.all) == (1, 2)
    assert report.open == 1
    assert report.unjudged == [("c", "d")]
    assert report.wrong == [("a", "d")]
    assert report.missed == [("a", "c")]


@pytest.mark.usefixtures("labels")
def test_other_feeds_than_the_judged_ones_are_refused() -> None:
    with pytest.raises(UsageError, match="captured"):
        measure([article("z")], set())


def test_the_interval_is_wilsons() -> None:
    # Worked out by hand from the published formula.
    assert Share(20, 20).interval == pytest.approx((0.8389, 1.0), abs=1e-4)
    assert Share(8, 10).interval == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert Share(0, 0).interval == (0.0, 1.0)


def test_the_captured_feeds_are_read_and_the_judged_pairs_are_among_them(
    shared_data: Path,
) -> None:
    articles = copies.captured(shared_data)
    assert len(articles) > 5000
    times = [one.event_time for one in articles]
    assert times == sorted(times)
    report = measure(articles, set())
    assert report.judged >= 400
    assert report.recall.all >= 20
