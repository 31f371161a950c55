"""The judge of a torture run sees what it is there to see."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from dateline import app
from dateline.config import Settings, load
from stream.log.sqlite import SqliteLog
from stream.records import MATCHED, encode
from stream.stage import Loop, drain
from tests.sinks.world import created, matched
from tests.torture.verdict import Verdict, judge

INPUT = {
    f"ref-a{n}": {"title": f"Title of a{n}", "text": "The summit is on again."} for n in (0, 1)
}
TOLD = ["singapore-summit:s1/1", "singapore-summit:s1/2"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A database of two articles, written from its log; both alerts were told."""
    flags = {"database.url": str(tmp_path / "news.db"), "log.url": str(tmp_path / "news.log.db")}
    made = load(None, flags, {})
    app.prepare(made)
    log = SqliteLog(made.log.url)
    producer = log.producer()
    producer.send(MATCHED, encode(matched("a0", changes=[created("s1")])), partition=0)
    producer.send(MATCHED, encode(matched("a1", outlet="harbor.example")), partition=0)
    producer.close()
    loop = Loop(app.make_stage("database", made), log)
    drain([loop])
    loop.close()
    log.close()
    _change(made, "UPDATE outbox SET state = 'sent'")
    return made


def _change(settings: Settings, statement: str) -> None:
    engine = app.open_engine(settings)
    with engine.begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


def _judged(settings: Settings, tmp_path: Path, told: list[str]) -> Verdict:
    return judge(settings, f"sqlite:///{tmp_path / 'again.db'}", INPUT, told)


def test_a_sound_run_is_good(settings: Settings, tmp_path: Path) -> None:
    found = _judged(settings, tmp_path, TOLD)
    assert found.good, found
    assert (found.articles, found.alerts, found.sent) == (2, 2, 2)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DELETE FROM articles WHERE id = 'a1'", "lost"),
        ("UPDATE articles SET ref = 'ref-a0'", "duplicated"),
        ("UPDATE matches SET probability = .4 WHERE article_id = 'a1'", "differing"),
        ("UPDATE articles SET title = 'Other words' WHERE id = 'a1'", "changed"),
        ("DELETE FROM fates WHERE article_id = 'a1'", "differing"),
        (
            "INSERT INTO identities (article_id, revision, content_hash, text_length, source,"
            " appended) VALUES ('a9', 'r1', '', 0, 'archive', '2018-05-27 12:00:00')",
            "gaps",
        ),
        ("UPDATE outbox SET state = 'pending'", "untold"),
    ],
)
def test_what_is_wrong_in_the_database_is_found(
    settings: Settings, tmp_path: Path, statement: str, what: str
) -> None:
    _change(settings, statement)
    found = _judged(settings, tmp_path, TOLD)
    assert getattr(found, what), found
    assert not found.good


@pytest.mark.parametrize(("told", "what"), [(TOLD[:1], "untold"), ([*TOLD, TOLD[0]], "told_twice")])
def test_alerts_that_nobody_heard_or_heard_twice_are_found(
    settings: Settings, tmp_path: Path, told: list[str], what: str
) -> None:
    found = _judged(settings, tmp_path, told)
    assert getattr(found, what), found
    assert not found.good
