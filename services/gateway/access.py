"""Who asks, and whether they may: the dependencies that every route but health and rates has.

A page comes with an HttpOnly cookie, a program with `Authorization: Bearer`: an access token of a sign-in, or an API token.
A route says what it needs by the type of a parameter (`person: Reader`) or by `dependencies=[needs("read")]` of its router.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer, SecurityScopes
from starlette.requests import HTTPConnection

from libs.kit.codes import hashed
from libs.kit.errors import UserError
from libs.store.api_tokens import token_used
from libs.store.engine import Engine, write_session
from libs.store.people import Role, Standing
from services.gateway.access_tokens import API_TOKEN_PREFIX, AccessTokens
from services.gateway.budgets import wait_for
from services.gateway.caller import address_of
from services.gateway.factors import Factors
from services.gateway.limits import Limit, TooMany
from services.gateway.models.people import Scope
from services.gateway.passwords import Passwords
from services.gateway.same_site import from_our_page
from services.gateway.settings import AccessSettings, GatewaySettings
from services.gateway.standings import Key, Standings

ACCESS_COOKIE = "perpstream_access"
SCOPES_OF_ROLE: dict[Role, frozenset[Scope]] = {
    "viewer": frozenset({"read"}),
    "trader": frozenset({"read", "trade"}),
    "admin": frozenset({"read", "trade", "administer"}),
}
_LOOKED_AT_SECONDS = 5.0
_NOTED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks. `session_id` None: a program with the API token `token_id`. `scopes`: what role and token both allow."""

    name: str
    role: Role
    scopes: frozenset[Scope]
    user_id: str
    session_id: str | None
    token_id: str | None


class Unauthenticated(Exception):
    """401: nobody is signed in, or no longer."""


class Forbidden(Exception):
    """403: who asks may not do this."""


class SecondFactorNeeded(Forbidden):
    """403 of its own kind, so that a page knows to ask for a code."""


@dataclass(slots=True)
class Access:
    """Resolves requests to people. `now`: seconds since the epoch. `engine` asks and changes what is kept of people: it is theirs
    alone, so that no other question keeps anybody out."""

    engine: Engine
    tokens: AccessTokens
    standings: Standings
    factors: Factors
    rules: GatewaySettings
    limits: AccessSettings
    passwords: Passwords = field(default_factory=Passwords)
    now: Callable[[], float] = time.time
    _asked: Limit = field(init=False)
    _noted: dict[str, float] = field(default_factory=dict)
    _notes: set["asyncio.Task[None]"] = field(default_factory=set)

    def __post_init__(self) -> None:
        each = self.limits.gateway_requests_per_second
        self._asked = Limit(each, 2 * each)

    def count(self, person: Person, connection: HTTPConnection) -> None:
        """Raises `TooMany` for a person that asks too often, from however many addresses."""
        if wait := wait_for(self._asked, person.user_id, connection, self.rules):
            raise TooMany(wait)

    def at(self) -> dt.datetime:
        """This instant."""
        return dt.datetime.fromtimestamp(self.now(), dt.UTC)

    def address(self, connection: HTTPConnection) -> str:
        """From where it comes."""
        return address_of(connection, self.rules.proxies)

    async def person(self, connection: HTTPConnection) -> Person:
        """Who asks, be it over HTTP or a WebSocket. Raises `Unauthenticated`, `Forbidden` (a foreign page's request),
        `UnreachableError`."""
        found: Person | None = getattr(connection.state, "person", None)
        if found is None:
            connection.state.standing = await self.standing(self._key(connection))
            connection.state.person = found = person_of(connection.state.standing)
            if found.token_id is not None:
                self._note(found.token_id)
        return found

    def _note(self, token_id: str) -> None:
        """Write down, once a minute and beside the request, that a program has come with this token."""
        if self.now() - self._noted.get(token_id, 0.0) >= _NOTED_SECONDS:
            self._noted[token_id] = self.now()
            task = asyncio.create_task(self._write_note(token_id))
            self._notes.add(task)
            task.add_done_callback(self._notes.discard)

    async def _write_note(self, token_id: str) -> None:
        with suppress(UserError):  # a date for people to look at, which the next request writes
            async with write_session(self.engine) as session:
                await token_used(session, token_id, self.at())

    def _key(self, connection: HTTPConnection) -> Key:
        kind, _, token = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token.startswith(API_TOKEN_PREFIX):
            return Key(token_hash=hashed(token))
        if kind.lower() != "bearer":
            token = connection.cookies.get(ACCESS_COOKIE, "")
            if token and not from_our_page(connection, self.rules):
                raise Forbidden("this request does not come from our own page")
        session_id = self.tokens.session_of(token, self.now()) if token else None
        if session_id is None:
            raise Unauthenticated("sign in first" if not token else "the access token is over, or none of ours")
        return Key(session_id=session_id)

    async def standing(self, key: Key) -> Standing:
        """What is known of who stands behind the key; raises `Unauthenticated` when they may not come in."""
        standing = await self.standings.of(key)
        if standing is None:
            raise Unauthenticated("nobody stands behind this token")
        if standing.banned or standing.ended or standing.expires_at.timestamp() <= self.now():
            raise Unauthenticated("this sign-in has ended")
        return standing

    async def require_second_factor(self, person: Person) -> None:
        """Raises `SecondFactorNeeded` unless the person's session has given a second factor in the last minutes."""
        if person.session_id is None:
            raise Forbidden("an API token cannot raise risk: sign in and give your second factor")
        standing = await self.standing(Key(session_id=person.session_id))
        proven = standing.proven_until
        if proven is None or proven <= self.at():
            raise SecondFactorNeeded(
                "this raises risk: give the code of your second factor first (POST /api/auth/second-factor/proof)"
                if standing.has_second_factor
                else "this raises risk and needs a second factor: set one up first (POST /api/auth/second-factor)"
            )

    async def until_out(self, connection: HTTPConnection) -> str:
        """Wait until who opened this connection may no longer have it, and say why: for connections that stay open.

        A ban, the end of the session and another role count at once; the end of the access token that it was opened with does
        not, because pages renew theirs beside it.
        """
        key, person = self._key(connection), await self.person(connection)
        while True:
            await self.standings.wait_for_change(_LOOKED_AT_SECONDS)
            try:
                now = person_of(await self.standing(key))
            except Unauthenticated as error:
                return str(error)
            except UserError:
                continue  # a database that does not answer takes no right away
            if now.scopes != person.scopes:
                return "what you may do has changed: connect again"


