"""How a sign-in is answered: a session in the database, and its tokens as cookies for a page or in the body for a program."""

import datetime as dt
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from libs.kit.codes import hashed, random_id, random_token
from libs.store.engine import WriteSession
from libs.store.user_sessions import NewSession, open_session
from services.gateway.access import ACCESS_COOKIE, access_of
from services.gateway.access_tokens import ACCESS_SECONDS
from services.gateway.models.people import GivenTo, SignedIn, Tokens

REFRESH_COOKIE = "perpstream_refresh"
AUTH_PATH = "/api/auth"
SESSION_LENGTH = dt.timedelta(days=30)
LOCAL_LENGTH = dt.timedelta(hours=12)
_MOST_DEVICE = 200


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that has just been opened or refreshed, and what its owner gets."""

    user_id: str
    session_id: str
    refresh_token: str
    expires_at: dt.datetime


async def opened_session(session: WriteSession, request: Request, user_id: str, length: dt.timedelta) -> Opened:
    """A new session of this person on the device that asks."""
    access = access_of(request)
    at = access.at()
    opened = Opened(user_id, random_id(), random_token(), at + length)
    device = "".join(filter(str.isprintable, request.headers.get("user-agent", "")))[:_MOST_DEVICE]
    new = NewSession(opened.session_id, user_id, at, opened.expires_at, access.address(request), device)
    await open_session(session, new, hashed(opened.refresh_token))
    return opened


def signed_in(request: Request, opened: Opened, given_to: GivenTo) -> Response:
    """The answer to who has signed in: cookies that no script can read, or tokens for a program to keep."""
    access = access_of(request)
    token = access.tokens.issue(opened.user_id, opened.session_id, access.now())
    tokens = None
    if given_to == "program":
        tokens = Tokens(access_token=token, refresh_token=opened.refresh_token)
    body = SignedIn(access_seconds=ACCESS_SECONDS, expires_ms=ms(opened.expires_at), tokens=tokens)
    answer = JSONResponse(body.model_dump(mode="json"), headers={"Cache-Control": "no-store"})
    if given_to == "page":
        set_cookies(request, answer, opened, token)
    return answer


def set_cookies(request: Request, answer: Response, opened: Opened, token: str) -> None:
    """Put both tokens into the browser."""
    left = int(opened.expires_at.timestamp() - access_of(request).now())
    for name, value, path, seconds in (
        (ACCESS_COOKIE, token, "/api", ACCESS_SECONDS),
        (REFRESH_COOKIE, opened.refresh_token, AUTH_PATH, left),
    ):
        answer.set_cookie(
            name, value, max_age=seconds, path=path, httponly=True, samesite="strict", secure=_secure(request)
        )


def clear_cookies(request: Request, answer: Response) -> None:
    """Take both tokens out of the browser."""
    for name, path in ((ACCESS_COOKIE, "/api"), (REFRESH_COOKIE, AUTH_PATH)):
        answer.delete_cookie(name, path=path, httponly=True, samesite="strict", secure=_secure(request))


def _secure(request: Request) -> bool:
    return access_of(request).rules.gateway_behind_tls


def ms(at: dt.datetime) -> int:
    """As the API says instants."""
    return int(at.timestamp() * 1000)
