"""Sessions of people: opened at a sign-in, kept alive by refresh tokens that are good for one use each, ended by many things."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import text

from libs.store.engine import WriteSession

_OPEN = text(
    "INSERT INTO user_sessions (session_id, user_id, created_at, seen_at, expires_at, address, device)"
    " VALUES (:session_id, :user_id, :at, :at, :expires_at, :address, :device)"
)
_ISSUE = text("INSERT INTO refresh_tokens (token_hash, session_id, issued_at) VALUES (:token_hash, :session_id, :at)")


@dataclass(frozen=True, slots=True)
class NewSession:
    """A sign-in. `address` and `device` are for the person to recognise it by."""

    session_id: str
    user_id: str
    at: dt.datetime
    expires_at: dt.datetime
    address: str
    device: str


async def open_session(session: WriteSession, new: NewSession, refresh_hash: str) -> None:
    """Keep a session and its first refresh token."""
    await session.connection.execute(_OPEN, {name: getattr(new, name) for name in NewSession.__slots__})
    await _issue(session, new.session_id, refresh_hash, new.at)


async def _issue(session: WriteSession, session_id: str, refresh_hash: str, at: dt.datetime) -> None:
    values = {"token_hash": refresh_hash, "session_id": session_id, "at": at}
    await session.connection.execute(_ISSUE, values)
