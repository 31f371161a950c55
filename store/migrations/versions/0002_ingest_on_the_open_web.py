"""ingest on the open web: moves, hints, leases by host"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("feeds") as feeds:
        feeds.add_column(sa.Column("folder", sa.Text()))
        feeds.add_column(sa.Column("moved_to", sa.Text()))
        feeds.add_column(sa.Column("moved_since", Time))
        feeds.add_column(sa.Column("hints", Json))
        feeds.add_column(sa.Column("shown", sa.Integer()))
        feeds.add_column(sa.Column("flaw", sa.Text()))
        feeds.add_column(sa.Column("outcome", sa.Text()))
        feeds.add_column(sa.Column("longest_pause", sa.Float()))
        feeds.add_column(sa.Column("twin", sa.Text()))
        feeds.add_column(sa.Column("twin_share", sa.Float()))
        feeds.add_column(sa.Column("health", sa.Text(), nullable=False, server_default="new"))
        feeds.add_column(sa.Column("health_since", Time))
        feeds.add_column(sa.Column("why", sa.Text()))
        feeds.add_column(sa.Column("full_text", sa.Boolean()))
        # Pollers fill it in for the feeds that are there: the rule is theirs.
        feeds.add_column(sa.Column("host", sa.Text(), nullable=False, server_default=""))
        feeds.create_index("ix_feeds_state", ["state", "next_at"])
        feeds.create_index("ix_feeds_host", ["host"])
    op.create_table(
        "pollers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("started", Time, nullable=False),
        sa.Column("seen", Time, nullable=False),
        sa.Column("until", Time, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_pollers"),
    )
    op.create_table(
        "hosts",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text()),
        sa.Column("free_at", Time),
        sa.PrimaryKeyConstraint("host", name="pk_hosts"),
    )
    op.create_index("ix_hosts_owner", "hosts", ["owner"])
    with op.batch_alter_table("identities") as identities:
        identities.add_column(sa.Column("wordings", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("revisions") as revisions:
        revisions.add_column(sa.Column("diff", Json))
    with op.batch_alter_table("articles") as articles:
        articles.add_column(sa.Column("considered", Json))
    with op.batch_alter_table("stories") as stories:
        stories.add_column(sa.Column("continues", sa.Text()))
        stories.create_index("ix_stories_continues", ["continues"])
    op.create_index("ix_feed_items_article_id", "feed_items", ["article_id"])
    # Feeds that were given up are asked again: now they only wait longer.
    op.execute("UPDATE feeds SET state = 'active' WHERE state = 'gone'")
    with op.batch_alter_table("polls") as polls:
        polls.add_column(sa.Column("outcome", sa.Text(), nullable=False, server_default="ok"))
    # What earlier releases wrote down of failures was the status alone.
    op.execute("UPDATE polls SET outcome = 'unchanged' WHERE status = 304")
    op.execute(
        "UPDATE polls SET outcome = 'status' WHERE source NOT LIKE 'archive:%' AND seen = 0"
        " AND (status IS NULL OR status NOT IN (200, 304))"
    )
    op.create_table(
        "polls_daily",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("polls", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("stored", sa.Integer(), nullable=False),
        sa.Column("revised", sa.Integer(), nullable=False),
        sa.Column("duplicate", sa.Integer(), nullable=False),
        sa.Column("filtered", sa.Integer(), nullable=False),
        sa.Column("dead", sa.Integer(), nullable=False),
        sa.Column("reasons", Json, nullable=False),
        sa.PrimaryKeyConstraint("source", "day", name="pk_polls_daily"),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("since", Time, nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("told_as", sa.Text(), nullable=False),
        sa.Column("told_at", Time, nullable=False),
        sa.Column("resolved_at", Time),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
    )
    op.create_index("ix_notices_resolved_at", "notices", ["resolved_at"])
    op.create_index("ix_notices_told_as", "notices", ["told_as"])