def person_of(standing: Standing) -> Person:
    """The person with what role and token both allow."""
    scopes = SCOPES_OF_ROLE[standing.role]
    if standing.scopes is not None:
        scopes &= frozenset(standing.scopes)
    return Person(standing.name, standing.role, scopes, standing.user_id, standing.session_id, standing.token_id)


def access_of(connection: HTTPConnection) -> Access:
    """The application's."""
    access: Access = connection.app.state.access
    return access


_BEARER = HTTPBearer(
    scheme_name="bearer", auto_error=False, description="An access token of /api/auth/login, or an API token"
)
_COOKIE = APIKeyCookie(name=ACCESS_COOKIE, scheme_name="cookie", auto_error=False, description="Set by a sign-in")


async def _person(
    request: Request,
    needed: SecurityScopes,
    _: Annotated[Any, Security(_BEARER)],
    __: Annotated[Any, Security(_COOKIE)],
) -> Person:
    access = access_of(request)
    person = await access.person(request)
    access.count(person, request)
    require_scopes(person, needed.scopes)
    return person


def require_scopes(person: Person, needed: list[str]) -> None:
    """Raises `Forbidden` unless the person has all of these."""
    if lacking := sorted(set(needed) - person.scopes):
        raise Forbidden(f"{person.name} may not do this: it needs the right to {' and '.join(lacking)}")


def needs(scope: Scope) -> Any:
    """A dependency for a whole router: whoever asks must have this scope."""
    return Security(_person, scopes=[scope])


async def _session_person(person: Annotated[Person, Security(_person, scopes=[])]) -> Person:
    if person.session_id is None:
        raise Forbidden("an API token cannot do this: sign in")
    return person


AnyPerson = Annotated[Person, Security(_person, scopes=[])]
"""Whoever has come in, be it a program, for what is about themselves."""
SignedInPerson = Annotated[Person, Security(_session_person)]
"""Whoever has signed in, of any role, for what is their own; no program with an API token."""
Reader = Annotated[Person, Security(_person, scopes=["read"])]
Trader = Annotated[Person, Security(_person, scopes=["trade"])]
Administrator = Annotated[Person, Security(_person, scopes=["administer"])]


async def second_factor(request: Request) -> None:
    """A dependency beside `Trader` or `Administrator`, for what raises risk. Raises `SecondFactorNeeded`."""
    access = access_of(request)
    await access.require_second_factor(await access.person(request))
