"""The table of bars that are kept beside the aggregate trades; it stands in the same metadata as they do."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, Numeric, PrimaryKeyConstraint, Table, Text

from libs.store.people_tables import metadata

__all__ = ["metadata", "trade_bars"]

trade_bars = Table(
    "trade_bars",
    metadata,
    Column("symbol", Text, nullable=False),
    Column("window_ms", Integer, nullable=False),
    Column("open_time", DateTime(timezone=True), nullable=False),
    Column("first_id", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False),
    *(Column(name, Numeric, nullable=False) for name in ("open", "high", "low", "close")),
    *(Column(name, Numeric, nullable=False) for name in ("volume", "quote_volume", "buy_volume")),
    Column("agg_trades", BigInteger, nullable=False),
    Column("trades", BigInteger, nullable=False),
    PrimaryKeyConstraint("symbol", "window_ms", "open_time"),
    comment="Aggregate trades of each minute and hour (window_ms) by the venue's T, kept in the transaction of their rows: what "
    "agg_trades holds adds up to it. open and close are those of first_id and last_id; buy_volume: of takers that bought.",
)
