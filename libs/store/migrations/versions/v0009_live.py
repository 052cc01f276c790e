"""Live trading: the executor's books under its lease, the account's statement, and corrections of profit."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_TABLES = (
    "live_lease live_trades live_orders live_fills live_events live_commands live_config live_offsets"
    " account_statement account_statement_read profit_corrections"
)


def _columns(kind: sa.types.TypeEngine[Any], names: str, *, nullable: bool = True) -> list[sa.Column[object]]:
    return [sa.Column(name, kind, nullable=nullable) for name in names.split()]


def _texts(names: str) -> list[sa.Column[object]]:
    return _columns(sa.Text(), names, nullable=False)


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, _INSTANT, server_default=sa.text("now()"), nullable=False)


def _key(table: str, names: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*names.split(), name=op.f(f"{table}_pkey"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"{table}_{'_'.join(columns)}_idx"), table, list(columns))


def _create_lease_and_offsets() -> None:
    op.create_table(
        "live_lease",
        *_texts("account owner"),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        _key("live_lease", "account"),
        comment="Who may trade an account, by this server's clock: each page of the executor proves its epoch here.",
    )
    op.create_table(
        "live_offsets",
        *_texts("account topic"),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        _now("updated_at"),
        _key("live_offsets", "account topic partition"),
        comment="Where the executor of an account goes on to read; moved with the page that the records led to.",
    )


def _create_trades() -> None:
    op.create_table(
        "live_trades",
        *_texts("account trade_id"),
        *_columns(sa.Text(), "signal_id"),
        *_texts("strategy"),
        sa.Column("version", sa.Integer(), nullable=False),
        *_texts("symbol direction origin state"),
        *_columns(sa.Text(), "reason exit_reason"),
        *_columns(_INSTANT, "signal_time readable_time decided_time sent_time answered_time entry_time"),
        *_columns(_INSTANT, "stop_sent_time protected_time targets_time exit_time hold_until"),
        *_columns(sa.Numeric(), "signal_price entry_price exit_price stop take_profit_1 take_profit_2"),
        *_columns(sa.Numeric(), "quantity quantity_left gross fees funding pnl_quote", nullable=False),
        sa.Column("fees_unvalued", sa.Integer(), nullable=False),
        *_columns(sa.Numeric(), "slippage_bps pnl_r risk initial_risk"),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        _now("recorded_at"),
        _now("updated_at"),
        _key("live_trades", "account trade_id"),
        comment="What became of each signal on an account; document is the whole trade. Quote units; R is initial_risk, fixed at "
        "the entry; pnl_quote = gross - fees - funding paid; fees_unvalued counts fills whose fee in another asset has no value "
        "yet; slippage_bps is the entry against the signal's price, above 0 is worse.",
    )
    op.create_index(
        "live_trades_open_idx",
        "live_trades",
        ["account"],
        postgresql_where=sa.text("state <> ALL (ARRAY['closed', 'refused', 'not_entered'])"),
    )
    _index("live_trades", "account", "exit_time")
    _index("live_trades", "account", "recorded_at")


def _create_orders() -> None:
    op.create_table(
        "live_orders",
        *_texts("account client_order_id trade_id symbol leg"),
        sa.Column("generation", sa.Integer(), nullable=False),
        *_texts("side status"),
        *_columns(sa.Numeric(), "quantity price trigger_price"),
        *_columns(sa.Numeric(), "executed", nullable=False),
        sa.Column("reduce_only", sa.Boolean(), nullable=False),
        *_columns(sa.BigInteger(), "venue_id order_id"),
        *_columns(sa.Text(), "reason"),
        *_columns(_INSTANT, "intended_at valid_until changed_at"),
        _now("updated_at"),
        _key("live_orders", "account client_order_id"),
        comment="Every order of ours from its intent on, by the id under which the venue knows it; quantity NULL: it closes all.",
    )
    _index("live_orders", "account", "trade_id")


def _create_fills() -> None:
    op.create_table(
        "live_fills",
        *_texts("account symbol"),
        sa.Column("venue_trade_id", sa.BigInteger(), nullable=False),
        *_texts("trade_id"),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        *_texts("client_order_id filled_by"),
        *_columns(sa.Text(), "leg"),
        *_texts("side"),
        *_columns(sa.Numeric(), "price quantity fee", nullable=False),
        *_texts("fee_asset"),
        *_columns(sa.Numeric(), "fee_quote"),
        *_columns(sa.Numeric(), "realised", nullable=False),
        sa.Column("is_maker", sa.Boolean(), nullable=False),
        sa.Column("fill_time", _INSTANT, nullable=False),
        _now("recorded_at"),
        _key("live_fills", "account symbol venue_trade_id"),
        comment="Every fill that belongs to a trade, whoever sent its order; fee_quote: the fee's value at the fill, in quote "
        "units; realised as the venue counts it, without the fee.",
    )
    _index("live_fills", "account", "trade_id")
    _index("live_fills", "account", "fill_time")


def _create_records() -> None:
    op.create_table(
        "live_events",
        *_texts("account event_id"),
        *_columns(sa.Text(), "trade_id"),
        *_texts("kind"),
        sa.Column("event_time", _INSTANT, nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        _now("recorded_at"),
        _key("live_events", "account event_id"),
        comment="What happened to a trade or to the account, in the order of event_time; only ever added to.",
    )
    _index("live_events", "account", "event_time")
    _index("live_events", "account", "trade_id")
    op.create_table(
        "live_commands",
        *_texts("account nonce command_id issuer command"),
        sa.Column("arguments", postgresql.JSONB(), nullable=False),
        *_texts("reason"),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        *_texts("result"),
        *_columns(_INSTANT, "obeyed_at expires_at", nullable=False),
        _now("recorded_at"),
        _key("live_commands", "account nonce"),
        comment="Every command that the executor has read, whatever became of it; no nonce is taken twice.",
    )
    _index("live_commands", "account", "obeyed_at")
    op.create_table(
        "live_config",
        *_texts("account"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        *_texts("changed_by reason"),
        *_columns(sa.Text(), "command_id"),
        _now("changed_at"),
        _key("live_config", "account version"),
        comment="What may trade on an account, every version of it, and who changed it why; the highest version counts.",
    )


def _create_statement() -> None:
    op.create_table(
        "account_statement",
        *_texts("account kind"),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        *_texts("asset symbol"),
        *_columns(sa.Numeric(), "amount", nullable=False),
        sa.Column("entry_time", _INSTANT, nullable=False),
        *_texts("venue_trade_id info"),
        _now("recorded_at"),
        _key("account_statement", "account kind transaction_id asset symbol"),
        comment="Lines of the venue's income statement, in units of their asset: what profit is reconciled with.",
    )
    _index("account_statement", "account", "entry_time")
    op.create_table(
        "account_statement_read",
        *_texts("account"),
        *_columns(_INSTANT, "read_from read_until", nullable=False),
        _now("updated_at"),
        _key("account_statement_read", "account"),
        comment="The span for which account_statement holds every line that the venue gave, without a hole.",
    )
    op.create_table(
        "profit_corrections",
        *_texts("correction_id books account trade_id field"),
        *_columns(sa.Text(), "before after"),
        *_texts("corrected_by reason"),
        _now("corrected_at"),
        _key("profit_corrections", "correction_id books account trade_id field"),
        comment="What `perpstream pnl recalculate --apply` has changed, one row a figure; books: paper (account is the strategy) "
        "or live.",
    )


def upgrade() -> None:
    """Tables of one writer each: the executor of an account; the last one belongs to a person's corrections."""
    _create_lease_and_offsets()
    _create_trades()
    _create_orders()
    _create_fills()
    _create_records()
    _create_statement()


def downgrade() -> None:
    """The books are forgotten: an executor that starts afterwards finds at the venue what it no longer knows."""
    for table in _TABLES.split():
        op.drop_table(table)
