"""Decisions for another model out of labelled streams."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.calibrate import calibrate
from processors.cluster import decision as stories
from processors.embed.settings import EmbedSettings
from processors.match import decision as matches
from stream.errors import UsageError
from tests.dateline.program import dateline

PLACES = ("Tarnholm", "Varsk", "Lund", "Hekarra", "Ostvik", "Belmar", "Corran", "Duvno")
HAPPENED = (
    "{} harbour pilots strike over night shifts",
    "{} volcano closes two airports with its ash",
    "{} mayor resigns over bribes for a stadium",
    "{} hospital runs out of nurses after flu wave",
)
LATER = ("", ": day two", ", minister says", " as talks begin", " once more", ": what we know", "!")


def stream(path: Path, places: tuple[str, ...]) -> Path:
    when = datetime(2024, 5, 1, tzinfo=UTC)
    lines = []
    for n, more in enumerate(LATER):
        for place in places:
            for kind, words in enumerate(HAPPENED):
                when += timedelta(minutes=5)
                lines.append(
                    {
                        "id": f"{place}{kind}-{n}",
                        "title": words.format(place) + more,
                        "text": "",
                        "published": when.isoformat(),
                        "lang": "en",
                        "source": f"outlet{n}.example",
                        "cluster": f"{place}-{kind}",
                    }
                )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_two_streams_give_two_decision_files_that_both_stages_read(tmp_path: Path) -> None:
    files = [
        stream(tmp_path / "north.jsonl", PLACES[:2]),
        stream(tmp_path / "south.jsonl", PLACES[2:4]),
    ]
    told: list[tuple[str, int, int]] = []
    found = calibrate(files, EmbedSettings(), tmp_path, step=lambda *what: told.append(what))
    (tmp_path / "stories.json").write_bytes(found.stories)
    (tmp_path / "events.json").write_bytes(found.events)
    placing = stories.load(found.report.model, tmp_path / "stories.json")
    deciding = matches.load(found.report.model, path=tmp_path / "events.json")
    assert placing.reads == {"en"}
    assert placing.file.model == found.report.model
    assert deciding.calibrated
    assert deciding.file.reads == ["en"]
    assert [one.stream for one in found.report.streams] == ["north", "south"]
    for one in found.report.streams:
        assert one.articles == 56
        assert one.stories_f1 > 0.6
        assert one.stories_left_out is not None
        assert one.events_f1 is not None
        assert one.events_f1 > 0.5
        assert one.events_left_out is not None
    # Progress counts every step once and knows how many there are.
    assert [done for _, done, _ in told] == list(range(told[0][2]))


def test_the_command_writes_both_files_and_says_what_was_reached(tmp_path: Path) -> None:
    file = stream(tmp_path / "news.jsonl", PLACES[:2])
    done = dateline(
        tmp_path, "calibrate", file, "--stories", "s.json", "--events", "e.json",
        "--cache", ".", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["streams"][0]["stories_left_out"] is None
    assert json.loads((tmp_path / "s.json").read_text())["made_by"] == "dateline calibrate"
    assert json.loads((tmp_path / "e.json").read_text())["reads"] == ["en"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("not json\n", "not a labelled stream"),
        ('{"title": "no cluster", "text": "", "published": null, "lang": "en"}\n', "cluster"),
        ('{"title": "one", "cluster": "a", "lang": "en"}\n', "at least 30"),
        (
            "".join(f'{{"title": "t{n}", "cluster": "{n}", "lang": "en"}}\n' for n in range(40)),
            "six articles",
        ),
    ],
)
def test_a_file_that_nothing_can_be_learned_from_is_a_usage_error(
    tmp_path: Path, content: str, says: str
) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=says) as caught:
        calibrate([file], EmbedSettings(), tmp_path)
    assert "\n" not in str(caught.value)
