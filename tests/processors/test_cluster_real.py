"""The cluster stage on real news, and with the real encoder."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from processors.cluster.stage import ClusterStage
from stream.records import Article, Placed
from tests.processors.cluster_world import BUDGET, FERRY, LANE, VOLCANO, placed, record, settings


def archive(path: Path) -> list[Article]:
    found = []
    for number, line in enumerate(path.read_text().splitlines()):
        item = json.loads(line)
        when = datetime.fromisoformat(item["published"]).replace(tzinfo=UTC)
        found.append(
            Article(
                id=f"a{number}",
                revision="r1",
                title=item["title"],
                text=item["text"],
                outlet=item["source"] or "archive",
                fetched=when,
                published=when,
                lang=item["lang"],
            )
        )
    return found


@pytest.mark.parametrize("name", ["og2021-dev", "localnews-dev"])
def test_every_article_of_an_archive_is_placed_exactly_once(shared_data: Path, name: str) -> None:
    given = archive(shared_data / "clustering" / f"{name}.jsonl")
    on = ClusterStage(settings())
    on.start(LANE, "log-1")
    found: list[Placed] = []
    for offset, one in enumerate(given):
        found += placed(on, [record(one, offset)])
    assert [one.source_offset for one in found] == list(range(len(given)))
    assert 20 < len({one.story for one in found}) < len(given)


def test_the_real_encoder_and_the_shipped_decision_fit_together() -> None:
    from msgspec import Raw

    from processors.cluster.settings import ClusterSettings
    from processors.embed.encoder import Encoder, article_text
    from processors.embed.settings import EmbedSettings
    from stream.records import Embedded, encode
    from tests.processors.cluster_world import article

    told = [
        article(1, "Ferry Solveig runs aground off Tarnholm", FERRY),
        article(2, "Varsk parliament passes budget after night of debate", BUDGET, hours=1),
        article(3, "Airports shut as Hekarra erupts", VOLCANO, hours=2),
        article(
            4,
            "Ferry accident: 312 passengers of the Solveig are safe",
            "Everyone aboard the Solveig reached Lund by boat in the night after the ferry struck "
            "rocks at Tarnholm. The coast guard blames the rudder.",
            hours=3,
        ),
        article(
            5,
            "Second day of ash from Hekarra volcano",
            "Schools in Oru were closed again and soldiers gave out masks, while scientists saw no "
            "end of the eruption that has grounded flights.",
            hours=26,
        ),
    ]
    encoder = Encoder(EmbedSettings.model_validate({}))
    vectors = encoder.encode([article_text(one.title, one.text) for one in told])
    on = ClusterStage(ClusterSettings())
    on.start(LANE, "log-1")
    given = []
    for offset, (one, vector) in enumerate(zip(told, vectors, strict=True)):
        whole = Embedded(
            article=Raw(encode(one)), model=encoder.name, dims=encoder.dims, vector=vector
        )
        given.append(record(one, offset)._replace(value=encode(whole)))
    stories = [one.story for one in placed(on, given)]
    assert stories[3] == stories[0]
    assert stories[4] == stories[2]
    assert len(set(stories)) == 3
