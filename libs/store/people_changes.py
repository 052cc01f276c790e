"""What changes of a person: password, role, ban, second factor. Whatever takes a right away is told to listeners by triggers."""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import text

from libs.store.engine import ReadSession, WriteSession
from libs.store.people import Role

_PASSWORD = text("UPDATE users SET password_hash = :password_hash WHERE user_id = :user_id")
_ROLE = text("UPDATE users SET role = :role WHERE user_id = :user_id")
_BAN = text("UPDATE users SET banned_at = :at WHERE user_id = :user_id")
_FACTOR = text(
    "UPDATE users SET second_factor = :secret, second_factor_since = :since, second_factor_step = NULL"
    " WHERE user_id = :user_id"
)
_CONFIRM = text("UPDATE users SET second_factor_since = :at WHERE user_id = :user_id AND second_factor IS NOT NULL")
_STEP = text(
    "UPDATE users SET second_factor_step = :step WHERE user_id = :user_id"
    " AND (second_factor_step IS NULL OR second_factor_step < :step) RETURNING user_id"
)
_NO_CODES = text("DELETE FROM recovery_codes WHERE user_id = :user_id")
_ADD_CODES = text("INSERT INTO recovery_codes (user_id, code_hash) SELECT :user_id, unnest(CAST(:hashes AS text[]))")
_USE_CODE = text(
    "UPDATE recovery_codes SET used_at = :at WHERE user_id = :user_id AND code_hash = :code_hash AND used_at IS NULL"
    " RETURNING user_id"
)
_CODES_LEFT = text("SELECT count(*) FROM recovery_codes WHERE user_id = :user_id AND used_at IS NULL")


async def set_password(session: WriteSession, user_id: str, password_hash: str | None) -> None:
    """Another password, by its hash; None: nobody logs in with one."""
    await session.connection.execute(_PASSWORD, {"user_id": user_id, "password_hash": password_hash})


async def set_role(session: WriteSession, user_id: str, role: Role) -> None:
    """Another role; counts at the next request."""
    await session.connection.execute(_ROLE, {"user_id": user_id, "role": role})


async def set_banned(session: WriteSession, user_id: str, at: dt.datetime | None) -> None:
    """Banned from now on, or (None) no longer."""
    await session.connection.execute(_BAN, {"user_id": user_id, "at": at})


async def set_second_factor(session: WriteSession, user_id: str, secret: str | None) -> None:
    """Another secret (encrypted), in force once `confirm_second_factor` was called; None: there is none any more."""
    await session.connection.execute(_FACTOR, {"user_id": user_id, "secret": secret, "since": None})
    await session.connection.execute(_NO_CODES, {"user_id": user_id})


async def confirm_second_factor(
    session: WriteSession, user_id: str, at: dt.datetime, recovery_hashes: Sequence[str]
) -> None:
    """The secret is in force, and these codes stand in for it, each once."""
    await session.connection.execute(_CONFIRM, {"user_id": user_id, "at": at})
    await session.connection.execute(_NO_CODES, {"user_id": user_id})
    await session.connection.execute(_ADD_CODES, {"user_id": user_id, "hashes": list(recovery_hashes)})


async def use_step(session: WriteSession, user_id: str, step: int) -> bool:
    """Use the code of a time step (RFC 6238, 5.2: one code counts once); False where it or a later one was used."""
    return (await session.connection.execute(_STEP, {"user_id": user_id, "step": step})).first() is not None


async def use_recovery_code(session: WriteSession, user_id: str, code_hash: str, at: dt.datetime) -> bool:
    """Use a recovery code; False for one that is not there, or was used."""
    values = {"user_id": user_id, "code_hash": code_hash, "at": at}
    return (await session.connection.execute(_USE_CODE, values)).first() is not None


async def recovery_codes_left(session: ReadSession | WriteSession, user_id: str) -> int:
    """How many recovery codes were not used yet."""
    left: int = (await session.connection.execute(_CODES_LEFT, {"user_id": user_id})).scalar_one()
    return left
