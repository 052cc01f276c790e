"""Extremes of mark prices: what a stop that the mark price triggers was touched by between two stored ones."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_FORMER = "Mark and index price, the first of each two seconds. basis_percent = (mark - index) / index * 100."
_COMMENT = (
    "Mark and index price, the first of each two seconds. basis_percent = (mark - index) / index * 100. Extremes: of every "
    "mark price told since the row before, this one's included; null in rows of before December 2026."
)


def upgrade() -> None:
    """What lay between existing rows is unknown and stays so."""
    for name in ("lowest_mark_price", "highest_mark_price"):
        op.add_column("rate_snapshots", sa.Column(name, sa.Numeric(), nullable=True))
    op.create_table_comment("rate_snapshots", _COMMENT, existing_comment=_FORMER)


def downgrade() -> None:
    """The mark prices themselves stay."""
    op.create_table_comment("rate_snapshots", _FORMER, existing_comment=_COMMENT)
    for name in ("highest_mark_price", "lowest_mark_price"):
        op.drop_column("rate_snapshots", name)
