"""From where a request comes: the address that sign-ins are counted by and that the audit names."""

from collections.abc import Sequence
from ipaddress import ip_address

from starlette.requests import HTTPConnection

from services.gateway.settings import Network

UNKNOWN = "unknown"


def address_of(connection: HTTPConnection, proxies: Sequence[Network]) -> str:
    """The caller's address, behind proxies whose word counts."""
    peer = connection.client.host if connection.client else UNKNOWN
    return believed(peer, connection.headers.getlist("x-forwarded-for"), proxies)


def believed(peer: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """The last address before our own proxies: what stands further left in X-Forwarded-For, anybody may have written."""
    chain = [part.strip() for line in forwarded for part in line.split(",")]
    seen = peer
    while chain and _is_one_of(seen, proxies):
        seen = chain.pop()
    return seen if _is_address(seen) else peer


def _is_one_of(address: str, proxies: Sequence[Network]) -> bool:
    return _is_address(address) and any(ip_address(address) in network for network in proxies)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
