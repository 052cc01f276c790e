"""The tables of paper trading; they stand beside those of `libs.store.history_tables` in the same metadata."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
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

from libs.store.history_tables import metadata

__all__ = ["metadata", "paper_accounts", "paper_equity", "paper_state", "paper_trades"]


def _instants(*names: str, nullable: bool = True) -> list[Column[object]]:
    return [Column(name, DateTime(timezone=True), nullable=nullable) for name in names]


def _money(*names: str, nullable: bool = True) -> list[Column[object]]:
    return [Column(name, Numeric, nullable=nullable) for name in names]


paper_trades = Table(
    "paper_trades",
    metadata,
    *(Column(name, Text, nullable=False) for name in ("trade_id", "signal_id", "strategy")),
    Column("version", Integer, nullable=True),
    Column("symbol", Text, nullable=False),
    Column("direction", Text, nullable=True),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=True),
    Column("score", Double, nullable=True),
    *_instants("signal_time"),
    *_money("signal_price"),
    *_instants("order_time", "entry_time", "exit_time", "hold_until"),
    *_money("entry_price", "exit_price", "quantity", "quantity_left"),
    *_money("stop_loss", "stop_now", "take_profit_1", "take_profit_2"),
    *_money("risk", "gross", "fees", "slippage", "signal_slippage", "funding", "net"),
    *(Column(name, Double, nullable=True) for name in ("net_r", "adverse_r", "favourable_r")),
    *_money("price", "unrealised"),
    Column("fills", JSONB, nullable=False),
    Column("history", JSONB, nullable=False),
    *_instants("market_time", nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("trade_id"),
    Index(None, "strategy", "exit_time"),
    Index(None, "state", "signal_time"),
    Index(None, "signal_id"),
    Index(None, "exit_time"),
    Index(None, "recorded_at", "trade_id"),
    Index(None, "strategy", "recorded_at", "trade_id"),
    comment="What became of each emitted signal on paper: ordered, open, closed or not_taken. Quote units; R is `risk`, fixed at "
    "entry; net = gross - fees - slippage - funding; signal_slippage is the entry against the signal's price.",
)

paper_accounts = Table(
    "paper_accounts",
    metadata,
    Column("strategy", Text, nullable=False),
    *_money("starting_balance", "risk_per_trade", "balance", "unrealised", nullable=False),
    Column("open_positions", Integer, nullable=False),
    Column("day", Date, nullable=False),
    *_money("day_realised", nullable=False),
    Column("day_over", Boolean, nullable=False),
    Column("level", Text, nullable=False),
    *_instants("break_until"),
    *_instants("market_time", nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("strategy"),
    comment="The paper account of each strategy as of market_time, in quote units; day is the UTC day of day_realised.",
)

paper_equity = Table(
    "paper_equity",
    metadata,
    Column("strategy", Text, nullable=False),
    *_instants("event_time", nullable=False),
    Column("equity", Double, nullable=False),
    Column("open_positions", Integer, nullable=False),
    Column("exposure", Double, nullable=False),
    PrimaryKeyConstraint("strategy", "event_time"),
    comment="A point a minute: balance and unrealised, and the notional that was held, in quote units.",
)

paper_state = Table(
    "paper_state",
    metadata,
    Column("only_row", Boolean, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("generation", Text, nullable=False),
    *_instants("market_time", nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("saved_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("only_row"),
    comment="All accounts and the offsets up to which they have read, moved by compare-and-set of the number with their rows.",
)
