"""Codes that open one thing once: an invitation to make an account, or the setting of a new password."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import text

from libs.store.engine import ReadSession, WriteSession
from libs.store.people import Role

Purpose = Literal["invite", "reset"]
_ADD = text(
    "INSERT INTO one_time_codes (code_id, code_hash, purpose, role, user_id, created_by, created_at, expires_at)"
    " VALUES (:code_id, :code_hash, :purpose, :role, :user_id, :created_by, :created_at, :expires_at)"
)
_TAKE = text(
    "UPDATE one_time_codes SET used_at = :at, used_by = coalesce(:used_by, user_id)"
    " WHERE code_hash = :code_hash AND purpose = :purpose AND used_at IS NULL AND revoked_at IS NULL AND expires_at > :at"
    " RETURNING role, user_id, created_by"
)
_REVOKE = text(
    "UPDATE one_time_codes SET revoked_at = :at WHERE code_id = :code_id AND purpose = 'invite' AND used_at IS NULL"
    " AND revoked_at IS NULL RETURNING code_id"
)
_REVOKE_MADE = text(
    "UPDATE one_time_codes SET revoked_at = :at WHERE created_by = :created_by AND purpose = 'invite' AND used_at IS NULL"
    " AND revoked_at IS NULL AND expires_at > :at RETURNING code_id"
)
_REVOKE_RESETS = text(
    "UPDATE one_time_codes SET revoked_at = :at WHERE user_id = :user_id AND purpose = 'reset' AND used_at IS NULL"
    " AND revoked_at IS NULL"
)
_INVITES = text(
    "SELECT code_id, role, created_by, created_at, expires_at, used_at, used_by, revoked_at FROM one_time_codes"
    " WHERE purpose = 'invite' ORDER BY created_at DESC, code_id LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code to keep, by its hash. An invite has the role of the account, a reset the account's id."""

    code_id: str
    code_hash: str
    purpose: Purpose
    role: Role | None
    user_id: str | None
    created_by: str
    created_at: dt.datetime
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """What a code opens."""

    role: Role | None
    user_id: str | None
    created_by: str


@dataclass(frozen=True, slots=True)
class Taking:
    """Somebody comes with a code. `used_by`: the name of the account that an invite makes."""

    code_hash: str
    purpose: Purpose
    at: dt.datetime
    used_by: str | None = None


async def add_code(session: WriteSession, code: NewCode) -> None:
    """Keep a code. One for a new password takes the place of those before it."""
    if code.purpose == "reset":
        await session.connection.execute(_REVOKE_RESETS, {"user_id": code.user_id, "at": code.created_at})
    await session.connection.execute(_ADD, {name: getattr(code, name) for name in NewCode.__slots__})


async def take_code(session: WriteSession, taking: Taking) -> Opened | None:
    """Use a code up; None for one that is unknown, used, revoked or over. Rolled back, it was not used."""
    values = {name: getattr(taking, name) for name in Taking.__slots__}
    found = (await session.connection.execute(_TAKE, values)).mappings().first()
    return None if found is None else Opened(**found)


async def revoke_invite(session: WriteSession, code_id: str, at: dt.datetime) -> bool:
    """Let an invite open nothing any more; False where there is none that could."""
    return (await session.connection.execute(_REVOKE, {"code_id": code_id, "at": at})).first() is not None


async def revoke_invites_of(session: WriteSession, created_by: str, at: dt.datetime) -> int:
    """Let no invite open anything any more that this person has made; how many could have."""
    return len((await session.connection.execute(_REVOKE_MADE, {"created_by": created_by, "at": at})).all())


@dataclass(frozen=True, slots=True)
class Invite:
    """An invite as its maker sees it; the code itself is kept nowhere."""

    code_id: str
    role: Role
    created_by: str
    created_at: dt.datetime
    expires_at: dt.datetime
    used_at: dt.datetime | None
    used_by: str | None
    revoked_at: dt.datetime | None

    def state(self, at: dt.datetime) -> Literal["open", "used", "revoked", "expired"]:
        """What became of it."""
        if self.used_at is not None:
            return "used"
        if self.revoked_at is not None:
            return "revoked"
        return "open" if self.expires_at > at else "expired"


async def invites(session: ReadSession, most: int = 200) -> list[Invite]:
    """The newest invites first."""
    return [Invite(**row) for row in (await session.connection.execute(_INVITES, {"most": most})).mappings()]
