"""Random tokens for programs and codes for people, and the hash that is kept of each: they are too many to be guessed."""

import hashlib
import secrets

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without those that look alike, for codes that people copy by hand."""
_GROUP = 4


def random_token() -> str:
    """256 random bits, fit for URLs and headers."""
    return secrets.token_urlsafe(32)


def random_id() -> str:
    """128 random bits, for what has no name of its own."""
    return secrets.token_hex(16)


def hashed(token: str) -> str:
    """What is kept of a random token or code: it has too many possibilities to need a slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def readable_code(groups: int) -> str:
    """A random code of so many groups of four letters, 20 bits each."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(groups))


def plain_code(code: str) -> str:
    """The code as `readable_code` wrote it, however a person has typed it."""
    letters = "".join(code.upper().split()).replace("-", "")
    return "-".join(letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP))
