"""The tables as SQLAlchemy knows them; migrations build them, `alembic check` compares both.

Money and quantities are `numeric`, instants `timestamptz` (UTC). `effective_at` is the watermark at the record's place in the
timeline (ARCHITECTURE rule 3): NULL means that nothing was proven yet there.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={"pk": "%(table_name)s_pkey", "ix": "%(table_name)s_%(column_0_N_name)s_idx"},
)


def _instant(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _recorded_at() -> Column[object]:
    return Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.now())


def _money(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, Numeric, nullable=nullable)


def _brin(table: str, column: str) -> Index:
    # Without autosummarize, the newest pages would be scanned by every question until the next vacuum.
    return Index(f"{table}_{column}_brin", column, postgresql_using="brin", postgresql_with={"autosummarize": "on"})


INDICATOR_NUMBERS = (
    "open_interest",
    "open_interest_value",
    "long_short_ratio",
    "long_account",
    "short_account",
    "buy_sell_ratio",
    "buy_volume",
    "sell_volume",
    "premium_percent",
    "coinbase_price",
    "venue_price",
    "funding_rate",
    "mark_price",
)
"""The values of slow inputs that have a column of their own name."""
INDICATOR_INSTANTS = ("coinbase_time", "venue_time")
"""The times among them; the value is called like the column with _ms behind it."""

agg_trades = Table(
    "agg_trades",
    metadata,
    Column("symbol", Text, nullable=False),
    Column("agg_id", BigInteger, nullable=False),
    _instant("trade_time"),
    _money("price"),
    _money("quantity"),
    Column("first_trade_id", BigInteger, nullable=False),
    Column("last_trade_id", BigInteger, nullable=False),
    Column("buyer_is_maker", Boolean, nullable=False),
    _instant("effective_time", nullable=True),
    PrimaryKeyConstraint("symbol", "agg_id", "trade_time"),
    _brin("agg_trades", "trade_time"),
    postgresql_partition_by="RANGE (trade_time)",
    comment="Aggregate trades as seen; trade_time is the venue's T, effective_time only set for late rows.",
)

agg_trades_meta = Table(
    "agg_trades_meta",
    metadata,
    Column("symbol", Text, primary_key=True),
    Column("first_id", BigInteger, nullable=True),
    Column("last_id", BigInteger, nullable=True),
    Column("row_count", BigInteger, nullable=False),
    _instant("first_time", nullable=True),
    _instant("last_time", nullable=True),
    Column("missing_count", BigInteger, nullable=False),
    Column("late_count", BigInteger, nullable=False),
    Column("conflict_count", BigInteger, nullable=False),
    comment="What agg_trades holds of each symbol, kept in the same transaction as its rows; ids are NULL before the first row.",
)

agg_trades_conflicts = Table(
    "agg_trades_conflicts",
    metadata,
    Column("symbol", Text, nullable=False),
    Column("agg_id", BigInteger, nullable=False),
    _instant("trade_time"),
    _money("price"),
    _money("quantity"),
    Column("first_trade_id", BigInteger, nullable=False),
    Column("last_trade_id", BigInteger, nullable=False),
    Column("buyer_is_maker", Boolean, nullable=False),
    _recorded_at(),
    PrimaryKeyConstraint(
        "symbol", "agg_id", "trade_time", "price", "quantity", "first_trade_id", "last_trade_id", "buyer_is_maker"
    ),
    comment="Trades that came under a known id with other content: kept aside, never dropped.",
)

market_indicators = Table(
    "market_indicators",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("symbol", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("period", Text, nullable=True),
    _instant("event_time"),
    Column("values", JSONB, nullable=False),
    Column("source", Text, nullable=False),
    _instant("effective_at", nullable=True),
    _instant("available_at", nullable=True),
    Column("availability_assumed", Boolean, nullable=False, server_default="false"),
    *(_money(name, nullable=True) for name in INDICATOR_NUMBERS),
    *(_instant(name, nullable=True) for name in INDICATOR_INSTANTS),
    Column("raw", JSONB, nullable=True),
    Column("log_offset", BigInteger, nullable=True),
    Index(None, "symbol", "kind", "event_time"),
    Index(None, "symbol", "event_time", "event_id"),
    Index("market_indicators_place_idx", "symbol", "effective_at"),
    _brin("market_indicators", "event_time"),
    comment="Slow inputs, one row a fact; raw is what the venue sent. A backtest may use a row from available_at on; assumed: "
    "it was fetched as history, and available_at is its instant plus the delay of its schedule.",
)

liquidation_events = Table(
    "liquidation_events",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    _instant("trade_time"),
    _instant("event_time"),
    _money("quantity"),
    _money("average_price"),
    _money("order_price"),
    _money("last_filled_quantity"),
    Column("status", Text, nullable=False),
    _instant("effective_at", nullable=True),
    Index(None, "symbol", "side", "trade_time"),
    Index(None, "symbol", "trade_time", "event_id"),
    Index("liquidation_events_place_idx", "symbol", "effective_at"),
    _brin("liquidation_events", "trade_time"),
    comment="Forced orders as the venue samples them, at most the largest per symbol and second: a lower bound. Side SELL: a "
    "long was liquidated. Notional is quantity * average_price.",
)

liquidation_agg = Table(
    "liquidation_agg",
    metadata,
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("liquidated", Text, Computed("CASE side WHEN 'SELL' THEN 'long' ELSE 'short' END", persisted=True)),
    Column("window_ms", Integer, nullable=False),
    _instant("window_start"),
    Column("event_count", Integer, nullable=False),
    _money("quantity"),
    _money("notional"),
    _money("largest_notional"),
    PrimaryKeyConstraint("symbol", "side", "window_ms", "window_start"),
    comment="Liquidations by symbol, side and window of 1 minute, 5 minutes and 1 hour. All are lower bounds of what was "
    "liquidated: the venue tells at most the largest order per symbol and second. Recomputed from liquidation_events, so that "
    "order and repetition change nothing.",
)

rate_snapshots = Table(
    "rate_snapshots",
    metadata,
    Column("symbol", Text, nullable=False),
    _instant("event_time"),
    _money("mark_price"),
    _money("index_price"),
    _money("estimated_settle_price", nullable=True),
    _money("mark_price_average", nullable=True),
    _money("funding_rate", nullable=True),
    _instant("next_funding_time"),
    _instant("effective_at", nullable=True),
    _money("basis_percent", nullable=True),
    _money("lowest_mark_price", nullable=True),
    _money("highest_mark_price", nullable=True),
    PrimaryKeyConstraint("symbol", "event_time"),
    Index("rate_snapshots_place_idx", "symbol", "effective_at"),
    _brin("rate_snapshots", "event_time"),
    comment="Mark and index price, the first of each two seconds. basis_percent = (mark - index) / index * 100. Extremes: of "
    "every mark price told since the row before, this one's included; null in rows of before December 2026.",
)

signal_indicators = Table(
    "signal_indicators",
    metadata,
    Column("symbol", Text, nullable=False),
    _instant("event_time"),
    Column("event_id", Text, nullable=False),
    Column("interval_ms", Integer, nullable=False),
    _instant("effective_at", nullable=True),
    _money("price", nullable=True),
    _money("cvd_5m", nullable=True),
    _money("cvd_30m", nullable=True),
    _money("cvd_4h", nullable=True),
    _money("vwap_5m", nullable=True),
    _money("vwap_30m", nullable=True),
    _money("vwap_4h", nullable=True),
    Column("coverage_5m", Double, nullable=True),
    Column("coverage_30m", Double, nullable=True),
    Column("coverage_4h", Double, nullable=True),
    _money("large_p95", nullable=True),
    _money("large_p99", nullable=True),
    Column("size_coverage", Double, nullable=False),
    _money("atr", nullable=True),
    Column("atr_percentile", Double, nullable=True),
    Column("last_agg_id", BigInteger, nullable=False),
    Column("trades_late", BigInteger, nullable=False),
    Column("trades_missing", BigInteger, nullable=False),
    Column("content", JSONB, nullable=False),
    PrimaryKeyConstraint("symbol", "event_time"),
    _brin("signal_indicators", "event_time"),
)

signal_logs = Table(
    "signal_logs",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("strategy", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("symbol", Text, nullable=False),
    _instant("event_time"),
    Column("score", Double, nullable=False),
    Column("threshold", Double, nullable=False),
    Column("direction", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=True),
    Column("sentence", Text, nullable=False),
    _money("price"),
    _money("atr", nullable=True),
    _money("take_profit_1", nullable=True),
    _money("take_profit_2", nullable=True),
    _money("stop_loss", nullable=True),
    _instant("hold_until", nullable=True),
    Column("content", JSONB, nullable=False),
    Index(None, "event_time", "event_id"),
    Index(None, "symbol", "event_time", "event_id"),
    Index(None, "strategy", "event_time", "event_id"),
    Index(None, "strategy", "symbol", "event_time", "event_id"),
)

signal_conflicts = Table(
    "signal_conflicts",
    metadata,
    Column("table_name", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("content_md5", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    _instant("event_time"),
    Column("content", JSONB, nullable=False),
    Column("log_place", Text, nullable=False),
    _recorded_at(),
    PrimaryKeyConstraint("table_name", "event_id", "content_md5"),
    comment="Feature rows and signals that came under a known id with other content, once each: kept aside, never dropped.",
)

market_data_gaps = Table(
    "market_data_gaps",
    metadata,
    Column("symbol", Text, nullable=False),
    Column("first_missing_id", BigInteger, nullable=False),
    Column("last_missing_id", BigInteger, nullable=False),
    _instant("from_time"),
    _instant("to_time"),
    Column("cause", Text, nullable=False),
    Column("outcome", Text, nullable=False, server_default="lost"),
    _instant("found_at", nullable=True),
    _instant("closed_at", nullable=True),
    Column("unfilled_count", BigInteger, nullable=True),
    Column("in_band", Boolean, nullable=False, server_default="true"),
    _recorded_at(),
    _instant("effective_at", nullable=True),
    PrimaryKeyConstraint("symbol", "first_missing_id", "last_missing_id"),
    comment="Aggregate ids that the stream did not bring, and how that ended: open, filled, never_existed or lost. in_band: "
    "published as a hole at effective_at; a later fill repairs the tables, never the timeline. found_at, closed_at: venue time.",
)

feed_status = Table(
    "feed_status",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("feed", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("detail", Text, nullable=False),
    _instant("event_time"),
    _instant("last_event_time", nullable=True),
    _instant("effective_at", nullable=True),
    _instant("told_at", nullable=True),
    Index("feed_status_place_idx", "symbol", "effective_at"),
    Index(None, "symbol", "feed", "event_time"),
    comment="Changes of state since event_time, first told at told_at; the figures of now stand in feed_health.",
)

feed_health = Table(
    "feed_health",
    metadata,
    Column("feed", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("state", Text, nullable=False),
    _instant("since", nullable=True),
    Column("detail", Text, nullable=False),
    _instant("event_time"),
    _instant("last_event_time", nullable=True),
    Column("events_per_second", Double, nullable=True),
    Column("delay_ms", Double, nullable=True),
    Column("clock_offset_ms", Double, nullable=True),
    Column("gaps_open", BigInteger, nullable=False),
    Column("gaps_filled", BigInteger, nullable=False),
    Column("completeness_1h_ppm", Integer, nullable=True),
    Column("completeness_24h_ppm", Integer, nullable=True),
    PrimaryKeyConstraint("feed", "symbol"),
    comment="The last report of each feed and symbol; times are the venue's, completeness in parts per million of aggregate ids.",
)

consumer_offsets = Table(
    "consumer_offsets",
    metadata,
    Column("consumer_group", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("generation", Text, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("consumer_group", "topic", "partition", "generation"),
    comment="Where each consumer goes on, per log generation (cluster id and topic id); moved in the rows' transaction.",
)

engine_snapshots = Table(
    "engine_snapshots",
    metadata,
    Column("service", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("generation", Text, nullable=False),
    Column("code_version", Text, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("saved_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("service", "partition"),
)

market_source = Table(
    "market_source",
    metadata,
    Column("only_row", Boolean, primary_key=True),
    Column("identity", Text, nullable=False),
    Column("description", Text, nullable=False),
    _recorded_at(),
    comment="Which market (live, synthetic seed, recording and start) this database belongs to; another one is refused.",
)
