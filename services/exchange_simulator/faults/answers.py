"""Faults of REST answers, as a middleware around every endpoint of the venue."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.faults import plan
from services.exchange_simulator.faults.desk import Armed, FaultDesk
from services.exchange_simulator.rest.errors import VenueError, error_reply, reply

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_PIECES = 50
# Status 503 and what its text says of the request's fate (reference: the four meanings of 503).
_TEXTS_503: dict[plan.Text503, dict[str, object]] = {
    "unknown": {"code": -1000, "msg": "Unknown error, please check your request or try again later."},
    "unavailable": {"code": -1000, "msg": "Service Unavailable."},
    "internal": {"code": -1001, "msg": "Internal error; unable to process your request. Please try again."},
    "throttled": {
        "code": -1008,
        "msg": "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. "
        "Please try again.",
    },
}


def misbehaving(desk: FaultDesk, clock: VenueTime):  # type: ignore[no-untyped-def]
    """The middleware that applies the active REST faults; the ledger says which request met which."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        met = [armed for armed in desk.rest_faults if _meets(armed, request)]
        for armed in met:
            desk.ledger.add(
                clock.now_ms(),
                armed.number,
                armed.fault.kind,
                path=request.path,
                symbol=request.query.get("symbol"),
                count=1,
                detail=dict(request.query),
            )
            refusal = _refusal(armed, request)
            if refusal is not None:
                return refusal
        response = await handler(request)
        for armed in met:
            if isinstance(armed.fault, plan.TruncatedPage) and isinstance(response, web.Response):
                response = _truncated(response, armed.fault.rows)
        for armed in met:
            if isinstance(armed.fault, plan.SlowBody) and isinstance(response, web.Response):
                return await _slowly(request, response, armed.fault.seconds)
        return response

    return middleware


def _meets(armed: Armed, request: web.Request) -> bool:
    fault = armed.fault
    assert isinstance(fault, plan.RestFault)
    # An expired history is a matter of the endpoint itself, see `Venue.history_ms`.
    if isinstance(fault, plan.HistoryExpired) or not request.path.startswith(fault.paths):
        return False
    return armed.lot(fault.probability, fault.most)


def _refusal(armed: Armed, request: web.Request) -> web.Response | None:
    address = request.remote or "unknown"
    match armed.fault:
        case plan.RateLimited(retry_after_s=seconds):
            headers = {} if seconds is None else {"Retry-After": str(seconds)}
            message = f"Too many requests; current limit of IP({address}) is 2400 requests per minute."
            return error_reply(VenueError(-1003, message, 429, headers))
        case plan.Banned():
            message = (
                f"Way too many requests; IP({address}) banned until {armed.end_ms}. "
                "Please use the websocket for live updates to avoid bans."
            )
            return error_reply(VenueError(-1003, message, 418))
        case plan.Unavailable(text=text):
            return reply(_TEXTS_503[text], 503)
        case plan.ServerError(status=status):
            page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
            return web.Response(text=page, status=status, content_type="text/html")
    return None


def _truncated(response: web.Response, rows: int | None) -> web.Response:
    body = response.body if isinstance(response.body, bytes) else b""
    if rows is None:
        return web.Response(body=body[: len(body) // 2], status=response.status, content_type="application/json")
    content = msgspec.json.decode(body)
    return reply(content[:rows] if isinstance(content, list) else content, response.status)


async def _slowly(request: web.Request, response: web.Response, seconds: float) -> web.StreamResponse:
    body = response.body if isinstance(response.body, bytes) else b""
    slow = web.StreamResponse(status=response.status, headers={"Content-Type": "application/json"})
    slow.content_length = len(body)
    await slow.prepare(request)
    piece = max(1, -(-len(body) // _PIECES))
    pieces = [body[start : start + piece] for start in range(0, len(body), piece)]
    for part in pieces:
        await asyncio.sleep(seconds / len(pieces))
        await slow.write(part)
    await slow.write_eof()
    return slow
