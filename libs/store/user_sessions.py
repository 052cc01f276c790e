"""Sessions of people: opened at a sign-in, kept alive by refresh tokens that are good for one use each, ended by many things."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import text

from libs.store.engine import ReadSession, WriteSession

JUST_USED = dt.timedelta(seconds=10)
"""Two tabs, or a page that asks again after a lost answer, send a token twice at once; a thief's second use comes later."""
KEPT = dt.timedelta(days=30)
"""How long a session that is over can still be seen."""
Refresh = Literal["refreshed", "unknown", "ended", "just_used", "reused"]

_OPEN = text(
    "INSERT INTO user_sessions (session_id, user_id, created_at, seen_at, expires_at, address, device)"
    " VALUES (:session_id, :user_id, :at, :at, :expires_at, :address, :device)"
)
_ISSUE = text("INSERT INTO refresh_tokens (token_hash, session_id, issued_at) VALUES (:token_hash, :session_id, :at)")
_OF_TOKEN = text(
    "SELECT r.used_at, s.session_id, s.user_id, s.expires_at, u.name,"
    " s.ended_at IS NOT NULL OR s.expires_at <= :at OR u.banned_at IS NOT NULL AS is_over"
    " FROM refresh_tokens r JOIN user_sessions s USING (session_id) JOIN users u USING (user_id)"
    " WHERE r.token_hash = :token_hash FOR UPDATE OF r, s"
)
_USE = text("UPDATE refresh_tokens SET used_at = :at WHERE token_hash = :token_hash")
_SEEN = text("UPDATE user_sessions SET seen_at = :at, address = :address WHERE session_id = :session_id")
_END = (
    "UPDATE user_sessions SET ended_at = :at, ended_because = :because"
    " WHERE user_id = :user_id AND ended_at IS NULL AND expires_at > :at"
)
_END_ONE = text(f"{_END} AND session_id = :session_id RETURNING session_id")
_END_OTHERS = text(f"{_END} AND session_id IS DISTINCT FROM :kept RETURNING session_id")
_PROVE = text("UPDATE user_sessions SET proven_until = :until WHERE session_id = :session_id")
_LIST = text(
    "SELECT session_id, created_at, seen_at, expires_at, address, device FROM user_sessions"
    " WHERE user_id = :user_id AND ended_at IS NULL AND expires_at > :at ORDER BY created_at DESC, session_id LIMIT :most"
)
_FROM = text(
    "SELECT EXISTS (SELECT 1 FROM user_sessions JOIN users USING (user_id) WHERE name = :name AND address = :address)"
)
_OLD = text("DELETE FROM user_sessions WHERE expires_at < :before RETURNING session_id")
_OLD_TOKENS = text("DELETE FROM refresh_tokens WHERE session_id = ANY(:sessions)")


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
    await session.connection.execute(_ISSUE, {"token_hash": refresh_hash, "session_id": session_id, "at": at})


@dataclass(frozen=True, slots=True)
class Refreshing:
    """A refresh token that came back (its hash), and the hash of the one that follows it."""

    token_hash: str
    next_hash: str
    at: dt.datetime
    address: str


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How a refresh ended. The session is the token's; None for an unknown token."""

    outcome: Refresh
    session_id: str | None = None
    user_id: str | None = None
    name: str | None = None
    expires_at: dt.datetime | None = None


async def refresh(session: WriteSession, asked: Refreshing) -> Refreshed:
    """Take a token for the next one of its session.

    A token that comes back after its use was stolen, or its successor was: the whole session ends, `reused`. Within
    `JUST_USED` nothing is given and nothing ended.
    """
    values = {"token_hash": asked.token_hash, "at": asked.at}
    found = (await session.connection.execute(_OF_TOKEN, values)).mappings().first()
    if found is None:
        return Refreshed("unknown")
    outcome = _outcome(found, asked.at)
    if outcome == "refreshed":
        await session.connection.execute(_USE, values)
        await _issue(session, found["session_id"], asked.next_hash, asked.at)
        seen = {"at": asked.at, "address": asked.address, "session_id": found["session_id"]}
        await session.connection.execute(_SEEN, seen)
    elif outcome == "reused":
        await end_session(session, found["user_id"], found["session_id"], Ending(asked.at, "a refresh token came back"))
    return Refreshed(outcome, found["session_id"], found["user_id"], found["name"], found["expires_at"])


def _outcome(found: Any, at: dt.datetime) -> Refresh:
    if found["is_over"]:
        return "ended"
    if found["used_at"] is None:
        return "refreshed"
    return "just_used" if at - found["used_at"] <= JUST_USED else "reused"


@dataclass(frozen=True, slots=True)
class Ending:
    """When and why sessions end."""

    at: dt.datetime
    because: str


async def end_session(session: WriteSession, user_id: str, session_id: str, ending: Ending) -> bool:
    """End one session of this person; False where there is none that runs."""
    values = {"user_id": user_id, "session_id": session_id, "at": ending.at, "because": ending.because}
    return (await session.connection.execute(_END_ONE, values)).first() is not None


async def end_sessions(session: WriteSession, user_id: str, ending: Ending, kept: str | None = None) -> int:
    """End all sessions of this person but `kept`; how many."""
    values = {"user_id": user_id, "kept": kept, "at": ending.at, "because": ending.because}
    return len((await session.connection.execute(_END_OTHERS, values)).all())


async def prove(session: WriteSession, session_id: str, until: dt.datetime | None) -> None:
    """The second factor was given in this session, and counts until then; None: no longer."""
    await session.connection.execute(_PROVE, {"session_id": session_id, "until": until})


async def has_come_from(session: ReadSession, name: str, address: str) -> bool:
    """Whether the account of that name was signed in to from this address, as far back as sessions are kept."""
    found: bool = (await session.connection.execute(_FROM, {"name": name, "address": address})).scalar_one()
    return found


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session that runs, for its owner to look at."""

    session_id: str
    created_at: dt.datetime
    seen_at: dt.datetime
    expires_at: dt.datetime
    address: str
    device: str


async def sessions_of(session: ReadSession, user_id: str, at: dt.datetime, most: int = 200) -> list[SessionRow]:
    """The sessions of a person that run, the newest first."""
    found = await session.connection.execute(_LIST, {"user_id": user_id, "at": at, "most": most})
    return [SessionRow(**row) for row in found.mappings()]


async def remove_old_sessions(session: WriteSession, at: dt.datetime) -> int:
    """Remove sessions that were over `KEPT` ago, with their tokens; how many."""
    removed = [row[0] for row in await session.connection.execute(_OLD, {"before": at - KEPT})]
    await session.connection.execute(_OLD_TOKENS, {"sessions": removed})
    return len(removed)
