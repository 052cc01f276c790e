"""Accounts: made with an invite, opened with a password, kept open by refreshes, and given up."""

from typing import Annotated

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse, Response

from libs.kit.codes import hashed, plain_code, random_id, random_token
from libs.store.api_tokens import end_tokens
from libs.store.audit import Change, write_audit
from libs.store.engine import WriteSession, read_session, write_session
from libs.store.one_time_codes import Taking, take_code
from libs.store.people import NewUser, User, add_user, locked_user, user_named, user_of
from libs.store.people_changes import set_password
from libs.store.user_sessions import Ending, Refreshed, Refreshing, end_session, end_sessions, refresh
from services.gateway.access import Access, Forbidden, Person, SignedInPerson, Unauthenticated, access_of
from services.gateway.attempts import attempt, log_in_attempt, require_password, require_unchanged
from services.gateway.auditing import actor_of, stranger
from services.gateway.local_viewer import LOCAL_VIEWER
from services.gateway.models.people import (
    Ended,
    Login,
    PasswordChange,
    PasswordChanged,
    PasswordReset,
    RefreshAsked,
    Registration,
    SignedIn,
)
from services.gateway.passwords import refusal
from services.gateway.problems import SIGNED_IN_RESPONSES, SIGNING_IN_RESPONSES, BadRequest, Conflict
from services.gateway.same_site import from_elsewhere, from_our_page
from services.gateway.signing_in import (
    REFRESH_COOKIE,
    SESSION_LENGTH,
    Opened,
    clear_cookies,
    opened_session,
    signed_in,
)

router = APIRouter(prefix="/api/auth", tags=["account"], responses=SIGNING_IN_RESPONSES)
_WRONG = "name or password is wrong"
_NO_CODE = "this code opens nothing: it is unknown, used, revoked or over"


def _refuse_foreign(request: Request) -> None:
    """Another site must not sign a browser in, be it as somebody else."""
    if from_elsewhere(request, access_of(request).rules):
        raise Forbidden("this request does not come from our own page")


def _accept_password(password: str, name: str) -> None:
    if (why := refusal(password, name)) is not None:
        raise BadRequest(why)


@router.post("/register", operation_id="postRegistration", response_model=SignedIn)
async def register(request: Request, asked: Registration) -> Response:
    """Make an account with an invite, and sign it in."""
    _refuse_foreign(request)
    access, password = access_of(request), asked.password.get_secret_value()
    _accept_password(password, asked.name)
    guess = await attempt(request, f"codes:{access.address(request)}")
    new = NewUser(random_id(), asked.name, await access.passwords.hashed(password), "viewer", "")
    async with write_session(access.engine) as session:
        code = hashed(plain_code(asked.code))
        opens = await take_code(session, Taking(code, "invite", access.at(), asked.name))
        if opens is None or opens.role is None:
            raise BadRequest(_NO_CODE)
        user = NewUser(new.user_id, new.name, new.password_hash, opens.role, opens.created_by)
        if asked.name == LOCAL_VIEWER.name or not await add_user(session, user):
            raise Conflict(f"the name {asked.name} is taken: choose another one")
        opened = await opened_session(session, request, new.user_id, SESSION_LENGTH)
        who = stranger(request, asked.name, new.user_id)
        await write_audit(session, who, Change("user.register", asked.name, None, {"role": opens.role}))
    await guess.succeeded()
    return signed_in(request, opened, asked.given_to)


@router.post("/login", operation_id="postLogin", response_model=SignedIn)
async def login(request: Request, asked: Login) -> Response:
    """Sign in. An unknown name, a wrong password and a banned account get the same answer in the same time."""
    _refuse_foreign(request)
    access, name = access_of(request), asked.name.strip().lower()
    guess = await log_in_attempt(request, name)
    async with read_session(access.engine) as reading:
        user = await user_named(reading, name)
    password = asked.password.get_secret_value()
    fits = await access.passwords.fits(None if user is None else user.password_hash, password)
    if user is None or not fits or user.banned_at is not None:
        raise Unauthenticated(_WRONG)
    await guess.succeeded()
    async with write_session(access.engine) as session:
        await _require_still(session, access, user, password)
        await _renew_hash(session, access, user, password)
        opened = await opened_session(session, request, user.user_id, SESSION_LENGTH)
        after = {"session": opened.session_id}
        await write_audit(session, stranger(request, name, user.user_id), Change("session.open", name, None, after))
    return signed_in(request, opened, asked.given_to)


async def _require_still(session: WriteSession, access: Access, user: User, password: str) -> None:
    """A ban, or another password, while the first one was looked at would end the sessions that are there, and not this one.
    A hash that was only renewed beside us fits as well."""
    now = await locked_user(session, user.user_id)
    if now is None or now.banned_at is not None:
        raise Unauthenticated(_WRONG)
    if now.password_hash != user.password_hash and not await access.passwords.fits(now.password_hash, password):
        raise Unauthenticated(_WRONG)


async def _renew_hash(session: WriteSession, access: Access, user: User, password: str) -> None:
    """The only moment at which an old hash can become one with today's parameters."""
    if user.password_hash is not None and access.passwords.is_old(user.password_hash):
        await set_password(session, user.user_id, await access.passwords.hashed(password))


