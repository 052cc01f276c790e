"""Guesses at passwords and codes: each is counted against the account and the address first, and refused while one is locked."""

from fastapi import Request
from pydantic import SecretStr

from libs.kit.logging import get_logger
from libs.store.engine import WriteSession, read_session, write_session
from libs.store.people import User, locked_user, user_of
from libs.store.sign_in_failures import begin_attempt, forgive, take_back
from libs.store.user_sessions import has_come_from
from services.gateway.access import Forbidden, Person, access_of
from services.gateway.limits import TooMany

_WRONG = "the password is wrong"


class Attempt:
    """One guess; `succeeded` takes it back from what was counted."""

    def __init__(self, request: Request, subject: str) -> None:
        self._request, self._subject = request, subject
        self._address = f"address:{access_of(request).address(request)}"

    async def begin(self) -> None:
        """Count it. Raises `TooMany`."""
        access = access_of(self._request)
        at = access.at()
        async with write_session(access.engine) as session:
            until = await begin_attempt(session, (self._subject, self._address), at)
        if until is not None:
            # A name is no log entry: people type their password into that field.
            get_logger("gateway").warning("attempts are locked", of=self._subject.partition(":")[0], at=self._address)
            raise TooMany((until - at).total_seconds(), "too many attempts have failed: wait before the next one")

    async def succeeded(self) -> None:
        """It was a good one."""
        async with write_session(access_of(self._request).engine) as session:
            await forgive(session, self._subject)
            await take_back(session, self._address)


async def attempt(request: Request, subject: str) -> Attempt:
    """A guess at this account or code, counted. Raises `TooMany`."""
    made = Attempt(request, subject)
    await made.begin()
    return made


async def log_in_attempt(request: Request, name: str) -> Attempt:
    """A guess at the password of this name, counted. Raises `TooMany`.

    A name is no secret: whoever fails with it from anywhere must not keep its owner out. So an address from which the account
    was signed in to before has a count of its own.
    """
    access = access_of(request)
    address = access.address(request)
    async with read_session(access.engine) as session:
        known = await has_come_from(session, name, address)
    return await attempt(request, f"account:{name} from {address}" if known else f"account:{name}")


async def require_password(request: Request, person: Person, password: SecretStr) -> User:
    """The person's account, if this is their password: what a found, unlocked screen cannot give. Raises `TooMany`,
    `Forbidden`. What strangers guess at the log-in counts not here, or they would keep the owner from shutting them out."""
    access = access_of(request)
    guess = await attempt(request, f"password:{person.user_id}")
    async with read_session(access.engine) as session:
        user = await user_of(session, person.user_id)
    password_hash = None if user is None else user.password_hash
    if not await access.passwords.fits(password_hash, password.get_secret_value()) or user is None:
        raise Forbidden(_WRONG)
    await guess.succeeded()
    return user


async def require_unchanged(session: WriteSession, user: User) -> None:
    """Keep the account of `require_password` as it is until this transaction ends. Raises `Forbidden` where it was banned, or got
    another password, since it was looked at: whoever did that wanted what is on its way to fail."""
    now = await locked_user(session, user.user_id)
    if now is None or now.banned_at is not None or now.password_hash != user.password_hash:
        raise Forbidden(_WRONG)
