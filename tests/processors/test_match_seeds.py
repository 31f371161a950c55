"""The two editorials that the project began from, with the sample events and the real model."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from processors.embed.encoder import Encoder, article_text
from processors.embed.settings import EmbedSettings
from processors.embed.stage import definition_vectors
from processors.match.definition import load_directory
from processors.match.explain import Explainer, question
from processors.match.words import lines
from stream.records import Decision
from tests.conftest import ROOT
from tests.processors.matching import about, signal


@pytest.fixture(scope="module")
def decided(shared_data: Path) -> list[tuple[dict[str, str], list[Decision]]]:
    encoder = Encoder(EmbedSettings())
    definitions = load_directory(ROOT / "examples" / "events")
    explainer = Explainer(definitions, [definition_vectors(d, encoder) for d in definitions])
    found = []
    for line in (shared_data / "seeds.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        when = row["published"]
        article = question(
            row["text"],
            title=row["title"] or "",
            published=datetime.fromisoformat(when).astimezone(UTC) if when else None,
            lang="en",
        )
        (vector,) = encoder.encode([article_text(article.title, article.text)])
        found.append((row, explainer.explain(article, vector)))
    return found


def test_the_editorial_of_may_2018_is_about_singapore(
    decided: list[tuple[dict[str, str], list[Decision]]],
) -> None:
    row, decisions = decided[0]
    singapore = about("kim-trump-singapore", decisions)
    assert singapore.matched
    assert singapore.rival == "kim-moon-panmunjom"
    assert not about("kim-trump-hanoi", decisions).matched
    assert not about("kim-trump-dmz", decisions).matched
    assert signal(singapore, "inside") > 0
    assert singapore.sentence in row["text"]
    assert all(name in row["text"] + row["title"] for name in singapore.shared)
    assert {"Singapore"} <= set(singapore.shared)


def test_the_undated_editorial_is_about_the_dmz_and_hanoi_is_its_rival(
    decided: list[tuple[dict[str, str], list[Decision]]],
) -> None:
    row, decisions = decided[1]
    assert [one.event_id for one in decisions if one.matched] == ["kim-trump-dmz"]
    dmz = about("kim-trump-dmz", decisions)
    assert dmz.rival == "kim-trump-hanoi"
    assert signal(dmz, "inside") == signal(dmz, "outside") == 0
    assert dmz.sentence in row["text"]
    told = "\n".join(lines(dmz))
    assert "DMZ" in told
    assert "best rival: kim-trump-hanoi" in told
    assert "no date of publication" in str([one.note for one in dmz.signals])
