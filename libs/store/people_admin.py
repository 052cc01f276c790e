"""What administrators do to accounts, the same from the gateway and from the command line: each with its row in the audit."""

import datetime as dt
from dataclasses import dataclass

from libs.kit.codes import hashed, random_id, readable_code
from libs.store.api_tokens import end_tokens
from libs.store.audit import Actor, Change, write_audit
from libs.store.engine import WriteSession
from libs.store.one_time_codes import NewCode, add_code, revoke_invite, revoke_invites_of
from libs.store.people import ROLES, Role, User
from libs.store.people_changes import set_banned, set_password, set_role, set_second_factor
from libs.store.user_sessions import Ending, end_sessions

CODE_GROUPS = 5
RESET_LENGTH = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class By:
    """Who does it, and when."""

    actor: Actor
    at: dt.datetime


async def ban_user(session: WriteSession, user: User, by: By) -> None:
    """Out at once, with every session, token and invite of theirs; an unban brings none of them back."""
    await set_banned(session, user.user_id, by.at)
    sessions = await end_sessions(session, user.user_id, Ending(by.at, "banned"))
    tokens = await end_tokens(session, user.user_id, by.at)
    revoked = await revoke_invites_of(session, user.name, by.at)
    after = {"banned": True, "sessions_ended": sessions, "tokens_ended": tokens, "invites_revoked": revoked}
    await write_audit(session, by.actor, Change("user.ban", user.name, {"banned": user.banned_at is not None}, after))


async def unban_user(session: WriteSession, user: User, by: By) -> None:
    """They may log in again."""
    await set_banned(session, user.user_id, None)
    before = {"banned": user.banned_at is not None}
    await write_audit(session, by.actor, Change("user.unban", user.name, before, {"banned": False}))


async def change_role(session: WriteSession, user: User, role: Role, by: By) -> None:
    """Another role, at their next request. Who gets a lesser one has given nobody else what they may give no longer."""
    await set_role(session, user.user_id, role)
    after: dict[str, object] = {"role": role}
    if ROLES.index(role) < ROLES.index(user.role):
        after["invites_revoked"] = await revoke_invites_of(session, user.name, by.at)
    await write_audit(session, by.actor, Change("user.role", user.name, {"role": user.role}, after))


@dataclass(frozen=True, slots=True)
class MadeCode:
    """A code that was made; its text is kept nowhere."""

    code: str
    code_id: str
    expires_at: dt.datetime


async def make_invite(session: WriteSession, role: Role, length: dt.timedelta, by: By) -> MadeCode:
    """A code that makes one account of this role."""
    made = MadeCode(readable_code(CODE_GROUPS), random_id()[:16], by.at + length)
    kept = NewCode(made.code_id, hashed(made.code), "invite", role, None, by.actor.who, by.at, made.expires_at)
    await add_code(session, kept)
    after = {"role": role, "expires_at": made.expires_at}
    await write_audit(session, by.actor, Change("invite.make", made.code_id, None, after))
    return made


async def withdraw_invite(session: WriteSession, code_id: str, by: By) -> bool:
    """An invite opens nothing any more; False where there is none that could."""
    if not await revoke_invite(session, code_id, by.at):
        return False
    await write_audit(session, by.actor, Change("invite.revoke", code_id))
    return True


async def make_reset(session: WriteSession, user: User, by: By, *, second_factor: bool) -> MadeCode:
    """A code with which this person sets a new password; `second_factor`: theirs is removed too, because it is lost.

    Nobody but who has the code comes in from now on: the password may be another's by now, who would otherwise go on until the
    code is used, without the second factor that kept them from most.
    """
    made = MadeCode(readable_code(CODE_GROUPS), random_id()[:16], by.at + RESET_LENGTH)
    kept = NewCode(made.code_id, hashed(made.code), "reset", None, user.user_id, by.actor.who, by.at, made.expires_at)
    await add_code(session, kept)
    await set_password(session, user.user_id, None)
    if second_factor:
        await set_second_factor(session, user.user_id, None)
    sessions = await end_sessions(session, user.user_id, Ending(by.at, "the password is being reset"))
    tokens = await end_tokens(session, user.user_id, by.at)
    after = {
        "expires_at": made.expires_at,
        "second_factor_removed": second_factor,
        "sessions_ended": sessions,
        "tokens_ended": tokens,
    }
    await write_audit(session, by.actor, Change("user.reset_password", user.name, None, after))
    return made
