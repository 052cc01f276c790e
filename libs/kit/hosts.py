"""Which names stand for this machine alone: what listens for it only answers to no other name.

A page elsewhere may resolve its own name to 127.0.0.1 and have a browser ask us; the Host header still says that name.
"""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether a host name or address stands for this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(header: str) -> str:
    """The host of a Host header, without its port and without the brackets of an IPv6 address."""
    host = header.strip()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host
