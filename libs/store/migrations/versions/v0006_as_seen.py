"""What a replay from tables needs to be as exact as one from the log: where holes, states, bars and configurations stood."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_PLACED = ("market_indicators", "rate_snapshots", "liquidation_events", "feed_status", "trade_bootstraps")
_GAPS = (
    "Aggregate ids that the stream did not bring, and how that ended: open, filled, never_existed or lost. in_band: "
    "published as a hole{at}; a later fill repairs the tables, never the timeline. found_at, closed_at: venue time."
)
_STATES = "Changes of state; the figures of now stand in feed_health."
_TOLD = "Changes of state since event_time, first told at told_at; the figures of now stand in feed_health."


def upgrade() -> None:
    """Two columns, two tables. Rows from before say nothing of their place: a replay as seen cannot use them."""
    op.add_column("market_data_gaps", sa.Column("effective_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table_comment("market_data_gaps", _GAPS.format(at=" at effective_at"))
    op.add_column("market_indicators", sa.Column("log_offset", sa.BigInteger(), nullable=True))
    op.add_column("feed_status", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table_comment("feed_status", _TOLD)
    op.create_table(
        "strategy_activations",
        sa.Column("generation", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("log_offset", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("event_id", "strategy")),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("definition", "activated_by")),
        sa.Column("watermarks", postgresql.JSONB(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("generation", "partition", "log_offset", name=op.f("strategy_activations_pkey")),
        comment="Configurations as they stand in each partition of the timeline; watermarks (ms by symbol): from where "
        "on. definition is the text itself, byte for byte.",
    )
    op.create_table(
        "trade_bootstraps",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("price_decimals", sa.Integer(), nullable=False),
        sa.Column("quantity_decimals", sa.Integer(), nullable=False),
        sa.Column("producer", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("minute_bars", sa.LargeBinary(), nullable=False),
        sa.Column("candle_bars", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("trade_bootstraps_pkey")),
        comment="Bars that warmed a symbol's windows, as they stand in the timeline.",
    )
    for table in _PLACED:
        op.create_index(f"{table}_place_idx", table, ["symbol", "effective_at"])


def downgrade() -> None:
    """What was recorded stays; where it stood is forgotten."""
    for table in ("trade_bootstraps", "strategy_activations"):
        op.drop_table(table)
    for table in _PLACED[:-1]:
        op.drop_index(f"{table}_place_idx", table)
    op.drop_column("market_indicators", "log_offset")
    op.create_table_comment("feed_status", _STATES)
    op.drop_column("feed_status", "told_at")
    op.create_table_comment("market_data_gaps", _GAPS.format(at=""))
    op.drop_column("market_data_gaps", "effective_at")
