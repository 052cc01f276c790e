"""Who may drive the simulator: /sim/* is not for pages that a browser of this machine happens to show.

A page elsewhere can have a browser send us what needs no preflight, and can resolve its own name to 127.0.0.1. The paths of
the venue itself change nothing without a key, and are asked under whatever name a client library has for them.
"""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

from libs.kit.hosts import host_of, is_loopback
from services.exchange_simulator.rest.errors import reply

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guarded(listening_on: str):  # type: ignore[no-untyped-def]
    """The middleware in front of /sim/*. A port that listens on this machine only answers to its names only; one that is opened
    to others, as in a container, answers to addresses too and to names without a dot, which no site has."""
    private = is_loopback(listening_on)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/sim" or request.path.startswith("/sim/"):
            refusal = _refusal(request, private=private)
            if refusal is not None:
                return refusal
        return await handler(request)

    return middleware


def _refusal(request: web.Request, *, private: bool) -> web.Response | None:
    header, origin = request.headers.get("Host"), request.headers.get("Origin")
    host = None if header is None else host_of(header)
    if private and host is not None and not is_loopback(host):
        what, todo = "this port answers to localhost only", "call http://127.0.0.1 or localhost"
        return reply({"error": what, "todo": todo}, 421)
    if host is not None and not _no_site(host):
        what, todo = "a name with a dot may be that of a foreign page", "call by an address, or a name without a dot"
        return reply({"error": what, "todo": todo}, 421)
    if origin is not None and not _is_ours(origin, None if private else host):
        what, todo = "pages of other sites cannot drive the simulator", "ask without an Origin header"
        return reply({"error": what, "todo": todo}, 403)
    if request.method == "POST" and request.content_type != "application/json":
        what, todo = "the body is not said to be JSON", "send Content-Type: application/json"
        return reply({"error": what, "todo": todo}, 415)
    return None


def _no_site(host: str) -> bool:
    """Whether nobody can have a browser resolve this name to us: an address is not resolved at all, and a name without a dot is
    looked up only in the network that the browser is in."""
    try:
        ip_address(host)
    except ValueError:
        return "." not in host
    return True


def _is_ours(origin: str, host: str | None) -> bool:
    try:
        from_host = urlsplit(origin).hostname
    except ValueError:
        return False
    return from_host is not None and (is_loopback(from_host) or from_host == (host or "").lower())
