"""Bars of a minute and of an hour beside the aggregate trades, made from those that are there; and indexes of what is paged."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Whoever writes trades holds a row of this table: nobody adds a trade between the sums and their table.
_SHUT_OUT_WRITERS = "LOCK TABLE agg_trades_meta IN EXCLUSIVE MODE"
_MINUTES = """
INSERT INTO trade_bars
SELECT symbol, 60000, date_bin(interval '1 minute', trade_time, timestamptz 'epoch'), min(agg_id), max(agg_id),
  (array_agg(price ORDER BY agg_id))[1], max(price), min(price), (array_agg(price ORDER BY agg_id))[count(*)],
  sum(quantity), sum(price * quantity), coalesce(sum(quantity) FILTER (WHERE NOT buyer_is_maker), 0), count(*),
  sum(last_trade_id - first_trade_id + 1)
FROM agg_trades GROUP BY 1, 3
"""
_HOURS = """
INSERT INTO trade_bars
SELECT symbol, 3600000, date_bin(interval '1 hour', open_time, timestamptz 'epoch'), min(first_id), max(last_id),
  (array_agg(open ORDER BY first_id))[1], max(high), min(low), (array_agg(close ORDER BY last_id))[count(*)],
  sum(volume), sum(quote_volume), sum(buy_volume), sum(agg_trades), sum(trades)
FROM trade_bars WHERE window_ms = 60000 GROUP BY 1, 3
"""
_PAGED = (
    ("paper_trades", "recorded_at", "trade_id"),
    ("paper_trades", "strategy", "recorded_at", "trade_id"),
    ("paper_trades", "signal_id"),
    ("paper_trades", "exit_time"),
    ("live_trades", "signal_id"),
    ("live_orders", "account", "intended_at", "client_order_id"),
    ("signal_logs", "strategy", "symbol", "event_time", "event_id"),
    ("market_indicators", "symbol", "event_time", "event_id"),
    ("liquidation_events", "symbol", "trade_time", "event_id"),
)


def upgrade() -> None:
    """Make the table and fill it, which reads every trade once."""
    for table, *columns in _PAGED:
        op.create_index(op.f(f"{table}_{'_'.join(columns)}_idx"), table, columns)
    op.create_table(
        "trade_bars",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("window_ms", sa.Integer(), nullable=False),
        sa.Column("open_time", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("first_id", "last_id")),
        *(sa.Column(name, sa.Numeric(), nullable=False) for name in ("open", "high", "low", "close")),
        *(sa.Column(name, sa.Numeric(), nullable=False) for name in ("volume", "quote_volume", "buy_volume")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("agg_trades", "trades")),
        sa.PrimaryKeyConstraint("symbol", "window_ms", "open_time", name=op.f("trade_bars_pkey")),
        comment="Aggregate trades of each minute and hour (window_ms) by the venue's T, kept in the transaction of their rows: "
        "what agg_trades holds adds up to it. open and close are those of first_id and last_id; buy_volume: of takers that "
        "bought.",
    )
    op.execute(_SHUT_OUT_WRITERS)
    op.execute(_MINUTES)
    op.execute(_HOURS)


def downgrade() -> None:
    """The trades stay, and the bars can be made from them again."""
    for table, *columns in _PAGED:
        op.drop_index(op.f(f"{table}_{'_'.join(columns)}_idx"), table)
    op.drop_table("trade_bars")
