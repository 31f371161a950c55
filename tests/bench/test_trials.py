"""Tasks made of clusters, thresholds chosen on the answers, candidates, pages."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from bench.calibration import HIGHEST, calibration, candidates, diagram
from bench.events import events_of
from bench.judging import Judged, at_best, by_event
from bench.quality import write
from bench.silence import window_of
from bench.streams import Row, Stream
from bench.trials import figures
from stream.errors import UsageError

START = datetime(2024, 5, 1, tzinfo=UTC)


def stream(langs: str = "eeeeeee") -> Stream:
    """One cluster of seven, an hour apart, and one of two."""
    rows = [
        Row(f"title {i}", f"One of {i}. Two of {i}. Three.", START + timedelta(hours=i),
            {"e": "en", "f": "fr"}[lang], None, "large", False)
        for i, lang in enumerate(langs)
    ]  # fmt: skip
    rows += [rows[i]._replace(title=f"other {i}", cluster="small") for i in (1, 2)]
    vectors = np.eye(len(rows), dtype=np.float16)
    return Stream("s", rows, vectors, "m")


def test_the_first_articles_are_examples_and_leave_the_stream() -> None:
    found = events_of(stream(), 0, 2)
    (event,) = found.task.definitions
    assert [one.title for one in event.examples] == ["title 0", "title 1"]
    assert event.title == "title 0"
    assert not event.description
    titles = [one.title for one in found.task.articles]
    assert len(titles) == 7
    assert not {"title 0", "title 1"} & set(titles)
    # The vectors stand beside their own articles.
    expected = [[r.title for r in stream().rows].index(title) for title in titles]
    assert found.vectors.argmax(axis=1).tolist() == expected
    assert window_of(event, found.task) == (date(2024, 5, 1), date(2024, 5, 1))


def test_a_described_event_has_two_sentences_and_no_example() -> None:
    (event,) = events_of(stream(), 0, 1, described=True).task.definitions
    assert event.description == "One of 0. Two of 0."
    assert event.examples == []


def test_across_languages_only_the_others_are_judged() -> None:
    found = events_of(stream("eeffffff"), 0, 4, given_in="en")
    (event,) = found.task.definitions
    assert [one.lang for one in event.examples] == ["en", "en"]
    assert {one.lang for one in found.task.articles} == {"fr"}


def test_a_stream_without_events_is_told_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="no cluster that is large enough"):
        events_of(stream("eee"), 0, 1)
    with pytest.raises(UsageError, match="no article in the language 'xx'"):
        stream().only("xx")


def test_figures_of_two_events() -> None:
    yes = np.array([[True, True, False, False], [False, False, False, False]])
    truth = np.array([[True, False, False, False], [False, False, True, True]])
    one = Judged(yes.astype(float), yes, truth)
    precision, recall, f1 = by_event(one)
    assert precision.tolist() == [0.5, 1.0]
    assert recall.tolist() == [1.0, 0.0]
    assert f1.tolist() == [pytest.approx(2 / 3), 0.0]
    found, _ = figures("m", [one])
    assert found.macro[2] == pytest.approx(1 / 3)
    # Together: one right of two said, of three true.
    assert found.micro == [pytest.approx(v) for v in (1 / 2, 1 / 3, 2 / 5)]
    assert found.interval.low == 0


def test_the_best_threshold_on_the_answers_is_found() -> None:
    scores = np.array([[0.9, 0.8, 0.3, 0.2]])
    truth = np.array([[True, True, False, False]])
    threshold, (decided,) = at_best([(scores, truth)])
    assert 0.3 < threshold <= 0.8
    assert decided.yes.tolist() == truth.tolist()


def test_candidates_are_each_events_highest_and_all_worth_storing() -> None:
    p = np.zeros((2, HIGHEST + 30))
    p[0, : HIGHEST + 10] = 0.05
    mask = candidates(p)
    assert mask.sum(axis=1).tolist() == [HIGHEST + 10, HIGHEST]


def test_a_sure_and_right_decision_has_no_calibration_error() -> None:
    truth = np.arange(60)[None, :] < 20
    found = calibration([(truth.astype(float), truth)])
    assert found.ece == 0
    assert found.skill == 1
    assert found.candidates == HIGHEST


def test_the_picture_is_well_formed_and_shows_each_bin() -> None:
    truth = np.arange(60)[None, :] < 20
    found = calibration([(np.linspace(1, 0, 60)[None, :], truth)])
    picture = ElementTree.fromstring(diagram([("one & two", found.bins)]))
    circles = picture.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == len(found.bins)


def test_a_page_is_renewed_between_its_markers_only(tmp_path: Path) -> None:
    page = tmp_path / "quality.md"
    marker = "<!-- stories: written by `dateline bench quality` -->\n"
    page.write_text(f"before\n{marker}old\n<!-- end -->\nafter\n")
    write(page, {"stories": "| new |\n"})
    assert page.read_text() == f"before\n{marker}\n| new |\n\n<!-- end -->\nafter\n"
    with pytest.raises(UsageError, match="no marker for korea"):
        write(page, {"korea": ""})
