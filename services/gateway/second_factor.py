"""The second factor of a person: set up, confirmed with a first code, given again for what raises risk, removed."""

import datetime as dt

from fastapi import APIRouter, Request

from libs.kit.codes import hashed, plain_code, readable_code
from libs.store.audit import Change, write_audit
from libs.store.engine import WriteSession, write_session
from libs.store.people import User, locked_user
from libs.store.people_changes import confirm_second_factor, set_second_factor, use_recovery_code, use_step
from libs.store.user_sessions import prove
from services.gateway.access import Access, Forbidden, Person, SignedInPerson, access_of
from services.gateway.attempts import attempt, require_password, require_unchanged
from services.gateway.auditing import actor_of
from services.gateway.factors import PROOF_SECONDS, RECOVERY_CODES
from services.gateway.models.people import (
    Ended,
    FactorCode,
    FactorRemoval,
    NewFactor,
    PasswordAgain,
    Proof,
    RecoveryCodes,
)
from services.gateway.problems import SIGNING_IN_RESPONSES, Conflict
from services.gateway.signing_in import ms

router = APIRouter(prefix="/api/auth/second-factor", tags=["account"], responses=SIGNING_IN_RESPONSES)
RECOVERY_GROUPS = 3
_WRONG = "this code is wrong, or was used already"


@router.post("", operation_id="postSecondFactor", response_model=NewFactor)
async def set_up(request: Request, person: SignedInPerson, asked: PasswordAgain) -> NewFactor:
    """Begin with an authenticator app. It counts once it is confirmed with a code."""
    access = access_of(request)
    user = await require_password(request, person, asked.password)
    if user.second_factor_since is not None:
        raise Conflict("a second factor is in force: remove it first")
    secret, uri = access.factors.new(user.name)
    async with write_session(access.engine) as session:
        await require_unchanged(session, user)
        await set_second_factor(session, user.user_id, access.factors.sealed(secret))
        await write_audit(session, actor_of(request, person), Change("second_factor.set_up", user.name))
    return NewFactor(secret=secret, uri=uri)


@router.post("/confirm", operation_id="postSecondFactorConfirmation", response_model=RecoveryCodes)
async def confirm(request: Request, person: SignedInPerson, asked: FactorCode) -> RecoveryCodes:
    """Put it in force with a first code of the app, and get codes for when the app is lost."""
    access = access_of(request)
    guess = await attempt(request, f"second-factor:{person.user_id}")
    codes = tuple(readable_code(RECOVERY_GROUPS) for _ in range(RECOVERY_CODES))
    async with write_session(access.engine) as session:
        user = await locked_user(session, person.user_id)
        if user is None or user.second_factor is None or user.second_factor_since is not None:
            raise Conflict("there is no second factor to confirm: set one up first, POST /api/auth/second-factor")
        if not await _used_step(session, access, user, asked.code):
            raise Forbidden(_WRONG)
        await confirm_second_factor(session, user.user_id, access.at(), [hashed(code) for code in codes])
        await _prove(session, access, person)
        await write_audit(session, actor_of(request, person), Change("second_factor.confirm", user.name))
    await guess.succeeded()
    access.standings.forget(person.user_id)
    return RecoveryCodes(recovery_codes=codes)


@router.post("/proof", operation_id="postSecondFactorProof", response_model=Proof)
async def give(request: Request, person: SignedInPerson, asked: FactorCode) -> Proof:
    """Give a code: for five minutes this session may do what raises risk."""
    access = access_of(request)
    guess = await attempt(request, f"second-factor:{person.user_id}")
    async with write_session(access.engine) as session:
        user = await locked_user(session, person.user_id)
        how = None if user is None else await _used(session, access, user, asked.code)
        if how is None:
            raise Forbidden(_WRONG)
        until = await _prove(session, access, person)
        after = {"with": how, "until": until}
        await write_audit(session, actor_of(request, person), Change("second_factor.give", person.name, None, after))
    await guess.succeeded()
    access.standings.forget(person.user_id)
    return Proof(proven_until_ms=ms(until))


@router.post("/remove", operation_id="postSecondFactorRemoval", response_model=Ended)
async def remove(request: Request, person: SignedInPerson, asked: FactorRemoval) -> Ended:
    """Take it away, with password and code. Nothing that raises risk can be done until there is another."""
    access = access_of(request)
    await require_password(request, person, asked.password)
    guess = await attempt(request, f"second-factor:{person.user_id}")
    async with write_session(access.engine) as session:
        user = await locked_user(session, person.user_id)
        if user is None or await _used(session, access, user, asked.code) is None:
            raise Forbidden(_WRONG)
        await set_second_factor(session, user.user_id, None)
        await prove(session, person.session_id or "", None)
        await write_audit(session, actor_of(request, person), Change("second_factor.remove", user.name))
    await guess.succeeded()
    access.standings.forget(person.user_id)
    return Ended(ended=1)


async def _used(session: WriteSession, access: Access, user: User, code: str) -> str | None:
    """How the code was used up: as one of the app or as a recovery code; None for one that is neither."""
    if user.second_factor_since is None:
        return None
    if await _used_step(session, access, user, code):
        return "app"
    if await use_recovery_code(session, user.user_id, hashed(plain_code(code)), access.at()):
        return "recovery code"
    return None


async def _used_step(session: WriteSession, access: Access, user: User, code: str) -> bool:
    if user.second_factor is None:
        return False
    step = access.factors.step_of(user.second_factor, code.strip(), access.now())
    return step is not None and await use_step(session, user.user_id, step)


async def _prove(session: WriteSession, access: Access, person: Person) -> dt.datetime:
    until = access.at() + dt.timedelta(seconds=PROOF_SECONDS)
    assert person.session_id is not None, "who has signed in has a session"
    await prove(session, person.session_id, until)
    return until
