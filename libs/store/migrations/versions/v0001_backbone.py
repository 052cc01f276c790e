"""The tables of the backbone: trades, market facts, signals and the positions of their readers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    "agg_trades",
    "agg_trades_meta",
    "agg_trades_conflicts",
    "market_data_gaps",
    "market_indicators",
    "liquidation_events",
    "liquidation_agg",
    "rate_snapshots",
    "feed_status",
    "signal_indicators",
    "signal_logs",
    "consumer_offsets",
    "engine_snapshots",
    "market_source",
)


def upgrade() -> None:
    """Make every table; partitions of agg_trades are made when they are needed."""
    _create_trades()
    _create_market()
    _create_signals()
    _create_processing()


def downgrade() -> None:
    """Remove every table with its rows, indexes and partitions."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _create_trades() -> None:
    """Aggregate trades, what is known about them, and their holes."""
    op.create_table(
        "agg_trades",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("agg_id", sa.BigInteger(), nullable=False),
        sa.Column("trade_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("price", sa.Numeric(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("first_trade_id", sa.BigInteger(), nullable=False),
        sa.Column("last_trade_id", sa.BigInteger(), nullable=False),
        sa.Column("buyer_is_maker", sa.Boolean(), nullable=False),
        sa.Column("effective_time", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("symbol", "agg_id", "trade_time", name=op.f("agg_trades_pkey")),
        comment="Aggregate trades as seen; trade_time is the venue's T, effective_time only set for late rows.",
        postgresql_partition_by="RANGE (trade_time)",
    )
    op.create_index(
        "agg_trades_trade_time_brin",
        "agg_trades",
        ["trade_time"],
        unique=False,
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on"},
    )
    op.create_table(
        "agg_trades_conflicts",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("agg_id", sa.BigInteger(), nullable=False),
        sa.Column("trade_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("price", sa.Numeric(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("first_trade_id", sa.BigInteger(), nullable=False),
        sa.Column("last_trade_id", sa.BigInteger(), nullable=False),
        sa.Column("buyer_is_maker", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint(
            "symbol",
            "agg_id",
            "trade_time",
            "price",
            "quantity",
            "first_trade_id",
            "last_trade_id",
            "buyer_is_maker",
            name=op.f("agg_trades_conflicts_pkey"),
        ),
        comment="Trades that came under a known id with other content: kept aside, never dropped.",
    )
    op.create_table(
        "agg_trades_meta",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=True),
        sa.Column("last_id", sa.BigInteger(), nullable=True),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("first_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("missing_count", sa.BigInteger(), nullable=False),
        sa.Column("late_count", sa.BigInteger(), nullable=False),
        sa.Column("conflict_count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("symbol", name=op.f("agg_trades_meta_pkey")),
        comment="What agg_trades holds of each symbol, kept in the same transaction as its rows; ids are NULL before the first row.",
    )
    op.create_table(
        "market_data_gaps",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("first_missing_id", sa.BigInteger(), nullable=False),
        sa.Column("last_missing_id", sa.BigInteger(), nullable=False),
        sa.Column("from_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("to_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("symbol", "first_missing_id", "last_missing_id", name=op.f("market_data_gaps_pkey")),
        comment="Aggregate ids that were published as a hole; a later fill repairs the tables, never the timeline.",
    )


def _create_market() -> None:
    """Slow inputs, liquidations, rates and the health of feeds."""
    op.create_table(
        "feed_status",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_event_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("event_id", name=op.f("feed_status_pkey")),
    )
    op.create_index(
        op.f("feed_status_symbol_feed_event_time_idx"), "feed_status", ["symbol", "feed", "event_time"], unique=False
    )
    op.create_table(
        "liquidation_agg",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_count", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("notional", sa.Numeric(), nullable=False),
        sa.Column("largest_notional", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("symbol", "side", "window_start", name=op.f("liquidation_agg_pkey")),
        comment="Liquidations by minute, symbol and side; recomputed from liquidation_events, so a replay changes nothing.",
    )
    op.create_table(
        "liquidation_events",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("trade_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("average_price", sa.Numeric(), nullable=False),
        sa.Column("order_price", sa.Numeric(), nullable=False),
        sa.Column("last_filled_quantity", sa.Numeric(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("event_id", name=op.f("liquidation_events_pkey")),
    )
    op.create_index(
        op.f("liquidation_events_symbol_side_trade_time_idx"),
        "liquidation_events",
        ["symbol", "side", "trade_time"],
        unique=False,
    )
    op.create_index(
        "liquidation_events_trade_time_brin",
        "liquidation_events",
        ["trade_time"],
        unique=False,
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on"},
    )
    op.create_table(
        "market_indicators",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=True),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("values", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("event_id", name=op.f("market_indicators_pkey")),
    )
    op.create_index(
        "market_indicators_event_time_brin",
        "market_indicators",
        ["event_time"],
        unique=False,
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on"},
    )
    op.create_index(
        op.f("market_indicators_symbol_kind_event_time_idx"),
        "market_indicators",
        ["symbol", "kind", "event_time"],
        unique=False,
    )
    op.create_table(
        "rate_snapshots",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("mark_price", sa.Numeric(), nullable=False),
        sa.Column("index_price", sa.Numeric(), nullable=False),
        sa.Column("estimated_settle_price", sa.Numeric(), nullable=True),
        sa.Column("mark_price_average", sa.Numeric(), nullable=True),
        sa.Column("funding_rate", sa.Numeric(), nullable=True),
        sa.Column("next_funding_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("symbol", "event_time", name=op.f("rate_snapshots_pkey")),
    )
    op.create_index(
        "rate_snapshots_event_time_brin",
        "rate_snapshots",
        ["event_time"],
        unique=False,
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on"},
    )


def _create_signals() -> None:
    """Features and scored signals."""
    op.create_table(
        "signal_indicators",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("interval_ms", sa.Integer(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("price", sa.Numeric(), nullable=True),
        sa.Column("cvd_5m", sa.Numeric(), nullable=True),
        sa.Column("cvd_30m", sa.Numeric(), nullable=True),
        sa.Column("cvd_4h", sa.Numeric(), nullable=True),
        sa.Column("vwap_5m", sa.Numeric(), nullable=True),
        sa.Column("vwap_30m", sa.Numeric(), nullable=True),
        sa.Column("vwap_4h", sa.Numeric(), nullable=True),
        sa.Column("coverage_5m", sa.Double(), nullable=True),
        sa.Column("coverage_30m", sa.Double(), nullable=True),
        sa.Column("coverage_4h", sa.Double(), nullable=True),
        sa.Column("large_p95", sa.Numeric(), nullable=True),
        sa.Column("large_p99", sa.Numeric(), nullable=True),
        sa.Column("size_coverage", sa.Double(), nullable=False),
        sa.Column("atr", sa.Numeric(), nullable=True),
        sa.Column("atr_percentile", sa.Double(), nullable=True),
        sa.Column("last_agg_id", sa.BigInteger(), nullable=False),
        sa.Column("trades_late", sa.BigInteger(), nullable=False),
        sa.Column("trades_missing", sa.BigInteger(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("symbol", "event_time", name=op.f("signal_indicators_pkey")),
    )
    op.create_index(
        "signal_indicators_event_time_brin",
        "signal_indicators",
        ["event_time"],
        unique=False,
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on"},
    )
    op.create_table(
        "signal_logs",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("price", sa.Numeric(), nullable=False),
        sa.Column("atr", sa.Numeric(), nullable=True),
        sa.Column("take_profit_1", sa.Numeric(), nullable=True),
        sa.Column("take_profit_2", sa.Numeric(), nullable=True),
        sa.Column("stop_loss", sa.Numeric(), nullable=True),
        sa.Column("hold_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("signal_logs_pkey")),
    )
    op.create_index(
        op.f("signal_logs_event_time_event_id_idx"), "signal_logs", ["event_time", "event_id"], unique=False
    )
    op.create_index(
        op.f("signal_logs_strategy_event_time_event_id_idx"),
        "signal_logs",
        ["strategy", "event_time", "event_id"],
        unique=False,
    )
    op.create_index(
        op.f("signal_logs_symbol_event_time_event_id_idx"),
        "signal_logs",
        ["symbol", "event_time", "event_id"],
        unique=False,
    )


def _create_processing() -> None:
    """Positions, snapshots and the identity of the market."""
    op.create_table(
        "consumer_offsets",
        sa.Column("consumer_group", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Text(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint(
            "consumer_group", "topic", "partition", "generation", name=op.f("consumer_offsets_pkey")
        ),
        comment="Where each consumer goes on, per log generation (cluster id and topic id); moved in the rows' transaction.",
    )
    op.create_table(
        "engine_snapshots",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Text(), nullable=False),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("service", "partition", name=op.f("engine_snapshots_pkey")),
    )
    op.create_table(
        "market_source",
        sa.Column("only_row", sa.Boolean(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("only_row", name=op.f("market_source_pkey")),
        comment="Which market (live, synthetic seed, recording and start) this database belongs to; another one is refused.",
    )
