"""TCP ports of 127.0.0.1: a free one, or the wanted one with a clear message when somebody has it."""

import fcntl
import functools
import os
import secrets
import socket
import tempfile
from pathlib import Path

from libs.kit.errors import UserError

HOST = "127.0.0.1"
_LOWEST, _ATTEMPTS = 20_000, 100
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_promised: set[int] = set()


def free_port() -> int:
    """A port that nobody uses, outside the range from which the kernel takes the near ends of outgoing connections.

    A port of that range may be taken by any connection of this machine before a server that was told to use it has started.
    It is promised to nobody else until this process ends, see `promise`.
    """
    below = _first_ephemeral_port()
    for _ in range(_ATTEMPTS if below > _LOWEST else 0):
        port = secrets.randbelow(below - _LOWEST) + _LOWEST
        if promise(port):
            return port
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        if promise(port):
            return port


def _first_ephemeral_port() -> int:
    try:
        return int(_EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32768


def promise(port: int) -> bool:
    """Whether a server may be told to use `port`: it can be opened now, and no other server was promised it.

    Between the choice of a port and the moment when its server opens it, seconds pass. A promise holds until this process
    ends: within it by a set, among all stacks of this user by a lock on the port's byte of one file.
    """
    if port in _promised or not can_bind(port) or not _lock(port):
        return False
    _promised.add(port)
    return True


def _lock(port: int) -> bool:
    try:
        fcntl.lockf(_promises(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except BlockingIOError:
        return False
    except OSError:  # a folder for temporary files that refuses us: promises hold within this process only
        return True
    return True


@functools.cache
def _promises() -> int:
    path = Path(tempfile.gettempdir()) / f"perpstream-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def can_bind(port: int) -> bool:
    """Whether a server could open the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def is_open(port: int, timeout_seconds: float = 0.5) -> bool:
    """Whether somebody accepts connections there."""
    try:
        with socket.create_connection((HOST, port), timeout=timeout_seconds):
            return True
    except OSError:
        return False


def require_free(port: int, what: str, setting: str) -> int:
    """Return `port` if it can be bound now; raises `UserError` naming the option that chooses another."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UserError(
                f"the port for {what} cannot be used: {error.strerror}",
                where=f"{HOST}:{port}",
                todo=f"stop the program that listens there, or choose another port with {setting}",
            ) from None
    if port in _promised or not _lock(port):
        raise UserError(
            f"the port for {what} belongs to another server that is starting",
            where=f"{HOST}:{port}",
            todo=f"choose another port with {setting}",
        )
    _promised.add(port)
    return port
