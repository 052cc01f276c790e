"""The tables of live trading; they stand beside those of paper trading in the same metadata."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from libs.store.paper_tables import metadata

__all__ = [
    "account_statement",
    "account_statement_read",
    "live_commands",
    "live_config",
    "live_events",
    "live_fills",
    "live_lease",
    "live_offsets",
    "live_orders",
    "live_trades",
    "metadata",
    "profit_corrections",
]


def _texts(*names: str, nullable: bool = False) -> list[Column[object]]:
    return [Column(name, Text, nullable=nullable) for name in names]


def _instants(*names: str, nullable: bool = True) -> list[Column[object]]:
    return [Column(name, DateTime(timezone=True), nullable=nullable) for name in names]


def _money(*names: str, nullable: bool = True) -> list[Column[object]]:
    return [Column(name, Numeric, nullable=nullable) for name in names]


def _now(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


live_lease = Table(
    "live_lease",
    metadata,
    *_texts("account", "owner"),
    Column("epoch", BigInteger, nullable=False),
    *_instants("expires_at", nullable=False),
    PrimaryKeyConstraint("account"),
    comment="Who may trade an account, by this server's clock: each page of the executor proves its epoch here.",
)

live_trades = Table(
    "live_trades",
    metadata,
    *_texts("account", "trade_id"),
    *_texts("signal_id", nullable=True),
    *_texts("strategy"),
    Column("version", Integer, nullable=False),
    *_texts("symbol", "direction", "origin", "state"),
    *_texts("reason", "exit_reason", nullable=True),
    *_instants("signal_time", "readable_time", "decided_time", "sent_time", "answered_time", "entry_time"),
    *_instants("stop_sent_time", "protected_time", "targets_time", "exit_time", "hold_until"),
    *_money("signal_price", "entry_price", "exit_price", "stop", "take_profit_1", "take_profit_2"),
    *_money("quantity", "quantity_left", nullable=False),
    *_money("gross", "fees", "funding", "pnl_quote", nullable=False),
    Column("fees_unvalued", Integer, nullable=False),
    *_money("slippage_bps", "pnl_r", "risk", "initial_risk"),
    Column("document", JSONB, nullable=False),
    _now("recorded_at"),
    _now("updated_at"),
    PrimaryKeyConstraint("account", "trade_id"),
    Index(
        "live_trades_open_idx",
        "account",
        postgresql_where=text("state <> ALL (ARRAY['closed', 'refused', 'not_entered'])"),
    ),
    Index(None, "signal_id"),
    Index(None, "account", "exit_time"),
    Index(None, "account", "recorded_at"),
    comment="What became of each signal on an account; document is the whole trade. Quote units; R is initial_risk, fixed at the "
    "entry; pnl_quote = gross - fees - funding paid; fees_unvalued counts fills whose fee in another asset has no value yet; "
    "slippage_bps is the entry against the signal's price, above 0 is worse.",
)

live_orders = Table(
    "live_orders",
    metadata,
    *_texts("account", "client_order_id", "trade_id", "symbol", "leg"),
    Column("generation", Integer, nullable=False),
    *_texts("side", "status"),
    *_money("quantity", "price", "trigger_price"),
    *_money("executed", nullable=False),
    Column("reduce_only", Boolean, nullable=False),
    Column("venue_id", BigInteger, nullable=True),
    Column("order_id", BigInteger, nullable=True),
    *_texts("reason", nullable=True),
    *_instants("intended_at", "valid_until", "changed_at"),
    _now("updated_at"),
    PrimaryKeyConstraint("account", "client_order_id"),
    Index(None, "account", "trade_id"),
    Index(None, "account", "intended_at", "client_order_id"),
    comment="Every order of ours from its intent on, by the id under which the venue knows it; quantity NULL: it closes all.",
)

live_fills = Table(
    "live_fills",
    metadata,
    *_texts("account", "symbol"),
    Column("venue_trade_id", BigInteger, nullable=False),
    *_texts("trade_id"),
    Column("order_id", BigInteger, nullable=False),
    *_texts("client_order_id", "filled_by"),
    *_texts("leg", nullable=True),
    *_texts("side"),
    *_money("price", "quantity", "fee", nullable=False),
    *_texts("fee_asset"),
    *_money("fee_quote"),
    *_money("realised", nullable=False),
    Column("is_maker", Boolean, nullable=False),
    *_instants("fill_time", nullable=False),
    _now("recorded_at"),
    PrimaryKeyConstraint("account", "symbol", "venue_trade_id"),
    Index(None, "account", "trade_id"),
    Index(None, "account", "fill_time"),
    comment="Every fill that belongs to a trade, whoever sent its order; fee_quote: the fee's value at the fill, in quote units; "
    "realised as the venue counts it, without the fee.",
)

live_events = Table(
    "live_events",
    metadata,
    *_texts("account", "event_id"),
    *_texts("trade_id", nullable=True),
    *_texts("kind"),
    *_instants("event_time", nullable=False),
    Column("detail", JSONB, nullable=False),
    _now("recorded_at"),
    PrimaryKeyConstraint("account", "event_id"),
    Index(None, "account", "event_time"),
    Index(None, "account", "trade_id"),
    comment="What happened to a trade or to the account, in the order of event_time; only ever added to.",
)

live_commands = Table(
    "live_commands",
    metadata,
    *_texts("account", "nonce", "command_id", "issuer", "command"),
    Column("arguments", JSONB, nullable=False),
    *_texts("reason"),
    Column("accepted", Boolean, nullable=False),
    *_texts("result"),
    *_instants("obeyed_at", "expires_at", nullable=False),
    _now("recorded_at"),
    PrimaryKeyConstraint("account", "nonce"),
    Index(None, "account", "obeyed_at"),
    comment="Every command that the executor has read, whatever became of it; no nonce is taken twice.",
)

live_config = Table(
    "live_config",
    metadata,
    *_texts("account"),
    Column("version", Integer, nullable=False),
    Column("document", JSONB, nullable=False),
    *_texts("changed_by", "reason"),
    *_texts("command_id", nullable=True),
    _now("changed_at"),
    PrimaryKeyConstraint("account", "version"),
    comment="What may trade on an account, every version of it, and who changed it why; the highest version counts.",
)

live_offsets = Table(
    "live_offsets",
    metadata,
    *_texts("account", "topic"),
    Column("partition", Integer, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    _now("updated_at"),
    PrimaryKeyConstraint("account", "topic", "partition"),
    comment="Where the executor of an account goes on to read; moved with the page that the records led to.",
)

account_statement = Table(
    "account_statement",
    metadata,
    *_texts("account", "kind"),
    Column("transaction_id", BigInteger, nullable=False),
    *_texts("asset", "symbol"),
    *_money("amount", nullable=False),
    *_instants("entry_time", nullable=False),
    *_texts("venue_trade_id", "info"),
    _now("recorded_at"),
    PrimaryKeyConstraint("account", "kind", "transaction_id", "asset", "symbol"),
    Index(None, "account", "entry_time"),
    comment="Lines of the venue's income statement, in units of their asset: what profit is reconciled with.",
)

account_statement_read = Table(
    "account_statement_read",
    metadata,
    *_texts("account"),
    *_instants("read_from", "read_until", nullable=False),
    _now("updated_at"),
    PrimaryKeyConstraint("account"),
    comment="The span for which account_statement holds every line that the venue gave, without a hole.",
)

profit_corrections = Table(
    "profit_corrections",
    metadata,
    *_texts("correction_id", "books", "account", "trade_id", "field"),
    *_texts("before", "after", nullable=True),
    *_texts("corrected_by", "reason"),
    _now("corrected_at"),
    PrimaryKeyConstraint("correction_id", "books", "account", "trade_id", "field"),
    comment="What `perpstream pnl recalculate --apply` has changed, one row a figure; books: paper (account is the strategy) or "
    "live.",
)
