"""Passwords: what may be one, and Argon2id hashes made beside the event loop, a few at a time because each takes 64 MiB."""

import asyncio
import unicodedata
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LEAST_LENGTH, MOST_LENGTH = 12, 200
_AT_ONCE = 2
_LEAST_DIFFERENT = 5


def refusal(password: str, name: str) -> str | None:
    """Why this is no password for the account of that name; None when it is one. Length counts, not kinds of characters."""
    if not LEAST_LENGTH <= len(password) <= MOST_LENGTH:
        return f"a password has {LEAST_LENGTH} to {MOST_LENGTH} characters"
    if len(set(password)) < _LEAST_DIFFERENT or name.lower() in password.lower():
        return (
            f"this password is easy to guess: use {_LEAST_DIFFERENT} different characters at least, and not your name"
        )
    return None


def _normal(password: str) -> str:
    """One form of letters that keyboards write in several ways (RFC 8265, 4.2)."""
    return unicodedata.normalize("NFC", password)


@dataclass(slots=True)
class Passwords:
    """Argon2id with the second recommended parameters of RFC 9106 (64 MiB, three passes), argon2-cffi's default."""

    _hasher: PasswordHasher = field(default_factory=PasswordHasher)
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _nobody: str | None = None

    async def hashed(self, password: str) -> str:
        """The hash to keep, with its parameters and salt in it."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, _normal(password))

    async def fits(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password of this hash. Without one it takes as long, and is not: nobody learns who has an account."""
        if self._nobody is None:
            self._nobody = await self.hashed("nobody's password")
        async with self._turn:
            fits = await asyncio.to_thread(self._verify, password_hash or self._nobody, _normal(password))
        return fits and password_hash is not None

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    def is_old(self, password_hash: str) -> bool:
        """Whether it was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)
