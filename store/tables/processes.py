"""How the processes of `dateline run` are, and with what."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, Text

from store.tables.columns import UtcDateTime, metadata

# One row: see `store.schema.OLDEST`.
schema_reach = sa.Table("schema_reach", metadata, Column("oldest", Text, primary_key=True))
# The topics that a stage has read: another log_id later means another topic of the same name.
stage_topics = sa.Table(
    "stage_topics",
    metadata,
    Column("stage", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("log_id", Text, nullable=False),
)
# What each process last said of its stages, for `dateline status`.
pulses = sa.Table(
    "pulses",
    metadata,
    Column("stage", Text, primary_key=True),
    Column("process", Text, primary_key=True),  # host:pid
    Column("started", UtcDateTime, nullable=False),
    Column("seen", UtcDateTime, nullable=False),
    Column("state", Text, nullable=False),  # running | waiting | stopped
    Column("owns", Text, nullable=False),  # its partitions: "dateline.placed/0 dateline.placed/1"
    Column("error", Text),  # the last one, also when it is over
    Column("error_at", UtcDateTime),
    Column("snapshot", UtcDateTime),  # when the newest was written, of a stage that keeps them
)
