"""Whether a request that a browser sends with our cookie was made by our own page: the defence against forged requests.

SameSite=Strict already keeps the cookie away from other sites. But a site is no origin: another port of this machine is the same
site, and old browsers know less. Browsers of today say `Sec-Fetch-Site`, all say `Origin` where it matters.
"""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def from_our_page(connection: HTTPConnection) -> bool:
    """Whether a request with our cookie may count. Reading over HTTP always may: another page cannot read the answer."""
    if connection.scope["type"] == "http" and connection.scope["method"] in _SAFE:
        return True
    origin = connection.headers.get("origin")
    if origin is not None:  # browsers send it with every WebSocket and every request that changes something
        return is_our_origin(connection, origin)
    return connection.headers.get("sec-fetch-site") == "same-origin"


def is_our_origin(connection: HTTPConnection, origin: str) -> bool:
    """Whether an Origin header names the place that the request was sent to."""
    host = connection.headers.get("host", "")
    return bool(host) and urlsplit(origin).netloc.lower() == host.lower()


def from_elsewhere(connection: HTTPConnection) -> bool:
    """Whether a browser says that another site's page has made this request: for what needs no cookie, like a log-in."""
    origin = connection.headers.get("origin")
    if origin is not None and not is_our_origin(connection, origin):
        return True
    return connection.headers.get("sec-fetch-site") in ("cross-site", "same-site")
