"""What every request meets before any route: the Host rule, limits of rate and size, an id, and the headers of safe answers."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from libs.kit.codes import random_id
from libs.kit.hosts import host_of, is_loopback
from libs.kit.metrics import histogram
from services.gateway.budgets import wait_for
from services.gateway.caller import address_of
from services.gateway.limits import Limit
from services.gateway.problems import problem
from services.gateway.settings import GatewaySettings

MOST_BODY_BYTES = 256 * 1024
BODY_SECONDS = 10.0
"""A body that takes longer holds a connection for nothing; the protocol's own deadline is for the head (patience.py)."""
GUESSES = frozenset({"/api/auth/login", "/api/auth/register", "/api/auth/reset", "/api/auth/local"})
"""Where strangers may try something that costs us a password's hash or a row."""
_REFUSED_SOCKET = 1008
_PAGE = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:;"
    " connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
# The description's page takes its script from elsewhere: in a sandbox it has no origin, so our cookies are not its to use.
_DOCS = (
    "sandbox allow-scripts allow-popups; default-src 'none'; script-src 'unsafe-inline' https://cdn.jsdelivr.net;"
    " style-src 'unsafe-inline' https://cdn.jsdelivr.net; img-src data: https://fastapi.tiangolo.com; connect-src 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
)
DOCS_PATH, DESCRIPTION_PATH = "/docs", "/api/openapi.json"
HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_BEHIND_TLS = {"Strict-Transport-Security": "max-age=31536000"}


@dataclass(slots=True)
class Guard:
    """An ASGI application around the API. `requests` and `guesses` are per address, and budget (budgets.py)."""

    application: ASGIApp
    rules: GatewaySettings
    requests: Limit
    guesses: Limit
    _hosts: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._hosts = frozenset(self.rules.gateway_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.application(scope, receive, send)
            return
        request_id = random_id()
        scope.setdefault("state", {})["request_id"] = request_id
        connection = HTTPConnection(scope)
        safe = self._safe(scope, send, request_id)
        if (refused := self._refusal(connection)) is not None:
            await _refuse(scope, receive, safe, refused)
            return
        bounded = _bounded(receive, connection) if scope["type"] == "http" else receive
        await self.application(scope, bounded, safe)

    def _refusal(self, connection: HTTPConnection) -> "Refusal | None":
        host = host_of(connection.headers.get("host", "")).lower()
        if not is_loopback(host) and host not in self._hosts:
            return Refusal(
                421,
                "this name is not served: call http://127.0.0.1 or localhost, or add it to PERPSTREAM_GATEWAY_HOSTS",
            )
        address = address_of(connection, self.rules.proxies)
        wait = wait_for(self.requests, address, connection, self.rules)
        if not wait and connection.scope["path"] in GUESSES:
            wait = wait_for(self.guesses, address, connection, self.rules)
        if wait:
            return Refusal(429, "too many requests: ask again later", {"Retry-After": str(int(wait) + 1)})
        if _length(connection) > MOST_BODY_BYTES:
            return Refusal(413, f"a request has at most {MOST_BODY_BYTES} bytes")
        return None

    def _safe(self, scope: Scope, send: Send, request_id: str) -> Send:
        """Send with our headers and measure the time until the answer begins."""
        started = time.perf_counter()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers(scope["path"]).items():
                    headers.setdefault(name, value)
                headers["X-Request-Id"] = request_id
                path = getattr(scope.get("route"), "path", "unknown")
                seconds = time.perf_counter() - started
                histogram("perpstream_http_request_seconds").labels(path, str(message["status"])).observe(seconds)
            await send(message)

        return sending

    def _headers(self, path: str) -> dict[str, str]:
        policy = {"Content-Security-Policy": _DOCS if path == DOCS_PATH else _PAGE}
        # What the sandboxed page reads is no secret: the description of this API.
        opened = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
        tls = _BEHIND_TLS if self.rules.gateway_behind_tls else {}
        return {**HEADERS, **policy, **tls, **(opened if path == DESCRIPTION_PATH else {})}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request reaches no route."""

    status: int
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> None:
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).close(_REFUSED_SOCKET, refusal.detail[:120])
        return
    answer: Response = problem(Request(scope), refusal.status, refusal.detail, refusal.headers)
    await answer(scope, receive, send)


def _length(connection: HTTPConnection) -> int:
    text = connection.headers.get("content-length", "")
    return int(text) if text.isdecimal() else 0


def _bounded(receive: Receive, connection: HTTPConnection) -> Receive:
    """Receive at most `MOST_BODY_BYTES`, also of a body that does not say its length, and no longer than `BODY_SECONDS`. What
    comes after the body is that the client leaves, which may take as long as it likes."""
    seen, is_whole = 0, False
    until = asyncio.get_running_loop().time() + BODY_SECONDS

    async def receiving() -> Message:
        nonlocal seen, is_whole
        try:
            async with asyncio.timeout_at(None if is_whole else until):
                message = await receive()
        except TimeoutError:
            what = f"a request is to be sent whole within {BODY_SECONDS:g} seconds"
            raise HTTPException(408, what, {"Connection": "close"}) from None
        seen += len(message.get("body", b""))
        is_whole = not message.get("more_body", False)
        if seen > MOST_BODY_BYTES:
            raise HTTPException(413, f"a request has at most {MOST_BODY_BYTES} bytes")
        return message

    return receiving
