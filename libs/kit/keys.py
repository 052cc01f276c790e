"""Ed25519 keys of people: private ones that sign on a person's machine, and the folder of public ones that services trust.

A private key is a file NAME.key of mode 600; whom a service trusts is a folder of NAME.pub. No text here holds a private key.
Signatures are those of RFC 8032, in base64. A public line may end in `only=a,b`: then that key counts for these purposes alone.
"""

import base64
import binascii
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from libs.kit.errors import ConfigurationError, UserError

KeyProblem = Literal["unknown_issuer", "keys_unreadable", "wrong_signature", "not_permitted"]
PRIVATE, PUBLIC = ".key", ".pub"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_KIND = "ed25519"
_PRIVATE_MARK = "PRIVATE KEY-----"
_ONLY = "only="
_PURPOSES = re.compile(r"[a-z_]{1,32}(,[a-z_]{1,32})*")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def is_key_name(name: str) -> bool:
    """Whether a person's key may have this name: 1 to 32 of a-z 0-9 _ -, which is a file's name on every machine."""
    return _NAME.fullmatch(name) is not None


def require_key_name(name: str) -> str:
    """The name; raises `ConfigurationError` for one that no key may have."""
    if not is_key_name(name):
        raise ConfigurationError(f"{name[:40]!r} is no name of a key", todo="write 1 to 32 of a-z, 0-9, _ and -")
    return name


@dataclass(frozen=True, slots=True)
class PersonalKey:
    """What a person signs with. `public`: the line that others put into their folder of trusted keys."""

    name: str
    private: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> str:
        raw = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"{_KIND} {base64.b64encode(raw).decode()} {self.name}"

    def sign(self, payload: bytes) -> str:
        """The signature of these bytes, in base64."""
        return base64.b64encode(self.private.sign(payload)).decode()


def new_key(folder: Path, name: str) -> PersonalKey:
    """Make a key and keep it in the folder, with its public line beside it. Raises `UserError` where there is one of that name,
    `ConfigurationError` where the folder cannot be written."""
    key = PersonalKey(require_key_name(name), Ed25519PrivateKey.generate())
    path = folder / f"{name}{PRIVATE}"
    text = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, text, 0o600, os.O_EXCL)
        _write(path.with_suffix(PUBLIC), f"{key.public}\n".encode(), 0o644, os.O_TRUNC)
    except FileExistsError:
        raise UserError(f"there is a key {name} already", where=str(path), todo="choose another name") from None
    except OSError as error:
        raise _unwritable(folder, error) from None
    return key


def read_key(folder: Path, name: str) -> PersonalKey:
    """The key of that name. Raises `ConfigurationError` where there is none, others may read it, or it is no key."""
    path = folder / f"{require_key_name(name)}{PRIVATE}"
    try:
        mode, text = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the key {name} cannot be read: {error.strerror}", where=str(path), todo="perpstream keys new"
        ) from None
    if mode & _OTHERS:
        raise ConfigurationError(
            f"others may read the key: its file has mode {stat.S_IMODE(mode):o}", where=str(path), todo="chmod 600"
        )
    try:
        private = load_pem_private_key(text, password=None)
    except (ValueError, TypeError):  # their texts may quote the content
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigurationError("the file is no Ed25519 key", where=str(path), todo="make one: perpstream keys new")
    return PersonalKey(name, private)


def key_names(folder: Path) -> tuple[str, ...]:
    """The private keys of the folder, by name; none where it cannot be read."""
    return _names(folder, PRIVATE)


