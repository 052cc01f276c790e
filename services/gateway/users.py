"""What administrators do: see accounts, ban, change roles, invite. What gives somebody more rights needs the second factor."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from libs.store.engine import WriteSession, read_session, write_session
from libs.store.one_time_codes import Invite, invites
from libs.store.people import User, all_users, locked_user, user_named
from libs.store.people_admin import By, ban_user, change_role, make_invite, unban_user, withdraw_invite
from services.gateway.access import Administrator, Forbidden, Person, access_of, second_factor
from services.gateway.auditing import actor_of
from services.gateway.models.people import (
    InviteAnswer,
    Invites,
    MadeInvite,
    NewInvite,
    RoleChange,
    UserAnswer,
    Users,
)
from services.gateway.problems import SIGNED_IN_RESPONSES, SIGNING_IN_RESPONSES, BadRequest, NotFound
from services.gateway.signing_in import ms

router = APIRouter(prefix="/api", tags=["administration"], responses=SIGNING_IN_RESPONSES)
Named = Annotated[str, Path(max_length=64, pattern=r"^[a-z0-9_-]+$", examples=["ada"])]
RAISES_RISK = [Depends(second_factor)]


@router.get("/users", operation_id="getUsers", response_model=Users, responses=SIGNED_IN_RESPONSES)
async def users(request: Request, person: Administrator) -> Users:
    """Every account, by name."""
    async with read_session(access_of(request).engine) as session:
        return Users(users=tuple(_user(user) for user in await all_users(session)))


def _user(user: User) -> UserAnswer:
    return UserAnswer(
        name=user.name,
        role=user.role,
        created_ms=ms(user.created_at),
        created_by=user.created_by,
        banned_ms=None if user.banned_at is None else ms(user.banned_at),
        second_factor=user.second_factor_since is not None,
    )


@router.post("/users/{name}/ban", operation_id="postBan", response_model=UserAnswer)
async def ban(request: Request, person: Administrator, name: Named) -> UserAnswer:
    """Out at once: every session, token and open stream of this account ends."""
    async with write_session(access_of(request).engine) as session:
        user = await _other(session, person, name)
        await ban_user(session, user, _by(request, person))
        answer = await _changed(session, name)
    access_of(request).standings.forget(user.user_id)
    return answer


@router.post("/users/{name}/unban", operation_id="postUnban", response_model=UserAnswer, dependencies=RAISES_RISK)
async def unban(request: Request, person: Administrator, name: Named) -> UserAnswer:
    """Let the account log in again. Needs the second factor."""
    async with write_session(access_of(request).engine) as session:
        user = await _other(session, person, name)
        await unban_user(session, user, _by(request, person))
        answer = await _changed(session, name)
    access_of(request).standings.forget(user.user_id)
    return answer


@router.post("/users/{name}/role", operation_id="postRole", response_model=UserAnswer, dependencies=RAISES_RISK)
async def give_role(request: Request, person: Administrator, name: Named, asked: RoleChange) -> UserAnswer:
    """Another role, from the next request of this account on. Needs the second factor."""
    async with write_session(access_of(request).engine) as session:
        user = await _other(session, person, name)
        await change_role(session, user, asked.role, _by(request, person))
        answer = await _changed(session, name)
    access_of(request).standings.forget(user.user_id)
    return answer


async def _other(session: WriteSession, person: Person, name: str) -> User:
    """An account that is not one's own: nobody shuts themselves out by mistake."""
    if name == person.name:
        raise BadRequest("this is your own account: another administrator, or `perpstream admin`, changes it")
    user = await user_named(session, name)
    if user is None:
        raise NotFound(f"there is no account {name}")
    return user


async def _changed(session: WriteSession, name: str) -> UserAnswer:
    user = await user_named(session, name)
    assert user is not None, "accounts are never removed"
    return _user(user)


def _by(request: Request, person: Person) -> By:
    return By(actor_of(request, person), access_of(request).at())


@router.get("/invites", operation_id="getInvites", response_model=Invites, responses=SIGNED_IN_RESPONSES)
async def all_invites(request: Request, person: Administrator) -> Invites:
    """The newest invites first."""
    access = access_of(request)
    async with read_session(access.engine) as session:
        return Invites(invites=tuple(_invite(invite, access.at()) for invite in await invites(session)))


def _invite(invite: Invite, at: dt.datetime) -> InviteAnswer:
    return InviteAnswer(
        code_id=invite.code_id,
        role=invite.role,
        state=invite.state(at),
        created_by=invite.created_by,
        created_ms=ms(invite.created_at),
        expires_ms=ms(invite.expires_at),
        used_by=invite.used_by,
    )


@router.post("/invites", operation_id="postInvite", response_model=MadeInvite, dependencies=RAISES_RISK)
async def invite(request: Request, person: Administrator, asked: NewInvite) -> MadeInvite:
    """A code that makes one account. Needs the second factor."""
    by, role = _by(request, person), asked.role
    async with write_session(access_of(request).engine) as session:
        await _require_still_administrator(session, person)
        made = await make_invite(session, role, dt.timedelta(hours=asked.hours), by)
    details = InviteAnswer(
        code_id=made.code_id,
        role=role,
        state="open",
        created_by=person.name,
        created_ms=ms(by.at),
        expires_ms=ms(made.expires_at),
        used_by=None,
    )
    return MadeInvite(code=made.code, details=details)


async def _require_still_administrator(session: WriteSession, person: Person) -> None:
    """A ban that is being carried out revokes the invites that are there, and not one that is on its way."""
    maker = await locked_user(session, person.user_id)
    if maker is None or maker.banned_at is not None or maker.role != "admin":
        raise Forbidden(f"{person.name} may invite nobody any longer")


@router.delete("/invites/{code_id}", operation_id="deleteInvite", response_model=Invites)
async def revoke(
    request: Request,
    person: Administrator,
    code_id: Annotated[str, Path(pattern=r"^[0-9a-f]{8,40}$", examples=["5b2c7a90f1e34d68"])],
) -> Invites:
    """Let an invite open nothing any more."""
    access = access_of(request)
    async with write_session(access.engine) as session:
        if not await withdraw_invite(session, code_id, _by(request, person)):
            raise NotFound("there is no invite of that id that could be used")
    return await all_invites(request, person)
