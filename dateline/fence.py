"""Is this still the log that a stage has read? Asked at each start.

Brokers forget a group's commits with the topic, so a stage would begin with the new topic as if
nothing had been: what it had not read of the old one would be gone without a word.
"""

from __future__ import annotations

import sqlalchemy as sa
import structlog

from sinks.database.rows import insert_for
from store.connection import describe, translated
from store.tables import stage_topics
from stream.errors import LogChanged, Unavailable
from stream.log.contract import Log
from stream.role import Stage

_t = stage_topics.c


def check(engine: sa.Engine, log: Log, stage: Stage) -> None:
    """Raises LogChanged when a topic that the stage reads was made again since it last started.
    While the database is away nothing is asked: the log can do without it."""
    topics = {*stage.inputs, *stage.tables, *([stage.restores_from] if stage.restores_from else ())}
    ids = {topic: log.log_id(topic) for topic in sorted(topics)}
    try:
        with translated(describe(engine)), engine.begin() as connection:
            rows = [{"stage": stage.name, "topic": t, "log_id": id_} for t, id_ in ids.items()]
            connection.execute(insert_for(connection)(stage_topics).on_conflict_do_nothing(), rows)
            known = dict(
                connection.execute(
                    sa.select(_t.topic, _t.log_id).where(_t.stage == stage.name)
                ).all()
            )
    except Unavailable as error:
        structlog.get_logger("dateline.stage").warning(
            "stage.topics_not_checked", stage=stage.name, error=str(error)
        )
        return
    for topic, now in ids.items():
        if known[topic] != now:
            raise LogChanged(
                f"topic {topic} is not the one that the stage {stage.name} has read: it was "
                "deleted and made again; bring the old one back, or run `dateline offsets reset "
                f"{stage.name} --to start` to go on with the new one"
            )
