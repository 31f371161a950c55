"""The tables. Private: dashboards and checks read the views of `store/views.py`.

Four writers, none of which touches another's rows: ingest (the tables under its heading below),
the database sink (everything that is derived from the log, with its positions), delivery (the
state of outbox rows), and the program itself (how its processes are). Every derived row carries
`lane` and `log_offset`, the position of the `dateline.matched` record that last wrote it, and is
only overwritten by a later one; no derived row holds a wall-clock time of the sink, so a rebuild
from the same log gives the same rows.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(sa.TypeDecorator[datetime]):
    """Aware UTC in and out, on SQLite (ISO text, sorts as time) and PostgreSQL (timestamptz)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"expected an aware time, got {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


BigInt = sa.BigInteger().with_variant(Integer, "sqlite")
Json = sa.JSON().with_variant(JSONB(), "postgresql")


def _log_position() -> list[Column[int]]:
    return [Column("lane", Integer, nullable=False), Column("log_offset", BigInt, nullable=False)]


# ---- ingest ------------------------------------------------------------------------------------

feeds = sa.Table(
    "feeds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("url", Text, nullable=False, unique=True),
    Column("outlet", Text),  # domain when the operator gave one, else taken from the items' links
    Column("title", Text),
    Column("folder", Text),  # where the operator keeps it: names from the outermost, "/" between
    Column("state", Text, nullable=False, server_default="active"),  # active | paused
    Column("added", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("interval_s", Float, nullable=False),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("body_hash", Text),
    Column("last_at", UtcDateTime),  # last attempt
    Column("last_ok", UtcDateTime),
    Column("last_status", Integer),  # HTTP status of the last attempt, NULL = no answer
    Column("error", Text),  # one sentence; NULL after a success
    Column("errors_in_row", Integer, nullable=False, server_default="0"),
    Column("last_new", UtcDateTime),  # when it last brought something new
    Column("items_per_day", Float),
    Column("moved_to", Text),  # where permanent redirects lead, watched before it is believed
    Column("moved_since", UtcDateTime),
    Column("hints", Json),  # what the last document asks of pollers: `ingest.documents.items.Hints`
    Column("shown", Integer),  # items in the last document
    Column("flaw", Text),  # what of it could not be read; NULL = nothing
    Column("outcome", Text),  # of the last attempt: ok, unchanged, or the kind of error
    Column("longest_pause", Float),  # seconds without news, fading: what silence is measured by
    Column("twin", Text),  # URL of the feed that shows most of the same items …
    Column("twin_share", Float),  # … and which share of this one's
    Column("health", Text, nullable=False, server_default="new"),  # `ingest.policy.health`
    Column("health_since", UtcDateTime),
    Column("why", Text),  # one sentence about the health
    Column("full_text", Boolean),  # also ask the articles' pages; NULL = as ingest.full_text says
    # Whose turn it takes: `ingest.polling.hosts.host_of(url)`. "" = a poller has yet to fill it in.
    Column("host", Text, nullable=False, server_default=""),
    Index("ix_feeds_state", "state", "next_at"),
    Index("ix_feeds_host", "host"),
)

# The pollers at work. A lease is good until its poller's `until`, by the database's clock: one row
# renewed is all of them renewed, and whoever finds a poller past it takes the row away.
pollers = sa.Table(
    "pollers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("process", Text, nullable=False),  # `ingest.polling.process.identity`; "" = not known
    Column("started", UtcDateTime, nullable=False),
    Column("seen", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
)

# Who may ask which host. A host's feeds are leased together, so that one poller keeps its gaps.
hosts = sa.Table(
    "hosts",
    metadata,
    Column("host", Text, primary_key=True),
    Column("owner", Text),  # a poller's name; NULL: free to take
    Column("free_at", UtcDateTime),  # not to be asked before, as its last owner left it
    Index("ix_hosts_owner", "owner"),
)

# What each feed has shown, so that the next poll knows what is new.
feed_items = sa.Table(
    "feed_items",
    metadata,
    Column("feed_id", ForeignKey("feeds.id"), primary_key=True),
    Column("item_key", Text, primary_key=True),  # guid, else link, else hash of the content
    Column("article_id", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Index("ix_feed_items_article_id", "article_id"),
)

# The last revision that ingest appended of each article.
identities = sa.Table(
    "identities",
    metadata,
    Column("article_id", Text, primary_key=True),
    Column("revision", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("text_length", Integer, nullable=False),
    Column("source", Text, nullable=False),  # feed URL or "archive": whose wording this is
    # Hashes of some of its words, hex: tells an edit from another story under the same guid.
    Column("sketch", Text, nullable=False, server_default=""),
    # The first 8 hex digits of the contents that stood, oldest first: stops a wording that flips.
    Column("wordings", Text, nullable=False, server_default=""),
    Column("appended", UtcDateTime, nullable=False),
)

# One row a poll (or a replayed archive): every item seen is in exactly one of the five fates.
polls = sa.Table(
    "polls",
    metadata,
    Column("source", Text, primary_key=True),  # feed URL, or "archive:<name>"
    Column("at", UtcDateTime, primary_key=True),
    Column("status", Integer),
    # ok | unchanged | the kind of error; the last two see no items
    Column("outcome", Text, nullable=False, server_default="ok"),
    Column("seen", Integer, nullable=False, server_default="0"),  # counted where items are read
    Column("stored", Integer, nullable=False, server_default="0"),
    Column("revised", Integer, nullable=False, server_default="0"),
    Column("duplicate", Integer, nullable=False, server_default="0"),
    Column("filtered", Integer, nullable=False, server_default="0"),
    Column("dead", Integer, nullable=False, server_default="0"),
    Column("reasons", Json, nullable=False),  # {"filtered: no title and no text": 2, …}
)

# The sums of polls whose own rows have been folded away: see `ingest.books.retention`.
polls_daily = sa.Table(
    "polls_daily",
    metadata,
    Column("source", Text, primary_key=True),
    Column("day", Text, primary_key=True),  # ISO, UTC
    Column("polls", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("stored", Integer, nullable=False),
    Column("revised", Integer, nullable=False),
    Column("duplicate", Integer, nullable=False),
    Column("filtered", Integer, nullable=False),
    Column("dead", Integer, nullable=False),
    Column("reasons", Json, nullable=False),
)

# ---- derived from the log by the database sink ---------------------------------------------------

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
    *_log_position(),
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
    *_log_position(),
)

stories = sa.Table(
    "stories",
    metadata,
    Column("id", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("state", Text, nullable=False),  # open | closed | merged
    Column("merged_into", Text),
    Column("continues", Text),  # the story before it in a chain, closed when this one began
    *_log_position(),
    Index("ix_stories_continues", "continues"),
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
    *_log_position(),
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
    *_log_position(),
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
    *_log_position(),
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

# ---- about the processes, by `dateline run` ------------------------------------------------------

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
