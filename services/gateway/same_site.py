"""Whether a request that a browser sends with our cookie was made by our own page: the defence against forged requests.

SameSite=Strict already keeps the cookie away from other sites. But a site is no origin: another port of this machine is the same
site, and old browsers know less. Browsers of today say `Sec-Fetch-Site`, all say `Origin` where it matters.
"""

from starlette.requests import HTTPConnection

from services.gateway.settings import GatewaySettings

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def from_our_page(connection: HTTPConnection, rules: GatewaySettings) -> bool:
    """Whether a request with our cookie may count. Reading over HTTP always may: another page cannot read the answer."""
    if connection.scope["type"] == "http" and connection.scope["method"] in _SAFE:
        return True
    origin, site = connection.headers.get("origin"), connection.headers.get("sec-fetch-site")
    if origin is not None:  # browsers send it with every WebSocket and every request that changes something
        return is_our_origin(connection, origin, rules) and site in _sites_of_our_page(connection)
    return site == "same-origin"


def _sites_of_our_page(connection: HTTPConnection) -> tuple[str | None, ...]:
    """What a browser may say of our own page. Not all of them take ws: and http: for one origin; their Origin says the page's."""
    return (None, "same-origin", "same-site") if connection.scope["type"] == "websocket" else (None, "same-origin")


def is_our_origin(connection: HTTPConnection, origin: str, rules: GatewaySettings) -> bool:
    """Whether an Origin header names the place that the request was sent to. Behind TLS a page that came in the clear is none of
    ours: whoever is on the way to it may have written it."""
    host = connection.headers.get("host", "").lower()
    schemes = ("https",) if rules.gateway_behind_tls else ("http", "https")
    return bool(host) and origin.lower() in {f"{scheme}://{host}" for scheme in schemes}


def from_elsewhere(connection: HTTPConnection, rules: GatewaySettings) -> bool:
    """Whether a browser says that another site's page has made this request: for what needs no cookie, like a log-in."""
    origin = connection.headers.get("origin")
    if origin is not None and not is_our_origin(connection, origin, rules):
        return True
    return connection.headers.get("sec-fetch-site") in ("cross-site", "same-site")
