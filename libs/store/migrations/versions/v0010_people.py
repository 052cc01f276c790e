"""People: accounts, sessions, tokens, one-time codes, failed sign-ins, and the audit of what people changed.

Two triggers belong to it. Whatever takes a right away is told to listeners of `people` in the transaction that does it, be it by
the gateway, the command line or by hand; and a row of `audit_log` can be neither changed nor removed.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_TABLES = "users recovery_codes one_time_codes user_sessions refresh_tokens api_tokens sign_in_failures audit_log"
_TOLD = """
CREATE FUNCTION tell_people() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('people', OLD.user_id);
  RETURN NULL;
END $$;
CREATE TRIGGER users_told AFTER UPDATE ON users FOR EACH ROW
  WHEN ((OLD.role, OLD.banned_at, OLD.name) IS DISTINCT FROM (NEW.role, NEW.banned_at, NEW.name))
  EXECUTE FUNCTION tell_people();
CREATE TRIGGER users_removal_told AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION tell_people();
CREATE TRIGGER user_sessions_told AFTER UPDATE ON user_sessions FOR EACH ROW
  WHEN ((OLD.ended_at, OLD.proven_until, OLD.expires_at) IS DISTINCT FROM (NEW.ended_at, NEW.proven_until, NEW.expires_at))
  EXECUTE FUNCTION tell_people();
CREATE TRIGGER user_sessions_removal_told AFTER DELETE ON user_sessions FOR EACH ROW EXECUTE FUNCTION tell_people();
CREATE TRIGGER api_tokens_told AFTER UPDATE ON api_tokens FOR EACH ROW
  WHEN ((OLD.ended_at, OLD.expires_at, OLD.scopes) IS DISTINCT FROM (NEW.ended_at, NEW.expires_at, NEW.scopes))
  EXECUTE FUNCTION tell_people();
