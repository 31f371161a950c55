"""What becomes of a placement, and how the baselines read a stream."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from msgspec import Raw

from bench.baselines import dbstream, hdbscan, nearest_centre, singletons, tfidf_nearest
from bench.stories import follow
from bench.streams import Row, Stream
from stream.records import Article, Placed, StoryChange

START = datetime(2024, 5, 1, tzinfo=UTC)


def placed(id_: str, hours: float, story: str, *changes: StoryChange) -> tuple[Article, Placed]:
    when = START + timedelta(hours=hours)
    article = Article(
        id=id_, revision="r", title=id_, text="", outlet="o", fetched=when, published=when
    )
    record = Placed(
        embedded=Raw(b"{}"),
        story=story,
        novelty=1.0,
        engine="e",
        source_offset=0,
        changes=list(changes),
    )
    return article, record


def merged(story: str, into: str) -> StoryChange:
    return StoryChange(kind="merged", story=story, into=into)


def test_a_merge_counts_a_day_later_only_when_it_came_within_the_day() -> None:
    result = follow(
        [
            placed("a", 0, "s1"),
            placed("b", 20, "s2"),
            placed("c", 30, "s1", merged("s2", "s1")),
        ]
    )
    assert result.first == ["s1", "s2", "s1"]
    # b's day was not over when c came; a's was, but its story survived.
    assert result.later == ["s1", "s1", "s1"]
    assert result.changed == 1 / 3


def test_a_change_after_the_day_is_seen_at_the_end_only() -> None:
    split = StoryChange(kind="split", story="s1", into="s3", articles=["a"])
    result = follow([placed("a", 0, "s1"), placed("b", 1, "s1"), placed("c", 48, "s1", split)])
    assert result.later == ["s1", "s1", "s1"]
    assert result.last == ["s3", "s1", "s1"]


def test_a_late_article_starts_its_day_when_it_came() -> None:
    result = follow(
        [
            placed("a", 48, "s1"),
            placed("late", 0, "s2"),
            placed("c", 60, "s1", merged("s2", "s1")),
        ]
    )
    assert result.later == ["s1", "s1", "s1"]


def stream() -> Stream:
    """Two happenings, three articles and two, half a day apart; vectors as clear as words."""
    texts = ["flood in the valley", "valley flood spreads", "flood waters leave the valley"]
    texts += ["chess title decided", "new chess title holder"]
    rows = [
        Row(text, "", START + timedelta(hours=12 * i), "en", None, "ab"[i > 2], False)
        for i, text in enumerate(texts)
    ]
    vectors = np.array([[1, 0.1], [1, 0], [1, 0.2], [0, 1], [0.1, 1]], dtype=np.float16)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Stream("two", rows, vectors, "m")


def groups(labels: list[str]) -> list[list[int]]:
    return sorted([i for i, one in enumerate(labels) if one == name] for name in set(labels))


def test_baselines_find_two_clear_stories() -> None:
    for method in (nearest_centre, tfidf_nearest):
        assert groups(method(stream(), 0)) == [[0, 1, 2], [3, 4]], method.__name__
    assert len(set(hdbscan(stream(), 0))) == 2
    assert len(set(singletons(stream(), 0))) == 5


def test_dbstream_finds_two_clear_stories() -> None:
    pytest.importorskip("river")
    assert groups(dbstream(stream(), 0)) == [[0, 1, 2], [3, 4]]


def test_online_baselines_forget_what_is_over() -> None:
    slow = stream()
    rows = [
        row._replace(published=START + timedelta(days=9 * i)) for i, row in enumerate(slow.rows)
    ]
    for method in (nearest_centre, tfidf_nearest):
        assert len(set(method(slow._replace(rows=rows), 0))) == 5, method.__name__


def test_a_thinned_stream_has_so_many_articles_of_each_story() -> None:
    sizes = {"large": 5, "exact": 3, "small": 2}
    rows = [
        Row(f"{name} {i}", "", START, "en", None, name, False)
        for name, size in sizes.items()
        for i in range(size)
    ]
    vectors = np.eye(len(rows), dtype=np.float16)
    thinned = Stream("s", rows, vectors, "m").thinned(3, seed=1)
    assert [row.cluster for row in thinned.rows] == ["large"] * 3 + ["exact"] * 3
    for row, vector in zip(thinned.rows, thinned.vectors, strict=True):
        assert vector[rows.index(row)] == 1
