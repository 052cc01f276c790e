"""The results of nightly drift checks: a day of live signals against their replay."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table, a row a day."""
    op.create_table(
        "drift_checks",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("rows_compared", "rows_differing", "evaluations")
        ),
        sa.Column("first_difference", postgresql.JSONB(), nullable=True),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("began_at", "finished_at")),
        sa.Column("alerted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("day", name=op.f("drift_checks_pkey")),
        comment="Live signals of a UTC day against a replay of the same recorded data: agreed, differs or not_comparable (the "
        "reason says why). alerted_at: when ops.alert.v1 had the alert that the state deserves.",
    )


def downgrade() -> None:
    """What was found is forgotten; the days are checked again, as far back as the job looks."""
    op.drop_table("drift_checks")