CREATE TRIGGER api_tokens_removal_told AFTER DELETE ON api_tokens FOR EACH ROW EXECUTE FUNCTION tell_people();
"""
_APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_never_emptied BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def _columns(kind: sa.types.TypeEngine[Any], names: str, *, nullable: bool = True) -> list[sa.Column[object]]:
    return [sa.Column(name, kind, nullable=nullable) for name in names.split()]


def _texts(names: str, *, nullable: bool = False) -> list[sa.Column[object]]:
    return _columns(sa.Text(), names, nullable=nullable)


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, _INSTANT, server_default=sa.text("now()"), nullable=False)


def _key(table: str, names: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*names.split(), name=op.f(f"{table}_pkey"))


def _index(table: str, *columns: str, unique: bool = False) -> None:
    op.create_index(op.f(f"{table}_{'_'.join(columns)}_idx"), table, list(columns), unique=unique)


def _create_users() -> None:
    op.create_table(
        "users",
        *_texts("user_id name"),
        *_texts("password_hash", nullable=True),
        *_texts("role created_by"),
        _now("created_at"),
        *_columns(_INSTANT, "banned_at"),
        *_texts("second_factor", nullable=True),
        *_columns(_INSTANT, "second_factor_since"),
        sa.Column("second_factor_step", sa.BigInteger(), nullable=True),
        _key("users", "user_id"),
        comment="Who may use the gateway. role: viewer, trader or admin; no password_hash: nobody can log in with a password. "
        "second_factor is the encrypted TOTP secret, in force from second_factor_since on; second_factor_step is the last time "
        "step that was used, which counts no second time.",
    )
    _index("users", "name", unique=True)
    op.create_table(
        "recovery_codes",
        *_texts("user_id code_hash"),
        *_columns(_INSTANT, "used_at"),
        _key("recovery_codes", "user_id code_hash"),
        comment="Codes that stand in for a lost second factor, each once.",
    )


def _create_codes() -> None:
    op.create_table(
        "one_time_codes",
        *_texts("code_id code_hash purpose"),
        *_texts("role user_id", nullable=True),
        *_texts("created_by"),
        _now("created_at"),
        *_columns(_INSTANT, "expires_at", nullable=False),
        *_columns(_INSTANT, "used_at"),
        *_texts("used_by", nullable=True),
        *_columns(_INSTANT, "revoked_at"),
        _key("one_time_codes", "code_id"),
        comment="Codes that open one thing once. purpose: invite (an account of this role) or reset (a new password for user_id).",
    )
    _index("one_time_codes", "code_hash", unique=True)


def _create_sessions() -> None:
    op.create_table(
        "user_sessions",
        *_texts("session_id user_id"),
        _now("created_at"),
        _now("seen_at"),
        *_columns(_INSTANT, "expires_at", nullable=False),
        *_texts("address device"),
        *_columns(_INSTANT, "ended_at"),
        *_texts("ended_because", nullable=True),
        *_columns(_INSTANT, "proven_until"),
        _key("user_sessions", "session_id"),
        comment="One sign-in of a person on a device; a family of refresh tokens. proven_until: the second factor was given.",
    )
    _index("user_sessions", "user_id", "created_at")
    _index("user_sessions", "expires_at")
    op.create_table(
        "refresh_tokens",
        *_texts("token_hash session_id"),
        _now("issued_at"),
        *_columns(_INSTANT, "used_at"),
        _key("refresh_tokens", "token_hash"),
        comment="Each is good for one refresh; one that comes back after it was used ends its session.",
    )
    _index("refresh_tokens", "session_id")
    op.create_table(
        "api_tokens",
        *_texts("token_id user_id name token_hash"),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        _now("created_at"),
        *_columns(_INSTANT, "expires_at", nullable=False),
        *_columns(_INSTANT, "used_at ended_at"),
        _key("api_tokens", "token_id"),
        comment="Tokens that a person has made for programs. A token may do what its scopes and its owner's role both allow.",
    )
    _index("api_tokens", "token_hash", unique=True)
    _index("api_tokens", "user_id", "created_at")


def _create_records() -> None:
    op.create_table(
        "sign_in_failures",
        *_texts("subject"),
        sa.Column("failures", sa.Integer(), nullable=False),
        *_columns(_INSTANT, "last_at", nullable=False),
        *_columns(_INSTANT, "locked_until"),
        _key("sign_in_failures", "subject"),
        comment="Failed attempts in a row by account (also of names that do not exist) and by address, and until when no more are "
        "taken.",
    )
    _index("sign_in_failures", "last_at")
    op.create_table(
        "audit_log",
        sa.Column("audit_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("happened_at", _INSTANT, server_default=sa.text("clock_timestamp()"), nullable=False),
        *_texts("who"),
        *_texts("user_id", nullable=True),
        *_texts("action"),
        *_texts("target", nullable=True),
        sa.Column("before", postgresql.JSONB(), nullable=True),
        sa.Column("after", postgresql.JSONB(), nullable=True),
        *_texts("address request_id session_id token_id", nullable=True),
        _key("audit_log", "audit_id"),
        comment="Every change that a person made: who, what, before, after, from where. A trigger refuses to change or remove a row.",
    )
    _index("audit_log", "happened_at")
    op.create_index(op.f("audit_log_who_idx"), "audit_log", ["who", "audit_id"])


def upgrade() -> None:
    _create_users()
    _create_codes()
    _create_sessions()
    _create_records()
    for statement in (_TOLD, _APPEND_ONLY):
        # Functions hold semicolons of their own: one statement ends where a line ends with one outside of a body.
        for part in _statements(statement):
            op.execute(part)


def _statements(script: str) -> list[str]:
    head, _, rest = script.partition("END $$;")
    return [f"{head}END $$", *(part for part in rest.split(";") if part.strip())]


def downgrade() -> None:
    for table in reversed(_TABLES.split()):
        op.drop_table(table)
    op.execute("DROP FUNCTION tell_people()")
    op.execute("DROP FUNCTION refuse_change()")
