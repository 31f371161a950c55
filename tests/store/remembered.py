"""What a release left behind: every row of a small database, what its views said, and its log.

`python -m tests.store.remembered` writes `golden/REVISION.json` for the schema of the checked-out
release. Run it at a release that brings a migration, and never again for that revision: the file
is what that release really wrote (0001 was written by the code of 0.1.0).
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from stream.log.contract import LogRecord
from stream.records import AlertAck, Dead, Definition, StoryChange, Verdict
from tests.sinks.world import EVENT, NOON, Feed, created, history, matched

GOLDEN = Path(__file__).with_name("golden")
ARCHIVE = "archive.jsonl"


def archive(folder: Path) -> Path:
    """Five lines: a copy of an id with other words, one without a date, one that is no JSON."""
    rows: list[dict[str, str]] = [
        {"id": "1", "title": "Ferry aground", "text": "With 40 aboard.", "published": "2024-03-01"},
        {"id": "2", "title": "Ferry freed", "text": "By two tugs.", "published": "2024-03-02"},
        {"id": "2", "title": "Ferry freed", "text": "By three tugs.", "published": "2024-03-02"},
        {"id": "3", "title": "Orchids near Osk", "text": "Forty of them."},
    ]
    path = folder / ARCHIVE
    lines = [*map(json.dumps, rows), "{not json"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def earlier(feed: Feed) -> list[LogRecord]:
    """What the release itself stores: records of every topic and kind."""
    split = StoryChange(kind="split", story="s1", into="s3", articles=["b"])
    return [
        *feed(
            Definition(id=EVENT, version=1, title="Summit", starts="2018-03-08"),
            topic="dateline.events",
        ),
        *feed(
            matched("a", changes=[created("s1", "A summit")]),
            matched("b", outlet="harbor.example", minute=1),
            matched("c", outlet="hangang.example", copy_of="a", minute=2),
            matched("d", "s2", changes=[created("s2", "Talks")], minute=3,
                    outlet="courier.example"),
            matched("e", changes=[StoryChange(kind="merged", story="s2", into="s1")], minute=4),
            matched("a", title="Edited", revision="r2", minute=5),
            matched("b", "s3", revision="r2", changes=[split, created("s3", "Apart")], minute=6,
                    outlet="harbor.example"),
            matched("f", "s3", decisions=[], minute=7, published=None, published_from="none"),
            history("f"),
            at_once=False,
        ),
        *feed(matched("g", "t1", changes=[created("t1")], lane=1, minute=8), partition=1),
        *feed(
            Verdict(event_id=EVENT, article_id="a", verdict="right", at=NOON, by="ana"),
            AlertAck(alert_id=f"{EVENT}:s1", at=NOON),
            topic="dateline.verdicts",
        ),
        *feed(
            Dead(stage="match", topic="dateline.placed", partition=0, offset=99, error="ValueError",
                 message="no", attempts=2, first_failed=NOON, article_id="z", revision="r1"),
            topic="dateline.dead",
        ),
    ]  # fmt: skip


def later(feed: Feed) -> list[LogRecord]:
    """What comes after the upgrade and touches what was there before it."""
    return [
        *feed(
            Definition(id=EVENT, version=2, title="Summit", follows=["x"]), topic="dateline.events"
        ),
        *feed(
            matched("a", title="Edited again", revision="r3", minute=20),
            matched("b", "s1", revision="r3", minute=21, outlet="harbor.example"),
            matched("d", "s2", revision="r2", minute=22, decisions=[], outlet="courier.example"),
            matched("h", "s3", minute=23, outlet="courier.example"),
            matched("f", "s3", minute=7, published=None, published_from="none"),  # a duplicate
            matched("g", "s3", minute=24),  # known from backfill, now live
        ),
        *feed(
            Verdict(event_id=EVENT, article_id="b", verdict="wrong", at=NOON, by="ana"),
            topic="dateline.verdicts",
        ),
    ]  # fmt: skip


def continued(engine: sa.Engine, log: Sequence[LogRecord]) -> Feed:
    """A feed that goes on after the records of `log`."""
    feed = Feed(engine)
    for record in log:
        feed._ends[record.source] = record.offset + 1
    return feed


def load(engine: sa.Engine, golden: dict[str, Any]) -> None:
    """Put the rows into the schema of their own revision, which `engine` must have."""
    metadata = sa.MetaData()
    metadata.reflect(engine)
    postgres = engine.dialect.name == "postgresql"
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            if rows := golden["tables"].get(table.name):
                naive = [{k: _bound(v, postgres) for k, v in row.items()} for row in rows]
                connection.execute(table.insert(), naive)
        if postgres:  # rows with numbers of their own do not move the sequence
            sequence = "pg_get_serial_sequence('feeds', 'id')"
            connection.exec_driver_sql(f"SELECT setval({sequence}, (SELECT max(id) FROM feeds))")


def read(revision: str) -> tuple[dict[str, Any], list[LogRecord]]:
    """The golden rows and views, and the log that they came from."""
    golden = json.loads(
        (GOLDEN / f"{revision}.json").read_text(encoding="utf-8"), object_hook=_typed
    )
    log = [
        LogRecord(r["topic"], r["partition"], r["offset"], None, r["value"].encode(), {}, r["time"])
        for r in golden["log"]
    ]
    return golden, log


def said(engine: sa.Engine) -> dict[str, list[dict[str, Any]]]:
    """All rows of all views of this release."""
    from store import views

    with engine.connect() as connection:
        return {
            view.name: [dict(r) for r in connection.execute(sa.select(view.table)).mappings()]
            for view in views.VIEWS
        }


def main(folder: Path) -> None:
    from ingest import feeds
    from ingest.archive import replay
    from store import schema, tables
    from store.engine import open_database
    from tests.ingest.world import World, item, rss, running

    engine = open_database(folder / "news.db", upgrade=True)
    feed = Feed(engine, channels=("console", "webhook"))
    log = earlier(feed)
    world = World(folder, engine)
    replay(archive(folder), world.log, engine)

    async def polls() -> None:
        for path in ("/news", "/away", "/gone"):
            feeds.add(engine, world.site.url(path), now=world.clock.now())
        gone = rss(item(9))
        world.site.pages |= {"/news": rss(item(1), item(2), item(2)), "/gone": gone}
        await world.polled()
        world.site.pages["/news"] = rss(item(1, text="Edited."), item(3))
        await world.polled()

    running(polls, world)
    base, there = world.site.base, "https://news.example"
    o = tables.outbox
    with engine.begin() as connection:  # as delivery would leave them
        first = connection.execute(sa.select(o.c.id).order_by(o.c.id)).scalars().first()
        sent = {"state": "sent", "attempts": 1, "at": NOON + timedelta(days=1)}
        connection.execute(o.update().where(o.c.id == first).values(**sent))
        connection.execute(
            tables.feeds.update().where(tables.feeds.c.url == f"{base}/gone").values(state="gone")
        )
    with engine.connect() as connection:
        rows = {
            table.name: [dict(r) for r in connection.execute(sa.select(table)).mappings()]
            for table in tables.metadata.sorted_tables
        }
    found = {
        "tables": rows,
        "views": said(engine),
        "log": [
            {"topic": r.topic, "partition": r.partition, "offset": r.offset, "time": r.time,
             "value": r.value.decode()}
            for r in log
        ],
    }  # fmt: skip
    path = GOLDEN / f"{schema.current(engine)}.json"
    text = json.dumps(found, default=_plain, indent=1, ensure_ascii=False)
    path.write_text(text.replace(base, there) + "\n", encoding="utf-8")
    print(f"{path.name}: {sum(map(len, rows.values()))} rows, {len(text):,} letters")
    world.close()


def _plain(value: object) -> dict[str, str]:
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(type(value).__name__)


def _typed(value: dict[str, Any]) -> Any:
    if "$time" in value:
        return datetime.fromisoformat(value["$time"])
    return base64.b64decode(value["$bytes"]) if "$bytes" in value else value


def _bound(value: Any, postgres: bool) -> Any:
    if isinstance(value, datetime) and not postgres:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        main(Path(made))
