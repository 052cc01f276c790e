"""TCP ports of 127.0.0.1: a free one, or the wanted one with a clear message when somebody has it."""

import socket

from libs.kit.errors import UserError

HOST = "127.0.0.1"


def free_port() -> int:
    """A port nobody listened on a moment ago; the kernel hands out others first, so a clash is unlikely."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


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
    return port
