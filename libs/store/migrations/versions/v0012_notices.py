"""Notifications: the outbox, what was seen last, how channels fare, and what people asked for in a chat."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def _texts(names: str, *, nullable: bool = False) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names.split()]


def _instants(names: str, *, nullable: bool = True) -> list[sa.Column[object]]:
    return [sa.Column(name, _INSTANT, nullable=nullable) for name in names.split()]


def _create_outbox() -> None:
    op.create_table(
        "notices",
        *_texts("notice_id event_id channel rule kind severity state group_key title"),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        *_instants("event_time made_at due_at", nullable=False),
        *_instants("expires_at tried_at done_at"),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        *_texts("last_error", nullable=True),
        sa.Column("entry", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("notice_id", name=op.f("notices_pkey")),
        comment="The outbox of notifications: one row a message and channel, waiting, sending (until due_at), sent or dead.",
    )
    op.create_index(
        "notices_due_idx",
        "notices",
        ["channel", sa.text("(severity = 'critical') DESC"), "entry"],
        postgresql_where=sa.text("state IN ('waiting', 'sending')"),
    )
    op.create_index("notices_made_idx", "notices", ["made_at"])
    op.create_index("notices_dead_idx", "notices", ["made_at"], postgresql_where=sa.text("state = 'dead'"))


def upgrade() -> None:
    """Four tables of one writer, the notifier; `perpstream notify resend` puts dead rows of the outbox back."""
    _create_outbox()
    op.create_table(
        "notice_memory",
        *_texts("subject state"),
        *_instants("changed_at", nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("notice_memory_pkey")),
        comment="The state in which each subject was last seen, so that only another state is news.",
    )
    op.create_table(
        "notice_channels",
        *_texts("channel"),
        sa.Column("failures", sa.Integer(), nullable=False),
        *_instants("failing_since rest_until"),
        *_texts("last_error", nullable=True),
        *_instants("updated_at", nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("notice_channels_pkey")),
        comment="How each channel fares: failures in a row, and until when it asked to be left alone.",
    )
    op.create_table(
        "notice_commands",
        sa.Column("entry", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        *_instants("at", nullable=False),
        *_texts("person_id person place command arguments step detail"),
        *_texts("command_id", nullable=True),
        sa.Column("recorded_at", _INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("entry", name=op.f("notice_commands_pkey")),
        comment="What people asked for in a chat, step by step: asked, refused, confirmed, cancelled, said, answered. Only added to.",
    )
    op.create_index(op.f("notice_commands_at_idx"), "notice_commands", ["at"])


def downgrade() -> None:
    """What waits is never told."""
    for table in ("notice_commands", "notice_channels", "notice_memory", "notices"):
        op.drop_table(table)
