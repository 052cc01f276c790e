"""Typed values, raw payloads and availability of slow inputs; the basis; liquidations by three windows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NUMBERS = (
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
_INSTANTS = ("coinbase_time", "venue_time")
_INDICATORS = (
    "Slow inputs, one row a fact; raw is what the venue sent. A backtest may use a row from available_at on; assumed: "
    "it was fetched as history, and available_at is its instant plus the delay of its schedule."
)
_EVENTS = (
    "Forced orders as the venue samples them, at most the largest per symbol and second: a lower bound. Side SELL: a "
    "long was liquidated. Notional is quantity * average_price."
)
_WINDOWS = (
    "Liquidations by symbol, side and window of 1 minute, 5 minutes and 1 hour. All are lower bounds of what was "
    "liquidated: the venue tells at most the largest order per symbol and second. Recomputed from liquidation_events, so that "
    "order and repetition change nothing."
)
_FORMER_WINDOWS = (
    "Liquidations by minute, symbol and side; recomputed from liquidation_events, so a replay changes nothing."
)
_RATES = "Mark and index price, the first of each two seconds. basis_percent = (mark - index) / index * 100."


def upgrade() -> None:
    """Values and bases of existing rows are computed from what they hold; when they were available is unknown and stays so."""
    _upgrade_indicators()
    _upgrade_liquidations()
    op.add_column("rate_snapshots", sa.Column("basis_percent", sa.Numeric(), nullable=True))
    op.execute(
        "UPDATE rate_snapshots SET basis_percent = round((mark_price - index_price) / index_price * 100, 8) WHERE index_price > 0"
    )
    op.create_table_comment("rate_snapshots", _RATES)


def downgrade() -> None:
    """The windows of a minute stay; nothing is lost that the events do not have."""
    op.drop_table_comment("rate_snapshots", existing_comment=_RATES)
    op.drop_column("rate_snapshots", "basis_percent")
    op.drop_table_comment("liquidation_events", existing_comment=_EVENTS)
    op.create_table_comment("liquidation_agg", _FORMER_WINDOWS, existing_comment=_WINDOWS)
    op.execute("DELETE FROM liquidation_agg WHERE window_ms <> 60000")
    op.drop_constraint("liquidation_agg_pkey", "liquidation_agg", type_="primary")
    op.drop_column("liquidation_agg", "window_ms")
    op.drop_column("liquidation_agg", "liquidated")
    op.create_primary_key("liquidation_agg_pkey", "liquidation_agg", ["symbol", "side", "window_start"])
    op.drop_table_comment("market_indicators", existing_comment=_INDICATORS)
    for name in ("raw", *_INSTANTS, *_NUMBERS, "availability_assumed", "available_at"):
        op.drop_column("market_indicators", name)


def _upgrade_indicators() -> None:
    op.add_column("market_indicators", sa.Column("available_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "market_indicators", sa.Column("availability_assumed", sa.Boolean(), server_default="false", nullable=False)
    )
    for name in _NUMBERS:
        op.add_column("market_indicators", sa.Column(name, sa.Numeric(), nullable=True))
    for name in _INSTANTS:
        op.add_column("market_indicators", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("market_indicators", sa.Column("raw", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    known = ", ".join(f"{name} = (\"values\" ->> '{name}')::numeric" for name in _NUMBERS)
    op.execute(f"UPDATE market_indicators SET {known}")  # noqa: S608 - our own column names
    op.create_table_comment("market_indicators", _INDICATORS)


def _upgrade_liquidations() -> None:
    op.create_table_comment("liquidation_events", _EVENTS)
    liquidated = sa.Computed("CASE side WHEN 'SELL' THEN 'long' ELSE 'short' END", persisted=True)
    op.add_column("liquidation_agg", sa.Column("liquidated", sa.Text(), liquidated, nullable=True))
    # Until now every window was a minute.
    op.add_column("liquidation_agg", sa.Column("window_ms", sa.Integer(), server_default="60000", nullable=False))
    op.alter_column("liquidation_agg", "window_ms", server_default=None)
    op.drop_constraint("liquidation_agg_pkey", "liquidation_agg", type_="primary")
    op.create_primary_key("liquidation_agg_pkey", "liquidation_agg", ["symbol", "side", "window_ms", "window_start"])
    op.execute("""
        INSERT INTO liquidation_agg (symbol, side, window_ms, window_start, event_count, quantity, notional, largest_notional)
        SELECT symbol, side, length, date_bin(length * interval '1 millisecond', trade_time, timestamptz 'epoch') AS start,
          count(*), sum(quantity), sum(quantity * average_price), max(quantity * average_price)
        FROM liquidation_events CROSS JOIN (VALUES (300000), (3600000)) AS windows (length)
        GROUP BY symbol, side, length, start
    """)
    op.create_table_comment("liquidation_agg", _WINDOWS, existing_comment=_FORMER_WINDOWS)
