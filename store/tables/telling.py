"""What analysts and operators are told: alerts, and the outbox of messages about them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, Index, Integer, Text

from store.tables.columns import Json, UtcDateTime, log_position, metadata

alerts = sa.Table(
    "alerts",
    metadata,
    # "<event_id>:<story_id>", or "<event_id>@<version>:history" for the alert of a look-back
    # (with "-backfill" for that of the backfill lane)
    Column("id", Text, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("story_id", Text),  # follows merges; NULL: the alert of a look-back
    Column("merged_into", Text),  # the alert that took over when the stories of both merged
    Column("first_at", UtcDateTime, nullable=False),  # fetched time of the article that raised it
    Column("updated_at", UtcDateTime, nullable=False),  # … of the last article that changed it
    Column("told_at", UtcDateTime, nullable=False),  # … of the last one worth telling
    Column("headline", Text, nullable=False),
    Column("what_is_new", Text, nullable=False),
    Column("articles", Integer, nullable=False),
    Column("independent_sources", Integer, nullable=False),
    Column("told_sources", Integer, nullable=False),  # independent sources when last told
    Column("sequence", Integer, nullable=False),  # 1 = first told, +1 with each update told
    *log_position(),
    Index("ix_alerts_event_id", "event_id"),
    Index("ix_alerts_story_id", "story_id"),
)
alert_articles = sa.Table(
    "alert_articles",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("article_id", Text, primary_key=True),
    Column("number", Integer, nullable=False),  # order of joining; the lowest leads the alert
    Index("ix_alert_articles_article_id", "article_id"),
)
# An alert is acknowledged while its last ack is not older than what was last told. A table of
# its own, because acks and articles come by different topics and may be read in any order.
acks = sa.Table(
    "acks",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("by", Text),
)
outbox = sa.Table(
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),  # "<alert_id>#<sequence>@<channel>": the idempotency key
    Column("alert_id", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("channel", Text, nullable=False),
    Column("told_at", UtcDateTime, nullable=False),  # the alert's time: the order of delivery
    Column("payload", Json, nullable=False),
    Column("state", Text, nullable=False),  # pending | sending | sent | failed | unknown | skipped
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", UtcDateTime),
    Column("last_error", Text),
    Column("at", UtcDateTime),  # of the last change of state
    Index("ix_outbox_state", "state", "next_at"),
    Index("ix_outbox_alert_id", "alert_id", "channel", "sequence"),
)
# What operators are told of: trouble with feeds. Found by the deliverer in the feeds table, so not
# derived from the log; each telling is an outbox row whose alert_id is the notice's `told_as`.
notices = sa.Table(
    "notices",
    metadata,
    Column("id", Text, primary_key=True),  # "notice:<kind>:<subject>:<since>"
    Column("kind", Text, nullable=False),  # "network", or "feed-" and a health
    Column("subject", Text, nullable=False),  # a feed's URL; "" = all feeds
    Column("since", UtcDateTime, nullable=False),  # by the clock of polling
    Column("sentence", Text, nullable=False),
    Column("told_as", Text, nullable=False),  # several that begin together are told as one
    Column("told_at", UtcDateTime, nullable=False),
    Column("resolved_at", UtcDateTime),  # NULL = it lasts
    Index("ix_notices_resolved_at", "resolved_at"),
    Index("ix_notices_told_as", "told_as"),
)
