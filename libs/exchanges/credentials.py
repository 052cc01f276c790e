"""API keys from files that nobody else may read, and the two ways to sign with them. A secret is never printed."""

import base64
import hashlib
import hmac
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from libs.kit.errors import ConfigurationError

DOCKER_SECRETS = Path("/run/secrets")
"""Files there are given to one container by the engine, which sets their mode."""
_FORM = '{"key": "...", "secret": "..."} or {"key": "...", "private_key": "-----BEGIN PRIVATE KEY-----..."}'


class Signer(Protocol):
    """Signs the bytes of a request."""

    def sign(self, payload: bytes) -> str:
        """The signature, as text before percent-encoding."""
        ...


@dataclass(frozen=True, slots=True)
class HmacSigner:
    """HMAC-SHA256, in hexadecimal digits."""

    secret: str = field(repr=False)

    def sign(self, payload: bytes) -> str:
        return hmac.new(self.secret.encode(), payload, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Ed25519Signer:
    """Ed25519, in base64."""

    private_key: Ed25519PrivateKey = field(repr=False)

    def sign(self, payload: bytes) -> str:
        return base64.b64encode(self.private_key.sign(payload)).decode()


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key and its signer."""

    key: str = field(repr=False)
    signer: Signer


class _File(msgspec.Struct, forbid_unknown_fields=True):
    key: str
    secret: str = ""
    private_key: str = ""


def read_credentials(path: Path) -> Credentials:
    """The key of a file of mode 600 (or one of Docker's secrets). Raises `ConfigurationError`; no text of it holds a secret."""

    def wrong(what: str, todo: str) -> ConfigurationError:
        return ConfigurationError(what, where=str(path), todo=todo)

    try:
        mode = path.stat().st_mode
        body = path.read_bytes()
    except OSError as error:
        raise wrong(f"the file of the API key cannot be read: {error.strerror}", f"write {_FORM} there") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and not path.resolve().is_relative_to(DOCKER_SECRETS):
        raise wrong(f"others may read the API key: its file has mode {stat.S_IMODE(mode):o}", "chmod 600")
    try:
        found = msgspec.json.decode(body, type=_File)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # their texts may quote the content
        raise wrong("the file of the API key has another form", f"write {_FORM}") from None
    if not (found.key.isascii() and found.key.isprintable() and found.key.strip()) or " " in found.key:
        raise wrong("the API key is empty or holds characters that no key has", f"write {_FORM}")
    if bool(found.secret) == bool(found.private_key):
        raise wrong("either secret or private_key is needed, one of them", f"write {_FORM}")
    if found.secret:
        return Credentials(found.key, HmacSigner(found.secret))
    try:
        private_key = load_pem_private_key(found.private_key.encode(), password=None)
    except (ValueError, TypeError):
        raise wrong("private_key is no unencrypted PEM key", "write the key as the venue's tools made it") from None
    if not isinstance(private_key, Ed25519PrivateKey):
        raise wrong("private_key is not an Ed25519 key", "make an Ed25519 key, or use an HMAC secret")
    return Credentials(found.key, Ed25519Signer(private_key))
