"""the first schema"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "acks",
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("by", sa.Text()),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_acks")),
    )
    op.create_table(
        "alert_articles",
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("article_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "article_id", name=op.f("pk_alert_articles")),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("story_id", sa.Text()),
        sa.Column("merged_into", sa.Text()),
        sa.Column("first_at", Time, nullable=False),
        sa.Column("updated_at", Time, nullable=False),
        sa.Column("told_at", Time, nullable=False),
        sa.Column("headline", sa.Text(), nullable=False),
        sa.Column("what_is_new", sa.Text(), nullable=False),
        sa.Column("articles", sa.Integer(), nullable=False),
        sa.Column("independent_sources", sa.Integer(), nullable=False),
        sa.Column("told_sources", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("log_offset", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index("ix_alerts_event_id", "alerts", ["event_id"])
    op.create_index("ix_alerts_story_id", "alerts", ["story_id"])

    op.create_table(
        "articles",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text()),
        sa.Column("url", sa.Text()),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("outlet", sa.Text(), nullable=False),
        sa.Column("outlet_name", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("wire", sa.Text()),
        sa.Column("lang", sa.Text()),
        sa.Column("published", Time),
        sa.Column("published_from", sa.Text(), nullable=False),
        sa.Column("fetched", Time, nullable=False),
        sa.Column("event_time", Time, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("revision_hash", sa.Text(), nullable=False),
        sa.Column("copy_of", sa.Text()),
        sa.Column("novelty", sa.Float()),
        sa.Column("story_id", sa.Text(), nullable=False),
        sa.Column("first_story_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("log_offset", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_articles")),
    )
    op.create_index("ix_articles_event_time", "articles", ["event_time"])
    op.create_index("ix_articles_story_id", "articles", ["story_id"])

    op.create_table(
        "dead",
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("log_offset", BigInt, nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_failed", Time, nullable=False),
        sa.Column("article_id", sa.Text()),
        sa.Column("state", sa.Text(), server_default="dead", nullable=False),
        sa.PrimaryKeyConstraint("stage", "topic", "partition", "log_offset", name=op.f("pk_dead")),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("starts", sa.Text()),
        sa.Column("ends", sa.Text()),
        sa.Column("follows", Json, nullable=False),
        sa.Column("definition", Json, nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_table(
        "fates",
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("fate", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("article_id", sa.Text()),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("log_offset", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("stage", "record", name=op.f("pk_fates")),
    )
    op.create_index("ix_fates_article_id", "fates", ["article_id"])

    op.create_table(
        "feeds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("outlet", sa.Text()),
        sa.Column("title", sa.Text()),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("added", Time, nullable=False),
        sa.Column("next_at", Time, nullable=False),
        sa.Column("interval_s", sa.Float(), nullable=False),
        sa.Column("etag", sa.Text()),
        sa.Column("last_modified", sa.Text()),
        sa.Column("body_hash", sa.Text()),
        sa.Column("last_at", Time),
        sa.Column("last_ok", Time),
        sa.Column("last_status", sa.Integer()),
        sa.Column("error", sa.Text()),
        sa.Column("errors_in_row", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_new", Time),
        sa.Column("items_per_day", sa.Float()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feeds")),
        sa.UniqueConstraint("url", name=op.f("uq_feeds_url")),
    )
    op.create_table(
        "identities",
        sa.Column("article_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("text_length", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sketch", sa.Text(), server_default="", nullable=False),
        sa.Column("appended", Time, nullable=False),
        sa.PrimaryKeyConstraint("article_id", name=op.f("pk_identities")),
    )
    op.create_table(
        "matches",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("article_id", sa.Text(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("matched", sa.Boolean(), nullable=False),
        sa.Column("reasons", Json, nullable=False),
        sa.Column("definition_version", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("decided_at", Time, nullable=False),
        sa.Column("history", sa.Boolean(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("log_offset", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_matches")),
    )
    op.create_index("ix_matches_article_id", "matches", ["article_id", "event_id"])
    op.create_index("ix_matches_event_id", "matches", ["event_id", "matched"])

    op.create_table(
        "outbox",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("told_at", Time, nullable=False),
        sa.Column("payload", Json, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", Time),
        sa.Column("last_error", sa.Text()),
        sa.Column("at", Time),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_alert_id", "outbox", ["alert_id", "channel", "sequence"])
    op.create_index("ix_outbox_state", "outbox", ["state", "next_at"])

    op.create_table(
        "polls",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("seen", sa.Integer(), server_default="0", nullable=False),
        sa.Column("stored", sa.Integer(), server_default="0", nullable=False),
        sa.Column("revised", sa.Integer(), server_default="0", nullable=False),
        sa.Column("duplicate", sa.Integer(), server_default="0", nullable=False),
        sa.Column("filtered", sa.Integer(), server_default="0", nullable=False),
        sa.Column("dead", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reasons", Json, nullable=False),
        sa.PrimaryKeyConstraint("source", "at", name=op.f("pk_polls")),
    )
    op.create_table(
        "positions",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("log_id", sa.Text(), nullable=False),
        sa.Column("next", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", name=op.f("pk_positions")),
    )
    op.create_table(
        "revisions",
        sa.Column("article_id", sa.Text(), nullable=False),
        sa.Column("revision_hash", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("fetched", Time, nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("log_offset", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("article_id", "revision_hash", name=op.f("pk_revisions")),
    )
    op.create_table(
        "stories",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("merged_into", sa.Text()),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("log_offset", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stories")),
    )
    op.create_table(
        "verdicts",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("article_id", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("other_event", sa.Text()),
        sa.Column("by", sa.Text()),
        sa.Column("at", Time, nullable=False),
        sa.PrimaryKeyConstraint("event_id", "article_id", name=op.f("pk_verdicts")),
    )
    op.create_table(
        "feed_items",
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("item_key", sa.Text(), nullable=False),
        sa.Column("article_id", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("first_seen", Time, nullable=False),
        sa.Column("last_seen", Time, nullable=False),
        sa.ForeignKeyConstraint(
            ["feed_id"], ["feeds.id"], name=op.f("fk_feed_items_feed_id_feeds")
        ),
        sa.PrimaryKeyConstraint("feed_id", "item_key", name=op.f("pk_feed_items")),
    )


def downgrade() -> None:
    op.drop_table("feed_items")
    op.drop_table("verdicts")
    op.drop_table("stories")
    op.drop_table("revisions")
    op.drop_table("positions")
    op.drop_table("polls")
    op.drop_index("ix_outbox_state", table_name="outbox")
    op.drop_index("ix_outbox_alert_id", table_name="outbox")

    op.drop_table("outbox")
    op.drop_index("ix_matches_event_id", table_name="matches")
    op.drop_index("ix_matches_article_id", table_name="matches")

    op.drop_table("matches")
    op.drop_table("identities")
    op.drop_table("feeds")
    op.drop_index("ix_fates_article_id", table_name="fates")

    op.drop_table("fates")
    op.drop_table("events")
    op.drop_table("dead")
    op.drop_index("ix_articles_story_id", table_name="articles")
    op.drop_index("ix_articles_event_time", table_name="articles")

    op.drop_table("articles")
    op.drop_index("ix_alerts_story_id", table_name="alerts")
    op.drop_index("ix_alerts_event_id", table_name="alerts")

    op.drop_table("alerts")
    op.drop_table("alert_articles")
    op.drop_table("acks")
