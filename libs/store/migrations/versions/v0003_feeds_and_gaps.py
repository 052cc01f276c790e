"""How each gap ended, and the last figures of each feed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_GAPS = (
    "Aggregate ids that the stream did not bring, and how that ended: open, filled, never_existed or lost. in_band: "
    "published as a hole; a later fill repairs the tables, never the timeline. found_at, closed_at: venue time."
)
_FORMER_GAPS = "Aggregate ids that were published as a hole; a later fill repairs the tables, never the timeline."


def upgrade() -> None:
    """What is in the table already was published as a hole; whether the ids ever existed, only REST could have said."""
    op.add_column("market_data_gaps", sa.Column("outcome", sa.Text(), server_default="lost", nullable=False))
    op.add_column("market_data_gaps", sa.Column("found_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("market_data_gaps", sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("market_data_gaps", sa.Column("unfilled_count", sa.BigInteger(), nullable=True))
    op.add_column("market_data_gaps", sa.Column("in_band", sa.Boolean(), server_default="true", nullable=False))
    op.execute("UPDATE market_data_gaps SET outcome = 'never_existed' WHERE cause = 'not_at_venue'")
    op.create_table_comment("market_data_gaps", _GAPS, existing_comment=_FORMER_GAPS)
    op.create_table_comment("feed_status", "Changes of state; the figures of now stand in feed_health.")
    op.create_table(
        "feed_health",
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_event_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("events_per_second", sa.Double(), nullable=True),
        sa.Column("delay_ms", sa.Double(), nullable=True),
        sa.Column("clock_offset_ms", sa.Double(), nullable=True),
        sa.Column("gaps_open", sa.BigInteger(), nullable=False),
        sa.Column("gaps_filled", sa.BigInteger(), nullable=False),
        sa.Column("completeness_1h_ppm", sa.Integer(), nullable=True),
        sa.Column("completeness_24h_ppm", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("feed", "symbol", name=op.f("feed_health_pkey")),
        comment="The last report of each feed and symbol; times are the venue's, completeness in parts per million of aggregate ids.",
    )


def downgrade() -> None:
    """Forget how gaps ended; the rows stay."""
    op.drop_table("feed_health")
    op.drop_table_comment("feed_status", existing_comment="Changes of state; the figures of now stand in feed_health.")
    op.create_table_comment("market_data_gaps", _FORMER_GAPS, existing_comment=_GAPS)
    for name in ("in_band", "unfilled_count", "closed_at", "found_at", "outcome"):
        op.drop_column("market_data_gaps", name)
