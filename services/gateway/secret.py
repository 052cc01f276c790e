"""The secret that signs access tokens and encrypts second factors: made at the first start, kept where only we read it."""

import os
import secrets
import stat
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from libs.kit.errors import ConfigurationError

_BYTES = 48
_LEAST_BYTES, _LEAST_DIFFERENT = 32, 10
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def gateway_secret(folder: Path) -> bytes:
    """The secret in `folder`/secret; made on the first call, by whichever process is first.

    Raises `ConfigurationError` for a file that cannot be read or made, that others may read, or that could be guessed: it is
    never replaced, because with another secret everybody is signed out and every second factor is lost.
    """
    path = folder / "secret"
    try:
        if not path.exists():
            _make(path)
        mode, content = path.stat().st_mode, path.read_bytes().strip()
    except OSError as error:
        raise _wrong(path, f"it cannot be read: {error.strerror}", "make its folder ours to write") from None
    if mode & _OTHERS:
        raise _wrong(path, f"others may read it (mode {stat.S_IMODE(mode):o})", "chmod 600")
    if len(content) < _LEAST_BYTES or len(set(content)) < _LEAST_DIFFERENT:
        raise _wrong(
            path, f"it could be guessed: write {_LEAST_BYTES} random characters at least", "or delete the file"
        )
    return content


def derived(secret: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose (HKDF of RFC 5869): who learns those of one learns nothing of another."""
    return HKDF(SHA256(), length=32, salt=None, info=f"perpstream gateway {purpose}".encode()).derive(secret)


def _make(path: Path) -> None:
    """Whole or not at all; of two that make it at once, the first one's stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _wrong(path: Path, what: str, todo: str) -> ConfigurationError:
    where = f"PERPSTREAM_GATEWAY_STATE_DIR: {path}"
    return ConfigurationError(f"the gateway's secret cannot be used: {what}", where=where, todo=todo)
