"""No statement that the writer repeats reads a whole table that grows."""

from __future__ import annotations

import re

import sqlalchemy as sa
from sqlalchemy import event

from store import tables
from stream.records import StoryChange
from tests.sinks.world import NOON, Feed, created, history, matched

GROWING = ("articles", "revisions", "stories", "matches", "alerts", "alert_articles", "outbox",
           "fates")  # fmt: skip


def old_alerts(engine: sa.Engine, count: int) -> None:
    """So many of other stories: enough for a planner to go the way that it will go later."""
    row = {"event_id": "e", "first_at": NOON, "updated_at": NOON, "told_at": NOON, "headline": "h",
           "what_is_new": "n", "articles": 1, "independent_sources": 1, "told_sources": 1,
           "sequence": 1, "lane": 0, "log_offset": 0}  # fmt: skip
    with engine.begin() as connection:
        connection.execute(
            tables.alerts.insert(),
            [row | {"id": f"old{n}", "story_id": f"old{n}"} for n in range(count)],
        )
        connection.execute(
            tables.alert_articles.insert(),
            [{"alert_id": f"old{n}", "article_id": f"old{n}", "number": 1} for n in range(count)],
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def test_a_batch_reads_no_table_from_end_to_end(engine: sa.Engine) -> None:
    old_alerts(engine, 5000)
    said: list[tuple[str, object]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_c: object, _cursor: object, sql: str, given: object, _x: object, many: bool) -> None:
        if re.match("SELECT|UPDATE|DELETE|INSERT", sql):
            said.append((sql, given[0] if many else given))  # type: ignore[index]

    merged = StoryChange(kind="merged", story="s2", into="s1")
    split = StoryChange(kind="split", story="s1", into="s3", articles=["a"])
    Feed(engine)(
        matched("a", changes=[created("s1")]),
        matched("b", "s2", changes=[created("s2")]),
        matched("c", changes=[merged]),
        matched("d", "s3", changes=[split]),
        matched("a", "s3", revision="r2", text="Another text."),
        matched("a", "s3", revision="r2", text="Another text."),
        history("b"),
        at_once=False,
    )
    event.remove(engine, "before_cursor_execute", note)
    whole = set[str]()
    postgres = engine.dialect.name == "postgresql"
    with engine.connect() as connection:
        # PostgreSQL reads what is small whole, so of the other tables only what it would read whole
        # for want of a better way counts.
        for names, mode in (
            ((("alerts",), "on"), (GROWING, "off")) if postgres else ((GROWING, ""),)
        ):
            if postgres:
                connection.exec_driver_sql(f"SET enable_seqscan = {mode}")
            for sql, given in said:
                explain = "EXPLAIN" if postgres else "EXPLAIN QUERY PLAN"
                plan = connection.exec_driver_sql(f"{explain} {sql}", given)  # type: ignore[arg-type]
                for *_, step in plan:
                    table = re.search(r"Seq Scan on (\w+)|^SCAN (\w+)", step)
                    if table and (table[1] or table[2]) in names:
                        whole.add(f"{step}: {' '.join(sql.split())}")
    assert len(said) > 20
    assert not whole, "\n".join(sorted(whole))
