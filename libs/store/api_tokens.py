"""API tokens: what people make for their programs. Only a hash is kept."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from libs.store.engine import ReadSession, WriteSession

_ADD = text(
    "INSERT INTO api_tokens (token_id, user_id, name, token_hash, scopes, created_at, expires_at)"
    " VALUES (:token_id, :user_id, :name, :token_hash, CAST(:scopes AS text[]), :created_at, :expires_at)"
)
_END = "UPDATE api_tokens SET ended_at = :at WHERE user_id = :user_id AND ended_at IS NULL"
_END_ONE = text(f"{_END} AND token_id = :token_id RETURNING token_id")
_END_ALL = text(f"{_END} AND expires_at > :at RETURNING token_id")
_USED = text("UPDATE api_tokens SET used_at = :at WHERE token_id = :token_id")
_LIST = text(
    "SELECT token_id, name, scopes, created_at, expires_at, used_at FROM api_tokens"
    " WHERE user_id = :user_id AND ended_at IS NULL ORDER BY created_at DESC, token_id LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to keep, by its hash."""

    token_id: str
    user_id: str
    name: str
    token_hash: str
    scopes: Sequence[str]
    created_at: dt.datetime
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as its owner sees it."""

    token_id: str
    name: str
    scopes: Sequence[str]
    created_at: dt.datetime
    expires_at: dt.datetime
    used_at: dt.datetime | None


async def add_token(session: WriteSession, token: NewToken) -> None:
    """Keep a token."""
    values = {name: getattr(token, name) for name in NewToken.__slots__}
    await session.connection.execute(_ADD, values | {"scopes": list(token.scopes)})


async def end_token(session: WriteSession, user_id: str, token_id: str, at: dt.datetime) -> bool:
    """End one token of this person; False where there is none."""
    values = {"user_id": user_id, "token_id": token_id, "at": at}
    return (await session.connection.execute(_END_ONE, values)).first() is not None


async def end_tokens(session: WriteSession, user_id: str, at: dt.datetime) -> int:
    """End all tokens of this person; how many."""
    return len((await session.connection.execute(_END_ALL, {"user_id": user_id, "at": at})).all())


async def token_used(session: WriteSession, token_id: str, at: dt.datetime) -> None:
    """A program has come with this token."""
    await session.connection.execute(_USED, {"token_id": token_id, "at": at})


async def tokens_of(session: ReadSession, user_id: str, most: int = 200) -> list[TokenRow]:
    """The tokens of a person that were not ended, the newest first."""
    found = await session.connection.execute(_LIST, {"user_id": user_id, "most": most})
    return [TokenRow(**row) for row in found.mappings()]