@dataclass(frozen=True, slots=True)
class TrustedFolder:
    """The public keys of those whose commands count, each a file NAME.pub; read anew for every question, so that a key that is
    taken away counts no longer. A folder that cannot be read, or that others may write, trusts nobody."""

    folder: Path

    def problem(self, name: str, payload: bytes, signature: str, purpose: str) -> KeyProblem | None:
        """Why `signature` is not the one of `name` under `payload`, or why this key does not count for `purpose`; None when it
        is and does. Raises nothing."""
        if not is_key_name(name):
            return "unknown_issuer"
        path = self.folder / f"{name}{PUBLIC}"
        try:
            _require_unwritable(self.folder)
            text = path.read_text() if path.exists() else None
            if text is None:
                return "unknown_issuer"
            _require_unwritable(path)
            public, purposes = _public(text), _purposes(text)
        except (OSError, ValueError):
            return "keys_unreadable"
        try:
            public.verify(base64.b64decode(signature, validate=True), payload)
        except (InvalidSignature, binascii.Error, ValueError):
            return "wrong_signature"
        return None if purposes is None or purpose in purposes else "not_permitted"

    def limits(self, name: str) -> tuple[str, ...] | None:
        """For what alone this name is trusted; None: for everything. Raises `ValueError`, `OSError` where that cannot be read."""
        found = _purposes((self.folder / f"{require_key_name(name)}{PUBLIC}").read_text())
        return None if found is None else tuple(sorted(found))

    def names(self) -> tuple[str, ...]:
        """Who is trusted, by name; nobody where the folder cannot be read."""
        return _names(self.folder, PUBLIC)

    def unreadable(self) -> str | None:
        """Why nobody is trusted at all, in words; None when the folder can be read."""
        try:
            _require_unwritable(self.folder)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            return f"the folder of trusted keys cannot be used: {self.folder}: {reason}"
        return None

    def trust(self, public: str, only: Sequence[str] | None = None, *, everything: bool = False) -> str:
        """Trust the owner of this public line, for the purposes of `only`, else of the line, else for those that this key is
        trusted for already, else, and where `everything` is said, for everything; returns the name. Raises `UserError` where
        somebody else has that name, `ConfigurationError` for text that is no such line, a limit that cannot be read, and a
        folder that cannot be written."""
        parts = public.split()
        line = " ".join(parts[:3] if only is None else (*parts[:3], f"{_ONLY}{','.join(only)}"))
        if only is None and len(parts) > 3:
            line = " ".join(parts)
        try:
            _public(line)
            _purposes(line)
            name = require_key_name(parts[2])
        except (ValueError, IndexError):
            # What was given is not quoted: it may be the private key, named by mistake.
            what = (
                "this is a private key, which nobody else needs" if _PRIVATE_MARK in public else "this is no public key"
            )
            raise ConfigurationError(
                what, todo=f"give NAME{PUBLIC}: the line `{_KIND} BASE64 NAME`, with `{_ONLY}a,b` behind it at most"
            ) from None
        path = self.folder / f"{name}{PUBLIC}"
        try:
            if path.exists():
                line = _again(path, line, everything=everything)
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            _write(path, f"{line}\n".encode(), 0o644, os.O_TRUNC)
        except OSError as error:
            raise _unwritable(self.folder, error) from None
        return name

    def revoke(self, name: str) -> None:
        """Trust this name no longer. Raises `UserError` where it is not trusted."""
        path = self.folder / f"{require_key_name(name)}{PUBLIC}"
        try:
            path.unlink()
        except FileNotFoundError:
            raise UserError(f"{name} is not trusted", where=str(path), todo="perpstream keys list") from None
        except OSError as error:
            raise _unwritable(self.folder, error) from None


def _again(path: Path, line: str, *, everything: bool) -> str:
    """What to keep of a line for a name that is trusted already: its limit stays unless another one, or none, is asked for."""
    before, name = path.read_text(), path.stem
    if before.split()[:2] != line.split()[:2]:
        raise UserError(f"another key of {name} is trusted", where=str(path), todo=f"perpstream keys revoke {name}")
    if everything or _purposes(line) is not None:
        return line
    try:
        limit = _purposes(before)
    except ValueError:
        raise ConfigurationError(
            f"for what {name} is trusted cannot be read", where=str(path), todo="say --only or --everything"
        ) from None
    return line if limit is None else f"{line} {_ONLY}{','.join(sorted(limit))}"


def _public(text: str) -> Ed25519PublicKey:
    """Raises `ValueError` for what is no public line."""
    kind, encoded, *_ = (*text.split(), "", "")
    if kind != _KIND:
        raise ValueError("another kind of key")
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded, validate=True))


def _purposes(text: str) -> frozenset[str] | None:
    """For what the key of this line counts; None: for everything. Raises `ValueError` for a limit that is not understood: who
    wrote one did not mean everything."""
    match text.split()[3:]:
        case []:
            return None
        case [limit] if limit.startswith(_ONLY) and _PURPOSES.fullmatch(limit.removeprefix(_ONLY)):
            return frozenset(limit.removeprefix(_ONLY).split(","))
    raise ValueError("its limit is not understood")


def _require_unwritable(path: Path) -> None:
    """Whoever can write there could trust themselves."""
    if path.stat().st_mode & _OTHERS_WRITE:
        raise ValueError("others may write it: chmod go-w")


def _names(folder: Path, suffix: str) -> tuple[str, ...]:
    try:
        return tuple(sorted(path.stem for path in folder.iterdir() if path.suffix == suffix and is_key_name(path.stem)))
    except OSError:
        return ()


def _write(path: Path, text: bytes, mode: int, how: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | how, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask says
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _unwritable(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"the keys cannot be written: {error.strerror}", where=str(folder), todo="name a folder that you may write"
    )
