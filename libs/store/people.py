"""People and what they may: who stands behind a session or a token now, sign-ins, and the refresh of a session."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import text

from libs.store.engine import ReadSession, WriteSession

Role = Literal["viewer", "trader", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "trader", "admin")

_STANDING = "u.user_id, u.name, u.role, u.banned_at IS NOT NULL AS banned, u.second_factor_since IS NOT NULL AS has_second_factor"
_OF_SESSION = text(
    f"SELECT {_STANDING}, s.session_id, CAST(NULL AS text) AS token_id, CAST(NULL AS text[]) AS scopes, s.expires_at,"  # noqa: S608
    " s.ended_at IS NOT NULL AS ended, s.proven_until"
    " FROM user_sessions s JOIN users u USING (user_id) WHERE s.session_id = :key"
)
_OF_TOKEN = text(
    f"SELECT {_STANDING}, CAST(NULL AS text) AS session_id, t.token_id, t.scopes, t.expires_at,"  # noqa: S608
    " t.ended_at IS NOT NULL AS ended, CAST(NULL AS timestamptz) AS proven_until"
    " FROM api_tokens t JOIN users u USING (user_id) WHERE t.token_hash = :key"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of who stands behind a session or an API token (the other id is None). `scopes` are the token's, None for a
    session; `proven_until`: the session's second factor was given and counts until then."""

    user_id: str
    name: str
    role: Role
    banned: bool
    has_second_factor: bool
    session_id: str | None
    token_id: str | None
    scopes: Sequence[str] | None
    expires_at: dt.datetime
    ended: bool
    proven_until: dt.datetime | None


async def standing_of_session(session: ReadSession, session_id: str) -> Standing | None:
    """Who stands behind a session; None for one that does not exist."""
    return _standing((await session.connection.execute(_OF_SESSION, {"key": session_id})).mappings().first())


async def standing_of_token(session: ReadSession, token_hash: str) -> Standing | None:
    """Who stands behind an API token, by its hash; None for one that does not exist."""
    return _standing((await session.connection.execute(_OF_TOKEN, {"key": token_hash})).mappings().first())


def _standing(row: Any) -> Standing | None:
    return None if row is None else Standing(**row)


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account to make; `password_hash` None: nobody logs in with a password."""

    user_id: str
    name: str
    password_hash: str | None = field(repr=False)
    role: Role
    created_by: str


_ADD_USER = text(
    "INSERT INTO users (user_id, name, password_hash, role, created_by)"
    " VALUES (:user_id, :name, :password_hash, :role, :created_by) ON CONFLICT (name) DO NOTHING RETURNING user_id"
)


async def add_user(session: WriteSession, user: NewUser) -> bool:
    """Make the account; False where the name is taken."""
    values = {name: getattr(user, name) for name in NewUser.__slots__}
    return (await session.connection.execute(_ADD_USER, values)).first() is not None


@dataclass(frozen=True, slots=True)
class User:
    """A row of `users`. `second_factor` is the encrypted secret, in force once `second_factor_since` is set."""

    user_id: str
    name: str
    password_hash: str | None = field(repr=False)
    role: Role
    created_by: str
    created_at: dt.datetime
    banned_at: dt.datetime | None
    second_factor: str | None = field(repr=False)
    second_factor_since: dt.datetime | None
    second_factor_step: int | None


_USER = f"SELECT {', '.join(User.__slots__)} FROM users"  # noqa: S608
_BY_NAME = text(f"{_USER} WHERE name = :name")
_BY_ID = text(f"{_USER} WHERE user_id = :user_id")
_LOCKED_BY_ID = text(f"{_USER} WHERE user_id = :user_id FOR UPDATE")
_ALL = text(f"{_USER} ORDER BY name")


async def user_named(session: ReadSession | WriteSession, name: str) -> User | None:
    """The account of that name."""
    return _user((await session.connection.execute(_BY_NAME, {"name": name})).mappings().first())


async def user_of(session: ReadSession | WriteSession, user_id: str) -> User | None:
    """The account of that id."""
    return _user((await session.connection.execute(_BY_ID, {"user_id": user_id})).mappings().first())


async def locked_user(session: WriteSession, user_id: str) -> User | None:
    """The account of that id, which nobody else changes until this transaction ends."""
    return _user((await session.connection.execute(_LOCKED_BY_ID, {"user_id": user_id})).mappings().first())


async def all_users(session: ReadSession) -> list[User]:
    """Every account by name."""
    return [User(**row) for row in (await session.connection.execute(_ALL)).mappings()]


def _user(row: Any) -> User | None:
    return None if row is None else User(**row)
