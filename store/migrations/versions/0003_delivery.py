"""delivery: which topics a stage read, and how its processes are"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("positions") as positions:
        positions.add_column(sa.Column("told", BigInt))
    op.create_index("ix_alert_articles_article_id", "alert_articles", ["article_id"])
    op.create_index("ix_stories_merged_into", "stories", ["merged_into"])
    op.create_table(
        "schema_reach",
        sa.Column("oldest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("oldest", name="pk_schema_reach"),
    )
    op.create_table(
        "stage_topics",
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("log_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("stage", "topic", name="pk_stage_topics"),
    )
    op.create_table(
        "pulses",
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("started", Time, nullable=False),
        sa.Column("seen", Time, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owns", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("error_at", Time),
        sa.Column("snapshot", Time),
        sa.PrimaryKeyConstraint("stage", "process", name="pk_pulses"),
    )
