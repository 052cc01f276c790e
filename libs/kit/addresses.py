"""Addresses as settings write them."""

from urllib.parse import urlsplit


def broker_addresses(bootstrap: str) -> list[tuple[str, int]]:
    """Host and port of each broker: HOST:PORT separated by commas, an IPv6 host in brackets. Raises `ValueError`."""
    found = []
    for address in bootstrap.split(","):
        parts = urlsplit(f"//{address.strip()}")
        if not parts.hostname or parts.port is None:
            raise ValueError(f"{address.strip()!r} is no HOST:PORT")
        found.append((parts.hostname, parts.port))
    return found
