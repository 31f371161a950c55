"""No statement that the writer repeats reads a whole table that grows."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import event

from store.engine import open_database
from stream.records import StoryChange
from tests.sinks.world import Feed, created, history, matched

GROWING = ("articles", "revisions", "stories", "matches", "alerts", "alert_articles", "outbox",
           "fates")  # fmt: skip


def test_a_batch_reads_no_table_from_end_to_end(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "news.db", upgrade=True)
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
    with engine.connect() as connection:
        for sql, given in said:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)  # type: ignore[arg-type]
            for *_, step in plan:
                table = re.match(r"SCAN (\w+)", step)
                if table and table[1] in GROWING:
                    whole.add(f"{step}: {' '.join(sql.split())}")
    assert len(said) > 20
    assert not whole, "\n".join(sorted(whole))
    engine.dispose()
