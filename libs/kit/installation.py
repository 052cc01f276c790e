"""Which installation this is: a random name in a file, made once, so that two of them on one account know each other's orders."""

import os
import secrets
from pathlib import Path

from libs.kit.errors import ConfigurationError

_BYTES = 16


def installation_name(path: Path) -> str:
    """The name that the file holds; made on the first call, by whichever process is first.

    Raises `ConfigurationError` for a file that cannot be read, made, or holds nothing: a new name would disown open orders.
    """
    try:
        if not path.exists():
            _make(path)
        name = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(
            path, f"the installation's name cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    if not (name.isascii() and name.isalnum()):
        raise _wrong(path, "the installation's name is empty or damaged")
    return name


def _make(path: Path) -> None:
    """Whole or not at all; of two that make it at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, secrets.token_hex(_BYTES).encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _wrong(path: Path, what: str) -> ConfigurationError:
    return ConfigurationError(
        what,
        where=f"PERPSTREAM_INSTALLATION_FILE={path}",
        todo="restore it from a backup; without one, close what this account has open, then delete the file",
    )
