"""The tables of the notifier; they stand beside those of live trading in the same metadata."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from libs.store.bar_tables import metadata

__all__ = ["metadata", "notice_channels", "notice_commands", "notice_memory", "notices"]


def _texts(*names: str, nullable: bool = False) -> list[Column[object]]:
    return [Column(name, Text, nullable=nullable) for name in names]


def _instants(*names: str, nullable: bool = True) -> list[Column[object]]:
    return [Column(name, DateTime(timezone=True), nullable=nullable) for name in names]


notices = Table(
    "notices",
    metadata,
    *_texts("notice_id", "event_id", "channel", "rule", "kind", "severity", "state", "group_key", "title"),
    Column("content", JSONB, nullable=False),
    *_instants("event_time", "made_at", "due_at", nullable=False),
    *_instants("expires_at", "tried_at", "done_at"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    *_texts("last_error", nullable=True),
    Column("entry", BigInteger, Identity(always=True), nullable=False),
    PrimaryKeyConstraint("notice_id"),
    Index(
        "notices_due_idx",
        "channel",
        text("(severity = 'critical') DESC"),
        "entry",
        postgresql_where=text("state IN ('waiting', 'sending')"),
    ),
    Index("notices_made_idx", "made_at"),
    Index("notices_dead_idx", "made_at", postgresql_where=text("state = 'dead'")),
    comment="The outbox of notifications: one row a message and channel, waiting, sending (until due_at), sent or dead.",
)

notice_memory = Table(
    "notice_memory",
    metadata,
    *_texts("subject", "state"),
    *_instants("changed_at", nullable=False),
    PrimaryKeyConstraint("subject"),
    comment="The state in which each subject was last seen, so that only another state is news.",
)

notice_channels = Table(
    "notice_channels",
    metadata,
    *_texts("channel"),
    Column("failures", Integer, nullable=False),
    *_instants("failing_since", "rest_until"),
    *_texts("last_error", nullable=True),
    *_instants("updated_at", nullable=False),
    PrimaryKeyConstraint("channel"),
    comment="How each channel fares: failures in a row, and until when it asked to be left alone.",
)

notice_commands = Table(
    "notice_commands",
    metadata,
    Column("entry", BigInteger, Identity(always=True), nullable=False),
    *_instants("at", nullable=False),
    *_texts("person_id", "person", "place", "command", "arguments", "step", "detail"),
    *_texts("command_id", nullable=True),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("entry"),
    Index(None, "at"),
    comment="What people asked for in a chat, step by step: asked, refused, confirmed, cancelled, said, answered. Only added to.",
)
