"""Paper trading: what became of each signal, the accounts, their curves, and the state with its place in the log."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def _columns(kind: sa.types.TypeEngine[Any], names: str, *, nullable: bool = True) -> list[sa.Column[object]]:
    return [sa.Column(name, kind, nullable=nullable) for name in names.split()]


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, _INSTANT, server_default=sa.text("now()"), nullable=False)


def _create_trades() -> None:
    op.create_table(
        "paper_trades",
        *_columns(sa.Text(), "trade_id signal_id strategy", nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        *_columns(sa.Text(), "symbol", nullable=False),
        *_columns(sa.Text(), "direction"),
        *_columns(sa.Text(), "state", nullable=False),
        *_columns(sa.Text(), "reason"),
        *_columns(sa.Double(), "score"),
        *_columns(_INSTANT, "signal_time"),
        *_columns(sa.Numeric(), "signal_price"),
        *_columns(_INSTANT, "order_time entry_time exit_time hold_until"),
        *_columns(sa.Numeric(), "entry_price exit_price quantity quantity_left"),
        *_columns(sa.Numeric(), "stop_loss stop_now take_profit_1 take_profit_2"),
        *_columns(sa.Numeric(), "risk gross fees slippage signal_slippage funding net"),
        *_columns(sa.Double(), "net_r adverse_r favourable_r"),
        *_columns(sa.Numeric(), "price unrealised"),
        *_columns(postgresql.JSONB(), "fills history", nullable=False),
        *_columns(_INSTANT, "market_time", nullable=False),
        _now("recorded_at"),
        sa.PrimaryKeyConstraint("trade_id", name=op.f("paper_trades_pkey")),
        comment="What became of each emitted signal on paper: ordered, open, closed, not_taken or abandoned. Quote units; R is "
        "`risk`, fixed at entry; net = gross - fees - slippage - funding; signal_slippage is the entry against the signal's price.",
    )
    op.create_index(op.f("paper_trades_strategy_exit_time_idx"), "paper_trades", ["strategy", "exit_time"])
    op.create_index(op.f("paper_trades_state_signal_time_idx"), "paper_trades", ["state", "signal_time"])


def _create_accounts() -> None:
    op.create_table(
        "paper_accounts",
        sa.Column("strategy", sa.Text(), nullable=False),
        *_columns(sa.Numeric(), "starting_balance risk_per_trade balance unrealised", nullable=False),
        sa.Column("open_positions", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("day_realised", sa.Numeric(), nullable=False),
        sa.Column("day_over", sa.Boolean(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("break_until", _INSTANT, nullable=True),
        sa.Column("market_time", _INSTANT, nullable=False),
        _now("updated_at"),
        sa.PrimaryKeyConstraint("strategy", name=op.f("paper_accounts_pkey")),
        comment="The paper account of each strategy as of market_time, in quote units; day is the UTC day of day_realised.",
    )
    op.create_table(
        "paper_equity",
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("event_time", _INSTANT, nullable=False),
        sa.Column("equity", sa.Double(), nullable=False),
        sa.Column("open_positions", sa.Integer(), nullable=False),
        sa.Column("exposure", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("strategy", "event_time", name=op.f("paper_equity_pkey")),
        comment="A point a minute: balance and unrealised, and the notional that was held, in quote units.",
    )


def upgrade() -> None:
    """Four tables of one writer, the paper trader."""
    _create_trades()
    _create_accounts()
    op.create_table(
        "paper_state",
        sa.Column("only_row", sa.Boolean(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Text(), nullable=False),
        sa.Column("market_time", _INSTANT, nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        _now("saved_at"),
        sa.PrimaryKeyConstraint("only_row", name=op.f("paper_state_pkey")),
        comment="All accounts and the offsets up to which they have read, moved by compare-and-set of the number with their rows.",
    )


def downgrade() -> None:
    """The paper accounts are forgotten: they begin anew from what the log still has."""
    for table in ("paper_state", "paper_equity", "paper_accounts", "paper_trades"):
        op.drop_table(table)