@router.post("/refresh", operation_id="postRefresh", response_model=SignedIn)
async def refresh_session(request: Request, asked: Annotated[RefreshAsked, Body()] = RefreshAsked()) -> Response:  # noqa: B008
    """Take a refresh token for new tokens; the one that was used is worth nothing from then on. If it comes back all the same,
    somebody has a copy: the session ends for both. Within ten seconds of its use it is only refused (409)."""
    access = access_of(request)
    token = _refresh_token(request, asked)
    following = random_token()
    asking = Refreshing(hashed(token), hashed(following), access.at(), access.address(request))
    async with write_session(access.engine) as session:
        done = await refresh(session, asking)
        if done.outcome == "reused":
            why = Change(
                "session.revoke", done.session_id, None, {"because": "a refresh token came back after its use"}
            )
            await write_audit(session, stranger(request, done.name or "", done.user_id), why)
    if done.outcome == "reused" and done.user_id is not None:
        access.standings.forget(done.user_id)
    if done.outcome == "just_used":
        raise Conflict("this refresh token has just been used: ask again with the one that followed it")
    opened = _refreshed(done, following)
    return signed_in(request, opened, "page" if asked.refresh_token is None else "program")


def _refresh_token(request: Request, asked: RefreshAsked) -> str:
    if asked.refresh_token is not None:
        return asked.refresh_token.get_secret_value()
    token = request.cookies.get(REFRESH_COOKIE)
    if token is None:
        raise Unauthenticated("sign in first")
    if not from_our_page(request, access_of(request).rules):
        raise Forbidden("this request does not come from our own page")
    return token


def _refreshed(done: Refreshed, following: str) -> Opened:
    if done.outcome != "refreshed" or not (done.user_id and done.session_id and done.expires_at):
        raise Unauthenticated("this sign-in has ended: log in again")
    return Opened(done.user_id, done.session_id, following, done.expires_at)


@router.post("/logout", operation_id="postLogout", response_model=Ended, responses=SIGNED_IN_RESPONSES)
async def logout(request: Request, person: SignedInPerson) -> Response:
    """End this session."""
    return await _ended(request, person, only=person.session_id)


@router.post("/logout-all", operation_id="postLogoutAll", response_model=Ended, responses=SIGNED_IN_RESPONSES)
async def logout_everywhere(request: Request, person: SignedInPerson) -> Response:
    """End all of your sessions, this one too."""
    return await _ended(request, person, only=None)


async def _ended(request: Request, person: Person, only: str | None) -> Response:
    access = access_of(request)
    async with write_session(access.engine) as session:
        ending = Ending(access.at(), "logged out")
        if only is None:
            count = await end_sessions(session, person.user_id, ending)
        else:
            count = int(await end_session(session, person.user_id, only, ending))
        change = Change("session.end" if only else "session.end_all", only or person.name, None, {"ended": count})
        await write_audit(session, actor_of(request, person), change)
    access.standings.forget(person.user_id)
    answer = JSONResponse(Ended(ended=count).model_dump(), headers={"Cache-Control": "no-store"})
    clear_cookies(request, answer)
    return answer


@router.post("/password", operation_id="postPassword", response_model=PasswordChanged, responses=SIGNED_IN_RESPONSES)
async def change_password(request: Request, person: SignedInPerson, asked: PasswordChange) -> PasswordChanged:
    """Another password. All of your other sessions end, and your API tokens too, unless you keep them."""
    access, password = access_of(request), asked.new_password.get_secret_value()
    _accept_password(password, person.name)
    user = await require_password(request, person, asked.old_password)
    password_hash = await access.passwords.hashed(password)
    async with write_session(access.engine) as session:
        await require_unchanged(session, user)
        await set_password(session, user.user_id, password_hash)
        ending = Ending(access.at(), "the password was changed")
        count = await end_sessions(session, user.user_id, ending, kept=person.session_id)
        tokens = 0 if asked.keep_tokens else await end_tokens(session, user.user_id, access.at())
        change = Change("user.password", user.name, None, {"sessions_ended": count, "tokens_ended": tokens})
        await write_audit(session, actor_of(request, person), change)
    access.standings.forget(user.user_id)
    return PasswordChanged(ended=count, tokens_ended=tokens)


@router.post("/reset", operation_id="postPasswordReset", response_model=Ended)
async def reset_password(request: Request, asked: PasswordReset) -> Ended:
    """Set a new password with a code of the operator. Every session and API token of the account ends."""
    _refuse_foreign(request)
    access, password = access_of(request), asked.new_password.get_secret_value()
    guess = await attempt(request, f"codes:{access.address(request)}")
    password_hash = await access.passwords.hashed(password)
    async with write_session(access.engine) as session:
        opens = await take_code(session, Taking(hashed(plain_code(asked.code)), "reset", access.at()))
        user = None if opens is None or opens.user_id is None else await user_of(session, opens.user_id)
        if user is None:
            raise BadRequest(_NO_CODE)
        _accept_password(password, user.name)
        await set_password(session, user.user_id, password_hash)
        count = await end_sessions(session, user.user_id, Ending(access.at(), "the password was reset"))
        tokens = await end_tokens(session, user.user_id, access.at())
        change = Change("user.password", user.name, None, {"sessions_ended": count, "tokens_ended": tokens})
        await write_audit(session, stranger(request, user.name, user.user_id), change)
    await guess.succeeded()
    access.standings.forget(user.user_id)
    return Ended(ended=count)
