"""Bars, settled funding rates, and how far each imported file has come."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tables that only imports write."""
    op.create_table(
        "klines",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("interval", sa.Text(), nullable=False),
        sa.Column("open_time", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.Numeric(), nullable=False) for name in ("open", "high", "low", "close", "volume")),
        sa.Column("quote_volume", sa.Numeric(), nullable=True),
        sa.Column("trade_count", sa.BigInteger(), nullable=True),
        sa.Column("taker_buy_volume", sa.Numeric(), nullable=True),
        sa.Column("taker_buy_quote_volume", sa.Numeric(), nullable=True),
        sa.PrimaryKeyConstraint("symbol", "interval", "open_time", name=op.f("klines_pkey")),
        comment="Bars of imported archives; NULL where the archive had no such column.",
    )
    op.create_table(
        "funding_rates",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("funding_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("funding_rate", sa.Numeric(), nullable=False),
        sa.Column("interval_hours", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("symbol", "funding_time", name=op.f("funding_rates_pkey")),
        comment="Settled funding rates of imported archives; what was seen live stands in market_indicators.",
    )
    op.create_table(
        "data_imports",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("lines_done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_id", sa.BigInteger(), server_default="-1", nullable=False),
        sa.Column("last_time_ms", sa.BigInteger(), server_default="-1", nullable=False),
        sa.Column("rows_added", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("sha256", "symbol", "kind", name=op.f("data_imports_pkey")),
        comment="How far each imported file (by its content) has come; moved in the transaction of its rows.",
    )


def downgrade() -> None:
    """Imported bars, rates and places go; imported trades stay in agg_trades."""
    for table in ("data_imports", "funding_rates", "klines"):
        op.drop_table(table)
