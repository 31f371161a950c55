from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from processors.match.definition import load_directory, load_file, same_content
from stream.errors import UsageError
from stream.records import Example, Name
from tests.conftest import ROOT

FULL = """
id = "oslo"
title = "River conference"
description = \"\"\"
On
rivers.\"\"\"
actors = ["Anna Berg", { name = "Carlos Ruiz", aliases = ["Ruiz"] }]
places = ["Oslo"]
not_about = ["film festival"]
starts = 2024-05-01
ends = "2024-06-30"
follows = ["lima"]
lookback_days = 7

[[examples]]
title = "Conference opens"
text = "It opened."
published = 2024-05-20T10:00:00+02:00

[[examples]]
file = "example.txt"
about = false
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_full_definition_is_read(tmp_path: Path) -> None:
    write(tmp_path, "example.txt", "Films.\n")
    found = load_file(write(tmp_path, "oslo.toml", FULL))
    assert found.description == "On rivers."
    assert found.actors == [Name(name="Anna Berg"), Name(name="Carlos Ruiz", aliases=["Ruiz"])]
    assert (found.starts, found.ends, found.lookback_days) == ("2024-05-01", "2024-06-30", 7)
    assert found.examples[0].published == datetime(2024, 5, 20, 8, tzinfo=UTC)
    assert (found.examples[1].text, found.examples[1].about) == ("Films.", False)


@pytest.mark.parametrize(
    "text",
    [
        'id = "a"\ntitle = "T"\n[[examples]]\ntitle = "X"',
        'id = "a"\ntitle = "T"\n[[examples]]\ntext = "X"\n[[examples]]\ntitle = "Y"',
        'id = "a"\ntitle = "T"\ndescription = "D"',
        'id = "a"\ntitle = "T"',
        "\ufeffid = 'A_1.b'\ntitle = 'T'",
    ],
)
def test_small_definitions_are_enough(tmp_path: Path, text: str) -> None:
    assert load_file(write(tmp_path, "a.toml", text)).title == "T"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('title = "T"', "id is required"),
        ('id = "a"', "title is required"),
        ('id = ""\ntitle = "T"', "id is required"),
        ('id = "a:b"\ntitle = "T"', "may hold letters"),
        ('id = "a"\ntitle = 5', "title must be text, got a number"),
        ('id = "a"\ntitle = "T"\nactor = ["X"]', "did you mean 'actors'?"),
        ('id = "a"\ntitle = "T"\n[[examples]]\ntitel = "X"', "did you mean 'title'?"),
        ('id = "a"\ntitle = "T"\nstarts = 2024', "starts must be a day"),
        ('id = "a"\ntitle = "T"\nends = "June"', "ends must be a day"),
        ('id = "a"\ntitle = "T"\nstarts = 2024-02-01\nends = 2024-01-01', "after ends"),
        ('id = "a"\ntitle = "T"\nactors = "X"', "actors must be a list"),
        ('id = "a"\ntitle = "T"\nplaces = [{ nam = "X" }]', "each of places must be"),
        ('id = "a"\ntitle = "T"\nfollows = ["a"]', "cannot follow itself"),
        ('id = "a"\ntitle = "T"\nlookback_days = -1', "whole number"),
        ('id = "a"\ntitle = "T"\nexamples = ["X"]', r"\[\[examples\]\]"),
        ('id = "a"\ntitle = "T"\n[[examples]]\nabout = true', "an example needs"),
        ('id = "a"\ntitle = "T"\n[[examples]]\nfile = "gone.txt"', "cannot be read"),
        ('id = "a"\ntitle = "T"\n[[examples]]\nurl = "https://x.example/1"', "no stored article"),
        ('id = "a"\ntitle = "T"\n[[examples]]\ntitle = "X"\npublished = "soon"', "published must"),
        ("id = ", "not a readable TOML file"),
    ],
)
def test_mistakes_are_told_with_file_and_what_to_do(tmp_path: Path, text: str, told: str) -> None:
    path = write(tmp_path, "a.toml", text)
    with pytest.raises(UsageError, match=told) as caught:
        load_file(path)
    assert str(path) in str(caught.value)


def test_every_problem_of_every_file_is_told_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, "a.toml", 'id = "a"\ntitle = "T"\nactor = []\nstarts = "x"')
    write(tmp_path, "b.toml", 'id = "b"')
    write(tmp_path, "c.toml", 'id = "c"\ntitle = "T"')
    write(tmp_path, "d.toml", 'id = "c"\ntitle = "T"')
    with pytest.raises(UsageError) as caught:
        load_directory(tmp_path)
    told = str(caught.value).splitlines()
    assert len(told) == 4
    assert "a.toml:3: unknown key 'actor'" in told[0]
    assert "a.toml:4: starts" in told[1]
    assert "b.toml: title is required" in told[2]
    assert "'c' is also used by c.toml" in told[3]


def test_a_directory_without_event_files_is_a_usage_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError):
            load_directory(path)


def test_an_example_by_url_is_looked_up(tmp_path: Path) -> None:
    url = "https://x.example/1"
    path = write(tmp_path, "a.toml", f'id = "a"\ntitle = "T"\n[[examples]]\nurl = "{url}"')
    stored = {url: Example(title="Stored", text="Text")}
    assert load_file(path, stored.get).examples == [stored[url]]


def test_versions_are_compared_by_content(tmp_path: Path) -> None:
    write(tmp_path, "example.txt", "Films.\n")
    path = write(tmp_path, "oslo.toml", FULL)
    one = load_file(path)
    assert same_content(one, load_file(path))
    assert not same_content(one, load_file(write(tmp_path, "o.toml", FULL.replace("On\n", "Of\n"))))


def test_the_sample_events_are_valid() -> None:
    ids = [one.id for one in load_directory(ROOT / "examples" / "events")]
    assert any("singapore" in one for one in ids)
    assert any("dmz" in one for one in ids)


def test_a_problem_of_a_later_example_is_told_with_the_line_of_that_example(tmp_path: Path) -> None:
    text = FULL.replace('file = "example.txt"', "title = 7")  # line 21 of the file
    path = write(tmp_path, "oslo.toml", text)
    with pytest.raises(UsageError, match=f"{path.name}:21: title must be text"):
        load_file(path)


def test_an_example_file_that_is_missing_is_told_without_error_numbers(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as told:
        load_file(write(tmp_path, "oslo.toml", FULL))
    assert "example.txt' cannot be read: No such file or directory" in str(told.value)
