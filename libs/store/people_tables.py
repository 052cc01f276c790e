"""The tables of the people who use the gateway: accounts, sessions, tokens, codes, failed sign-ins, and what people changed.

No table holds a password, a token or a code: only hashes of them.
"""

from sqlalchemy import (
    ARRAY,
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
)
from sqlalchemy.dialects.postgresql import JSONB

from libs.store.live_tables import metadata

__all__ = [
    "api_tokens",
    "audit_log",
    "metadata",
    "one_time_codes",
    "recovery_codes",
    "refresh_tokens",
    "sign_in_failures",
    "user_sessions",
    "users",
]


def _texts(*names: str, nullable: bool = False) -> list[Column[object]]:
    return [Column(name, Text, nullable=nullable) for name in names]


def _instants(*names: str, nullable: bool = True) -> list[Column[object]]:
    return [Column(name, DateTime(timezone=True), nullable=nullable) for name in names]


def _now(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


users = Table(
    "users",
    metadata,
    *_texts("user_id", "name"),
    *_texts("password_hash", nullable=True),
    *_texts("role", "created_by"),
    _now("created_at"),
    *_instants("banned_at"),
    *_texts("second_factor", nullable=True),
    *_instants("second_factor_since"),
    Column("second_factor_step", BigInteger, nullable=True),
    PrimaryKeyConstraint("user_id"),
    Index("users_name_idx", "name", unique=True),
    comment="Who may use the gateway. role: viewer, trader or admin; no password_hash: nobody can log in with a password. "
    "second_factor is the encrypted TOTP secret, in force from second_factor_since on; second_factor_step is the last time step "
    "that was used, which counts no second time.",
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    *_texts("user_id", "code_hash"),
    *_instants("used_at"),
    PrimaryKeyConstraint("user_id", "code_hash"),
    comment="Codes that stand in for a lost second factor, each once.",
)

one_time_codes = Table(
    "one_time_codes",
    metadata,
    *_texts("code_id", "code_hash", "purpose"),
    *_texts("role", "user_id", nullable=True),
    *_texts("created_by"),
    _now("created_at"),
    *_instants("expires_at", nullable=False),
    *_instants("used_at"),
    *_texts("used_by", nullable=True),
    *_instants("revoked_at"),
    PrimaryKeyConstraint("code_id"),
    Index("one_time_codes_code_hash_idx", "code_hash", unique=True),
    comment="Codes that open one thing once. purpose: invite (an account of this role) or reset (a new password for user_id).",
)

user_sessions = Table(
    "user_sessions",
    metadata,
    *_texts("session_id", "user_id"),
    _now("created_at"),
    _now("seen_at"),
    *_instants("expires_at", nullable=False),
    *_texts("address", "device"),
    *_instants("ended_at"),
    *_texts("ended_because", nullable=True),
    *_instants("proven_until"),
    PrimaryKeyConstraint("session_id"),
    Index(None, "user_id", "created_at"),
    Index(None, "expires_at"),
    comment="One sign-in of a person on a device; a family of refresh tokens. proven_until: the second factor was given.",
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    *_texts("token_hash", "session_id"),
    _now("issued_at"),
    *_instants("used_at"),
    PrimaryKeyConstraint("token_hash"),
    Index(None, "session_id"),
    comment="Each is good for one refresh; one that comes back after it was used ends its session.",
)

api_tokens = Table(
    "api_tokens",
    metadata,
    *_texts("token_id", "user_id", "name", "token_hash"),
    Column("scopes", ARRAY(Text), nullable=False),
    _now("created_at"),
    *_instants("expires_at", nullable=False),
    *_instants("used_at", "ended_at"),
    PrimaryKeyConstraint("token_id"),
    Index("api_tokens_token_hash_idx", "token_hash", unique=True),
    Index(None, "user_id", "created_at"),
    comment="Tokens that a person has made for programs. A token may do what its scopes and its owner's role both allow.",
)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    *_texts("subject"),
    Column("failures", Integer, nullable=False),
    *_instants("last_at", nullable=False),
    *_instants("locked_until"),
    PrimaryKeyConstraint("subject"),
    Index(None, "last_at"),
    comment="Failed attempts in a row by account (also of names that do not exist) and by address, and until when no more are "
    "taken.",
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("audit_id", BigInteger, Identity(always=True), nullable=False),
    Column("happened_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    *_texts("who"),
    *_texts("user_id", nullable=True),
    *_texts("action"),
    *_texts("target", nullable=True),
    Column("before", JSONB, nullable=True),
    Column("after", JSONB, nullable=True),
    *_texts("address", "request_id", "session_id", "token_id", nullable=True),
    PrimaryKeyConstraint("audit_id"),
    Index(None, "happened_at"),
    Index("audit_log_who_idx", "who", "audit_id"),
    comment="Every change that a person made: who, what, before, after, from where. A trigger refuses to change or remove a row.",
)
