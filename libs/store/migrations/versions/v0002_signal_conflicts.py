"""A table for feature rows and signals that came under a known id with other content."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; what was dropped before it existed is gone."""
    op.create_table(
        "signal_conflicts",
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("content_md5", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("log_place", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "event_id", "content_md5", name=op.f("signal_conflicts_pkey")),
        comment="Feature rows and signals that came under a known id with other content, once each: kept aside, never dropped.",
    )


def downgrade() -> None:
    """Remove the table with what was kept aside; the tables of facts are untouched."""
    op.drop_table("signal_conflicts")
