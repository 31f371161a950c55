"""What the database sink makes of the log, with its positions there."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB

from store.tables.columns import BigInt, Json, UtcDateTime, log_position, metadata

positions = sa.Table(
    "positions",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("log_id", Text, nullable=False),
    Column("next", BigInt, nullable=False),
    # Alerts below this offset may have been sent by what the database has forgotten since: it is
    # over `next` after a power cut, or when an older copy was restored. None = nothing is.
    Column("told", BigInt),
)
articles = sa.Table(
    "articles",
    metadata,
    Column("id", Text, primary_key=True),
    Column("ref", Text),
    Column("url", Text),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("outlet", Text, nullable=False),
    Column("outlet_name", Text, nullable=False),  # from outlets.toml, else the outlet itself
    Column("family", Text, nullable=False),  # likewise
    Column("verified", Boolean, nullable=False),  # is the outlet in outlets.toml?
    Column("wire", Text),  # family of the wire that the text credits
    Column("lang", Text),
    Column("published", UtcDateTime),
    Column("published_from", Text, nullable=False),
    Column("fetched", UtcDateTime, nullable=False),
    Column("event_time", UtcDateTime, nullable=False),
    Column("revision", Integer, nullable=False),  # 1, 2, 3 … in log order
    Column("revision_hash", Text, nullable=False),
    Column("copy_of", Text),
    Column("novelty", Float),
    Column("story_id", Text, nullable=False),  # follows merges and splits
    Column("first_story_id", Text, nullable=False),
    Column(
        "considered",
        sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql"),
    ),
    Column("model", Text, nullable=False),
    Column("vector", LargeBinary, nullable=False),  # float16
    *log_position(),
    Index("ix_articles_story_id", "story_id"),
    Index("ix_articles_event_time", "event_time"),
)
revisions = sa.Table(
    "revisions",
    metadata,
    Column("article_id", Text, primary_key=True),
    Column("revision_hash", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("fetched", UtcDateTime, nullable=False),
    # What changed since the revision before (`sinks.database.edits`); NULL for the first.
    Column("diff", sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")),
    *log_position(),
)
stories = sa.Table(
    "stories",
    metadata,
    Column("id", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("state", Text, nullable=False),  # open | closed | merged
    Column("merged_into", Text),
    Column("continues", Text),  # the story before it in a chain, closed when this one began
    *log_position(),
    Index("ix_stories_continues", "continues"),
    Index("ix_stories_merged_into", "merged_into"),
)
events = sa.Table(
    "events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("starts", Text),  # ISO day
    Column("ends", Text),
    Column("follows", Json, nullable=False),
    Column("definition", Json, nullable=False),
    Column("removed", Boolean, nullable=False),
)
matches = sa.Table(
    "matches",
    metadata,
    Column("id", Text, primary_key=True),  # "<event_id>:<article_id>"
    Column("event_id", Text, nullable=False),
    Column("article_id", Text, nullable=False),
    Column("probability", Float, nullable=False),
    Column("matched", Boolean, nullable=False),
    Column("reasons", Json, nullable=False),  # the Decision record
    Column("definition_version", Integer, nullable=False),
    Column("model", Text, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),  # when the log took the decision
    Column("history", Boolean, nullable=False),  # decided in a look-back
    *log_position(),
    Index("ix_matches_event_id", "event_id", "matched"),
    Index("ix_matches_article_id", "article_id", "event_id"),
)
verdicts = sa.Table(
    "verdicts",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("article_id", Text, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("other_event", Text),
    Column("by", Text),
    Column("at", UtcDateTime, nullable=False),
)
# The last station of every record: stored, revised, duplicate (by the sink) or dead (by any stage).
fates = sa.Table(
    "fates",
    metadata,
    Column("stage", Text, primary_key=True),
    Column(
        "record", Text, primary_key=True
    ),  # "<article_id>@<revision>" or "<topic>/<partition>/<offset>"
    Column("fate", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("article_id", Text),
    *log_position(),
    Index("ix_fates_article_id", "article_id"),
)
dead = sa.Table(
    "dead",
    metadata,
    Column("stage", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("log_offset", BigInt, primary_key=True),
    Column("error", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_failed", UtcDateTime, nullable=False),
    Column("article_id", Text),
    Column("state", Text, nullable=False, server_default="dead"),  # dead | replayed
)
