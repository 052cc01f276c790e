"""The tables of imports, replays and drift checks; they stand beside those of `libs.store.tables` in the same metadata."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from libs.store.tables import metadata

__all__ = ["metadata"]

klines = Table(
    "klines",
    metadata,
    Column("symbol", Text, nullable=False),
    Column("interval", Text, nullable=False),
    Column("open_time", DateTime(timezone=True), nullable=False),
    *(Column(name, Numeric, nullable=False) for name in ("open", "high", "low", "close", "volume")),
    Column("quote_volume", Numeric, nullable=True),
    Column("trade_count", BigInteger, nullable=True),
    Column("taker_buy_volume", Numeric, nullable=True),
    Column("taker_buy_quote_volume", Numeric, nullable=True),
    PrimaryKeyConstraint("symbol", "interval", "open_time"),
    comment="Bars of imported archives; NULL where the archive had no such column.",
)

funding_rates = Table(
    "funding_rates",
    metadata,
    Column("symbol", Text, nullable=False),
    Column("funding_time", DateTime(timezone=True), nullable=False),
    Column("funding_rate", Numeric, nullable=False),
    Column("interval_hours", Integer, nullable=True),
    PrimaryKeyConstraint("symbol", "funding_time"),
    comment="Settled funding rates of imported archives; what was seen live stands in market_indicators.",
)

data_imports = Table(
    "data_imports",
    metadata,
    Column("sha256", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("lines_done", BigInteger, nullable=False, server_default="0"),
    Column("last_id", BigInteger, nullable=False, server_default="-1"),
    Column("last_time_ms", BigInteger, nullable=False, server_default="-1"),
    Column("rows_added", BigInteger, nullable=False, server_default="0"),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("finished_at", DateTime(timezone=True), nullable=True),
    PrimaryKeyConstraint("sha256", "symbol", "kind"),
    comment="How far each imported file (by its content) has come; moved in the transaction of its rows.",
)

strategy_activations = Table(
    "strategy_activations",
    metadata,
    Column("generation", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("log_offset", BigInteger, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("definition", Text, nullable=False),
    Column("activated_by", Text, nullable=False),
    Column("watermarks", JSONB, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("generation", "partition", "log_offset"),
    comment="Configurations as they stand in each partition of the timeline; watermarks (ms by symbol): from where on. "
    "definition is the text itself, byte for byte.",
)

trade_bootstraps = Table(
    "trade_bootstraps",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("symbol", Text, nullable=False),
    Column("event_time", DateTime(timezone=True), nullable=False),
    Column("effective_at", DateTime(timezone=True), nullable=True),
    Column("price_decimals", Integer, nullable=False),
    Column("quantity_decimals", Integer, nullable=False),
    Column("producer", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("minute_bars", LargeBinary, nullable=False),
    Column("candle_bars", LargeBinary, nullable=False),
    Index("trade_bootstraps_place_idx", "symbol", "effective_at"),
    comment="Bars that warmed a symbol's windows, as they stand in the timeline.",
)

drift_checks = Table(
    "drift_checks",
    metadata,
    Column("day", Date, primary_key=True),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in ("rows_compared", "rows_differing", "evaluations")),
    Column("first_difference", JSONB, nullable=True),
    *(Column(name, DateTime(timezone=True), nullable=False) for name in ("began_at", "finished_at")),
    Column("alerted_at", DateTime(timezone=True), nullable=True),
    comment="Live signals of a UTC day against a replay of the same recorded data: agreed, differs or not_comparable (the "
    "reason says why). alerted_at: when ops.alert.v1 had the alert that the state deserves.",
)
