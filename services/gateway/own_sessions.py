"""What people see and do of their own: who they are here, where they are signed in, and the tokens of their programs."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.requests import HTTPConnection

from libs.kit.codes import hashed, random_id, random_token
from libs.store.api_tokens import NewToken as KeptToken
from libs.store.api_tokens import TokenRow, add_token, end_token, tokens_of
from libs.store.audit import Change, write_audit
from libs.store.engine import read_session, write_session
from libs.store.people import Standing
from libs.store.user_sessions import Ending, SessionRow, end_session, sessions_of
from services.gateway.access import SCOPES_OF_ROLE, AnyPerson, Forbidden, SignedInPerson, access_of
from services.gateway.access_tokens import API_TOKEN_PREFIX
from services.gateway.attempts import require_password, require_unchanged
from services.gateway.auditing import actor_of
from services.gateway.local_viewer import LOCAL_VIEWER
from services.gateway.models.people import (
    ApiTokens,
    Ended,
    MadeToken,
    Me,
    NewToken,
    SessionAnswer,
    Sessions,
    TokenAnswer,
)
from services.gateway.problems import SIGNED_IN_RESPONSES, SIGNING_IN_RESPONSES, NotFound
from services.gateway.signing_in import ms

router = APIRouter(prefix="/api/auth", tags=["account"], responses=SIGNING_IN_RESPONSES)

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{8,40}$", examples=["8c1f02ab77de4c3f9a8b1c2d3e4f5061"])]


@router.get("/me", operation_id="getMe", response_model=Me, responses=SIGNED_IN_RESPONSES)
async def me(request: Request, person: AnyPerson) -> Me:
    """Who asks, and what they may."""
    standing: Standing = request.state.standing
    return Me(
        name=person.name,
        role=person.role,
        scopes=tuple(sorted(person.scopes)),
        is_local_viewer=person.user_id == LOCAL_VIEWER.user_id,
        second_factor=standing.has_second_factor,
        proven_until_ms=_proven(request, standing),
        session_id=person.session_id,
        token_id=person.token_id,
    )


def _proven(connection: HTTPConnection, standing: Standing) -> int | None:
    until = standing.proven_until
    return None if until is None or until <= access_of(connection).at() else ms(until)


@router.get("/sessions", operation_id="getSessions", response_model=Sessions, responses=SIGNED_IN_RESPONSES)
async def sessions(request: Request, person: SignedInPerson) -> Sessions:
    """Where you are signed in."""
    access = access_of(request)
    async with read_session(access.engine) as session:
        found = await sessions_of(session, person.user_id, access.at())
    return Sessions(sessions=tuple(_session(row, row.session_id == person.session_id) for row in found))


def _session(row: SessionRow, current: bool) -> SessionAnswer:
    return SessionAnswer(
        session_id=row.session_id,
        created_ms=ms(row.created_at),
        seen_ms=ms(row.seen_at),
        expires_ms=ms(row.expires_at),
        address=row.address,
        device=row.device,
        current=current,
    )


@router.delete("/sessions/{session_id}", operation_id="deleteSession", response_model=Ended)
async def end_own_session(request: Request, person: SignedInPerson, session_id: Id) -> Ended:
    """Sign out a device of yours."""
    access = access_of(request)
    async with write_session(access.engine) as session:
        if not await end_session(session, person.user_id, session_id, Ending(access.at(), "signed out elsewhere")):
            raise NotFound("you have no session of that id that runs")
        await write_audit(session, actor_of(request, person), Change("session.end", session_id))
    access.standings.forget(person.user_id)
    return Ended(ended=1)


@router.get("/tokens", operation_id="getTokens", response_model=ApiTokens)
async def tokens(request: Request, person: SignedInPerson) -> ApiTokens:
    """The API tokens of your programs."""
    async with read_session(access_of(request).engine) as session:
        return ApiTokens(tokens=tuple(_token(row) for row in await tokens_of(session, person.user_id)))


def _token(row: TokenRow | KeptToken) -> TokenAnswer:
    used_at = row.used_at if isinstance(row, TokenRow) else None
    return TokenAnswer.model_validate(
        {
            "token_id": row.token_id,
            "name": row.name,
            "scopes": tuple(row.scopes),
            "created_ms": ms(row.created_at),
            "expires_ms": ms(row.expires_at),
            "used_ms": None if used_at is None else ms(used_at),
        }
    )


@router.post("/tokens", operation_id="postToken", response_model=MadeToken)
async def make_token(request: Request, person: SignedInPerson, asked: NewToken) -> MadeToken:
    """Make a token for a program. It may do what its scopes and your role both allow, and never what raises risk."""
    access, at = access_of(request), access_of(request).at()
    if lacking := sorted(set(asked.scopes) - SCOPES_OF_ROLE[person.role]):
        raise Forbidden(f"you have no right to {' and '.join(lacking)} yourself")
    user = await require_password(request, person, asked.password)
    text = f"{API_TOKEN_PREFIX}{random_token()}"
    scopes = sorted(set(asked.scopes))
    expires_at = at + dt.timedelta(days=asked.days)
    kept = KeptToken(random_id()[:16], user.user_id, asked.name, hashed(text), scopes, at, expires_at)
    async with write_session(access.engine) as session:
        await require_unchanged(session, user)
        await add_token(session, kept)
        after = {"name": asked.name, "scopes": scopes, "expires_at": expires_at}
        await write_audit(session, actor_of(request, person), Change("token.make", kept.token_id, None, after))
    return MadeToken(token=text, details=_token(kept))


@router.delete("/tokens/{token_id}", operation_id="deleteToken", response_model=Ended)
async def end_own_token(request: Request, person: SignedInPerson, token_id: Id) -> Ended:
    """Let a program in no longer."""
    access = access_of(request)
    async with write_session(access.engine) as session:
        if not await end_token(session, person.user_id, token_id, access.at()):
            raise NotFound("you have no token of that id")
        await write_audit(session, actor_of(request, person), Change("token.end", token_id))
    access.standings.forget(person.user_id)
    return Ended(ended=1)
