"""Faults of REST answers, as a middleware around every endpoint of the venue."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.faults import plan
from services.exchange_simulator.faults.base import AnswerFault, RestFault, Text503
from services.exchange_simulator.faults.desk import Armed, FaultDesk
from services.exchange_simulator.faults.trading import CancelTooLate, StaleReads
from services.exchange_simulator.rest.errors import VenueError, error_reply, reply

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_PIECES = 50
# Set on requests that are carried out later than they came.
CAME_LATE = web.RequestKey("came_late", bool)
_TIMEOUT = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
# Status 503 and what its text says of the request's fate (reference: the four meanings of 503).
_TEXTS_503: dict[Text503, dict[str, object]] = {
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
    late: set[asyncio.Task[object]] = set()

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not desk.rest_faults:
            return await handler(request)
        values = await values_of(request)
        met = [armed for armed in desk.rest_faults if not _elsewhere(armed) and meets(armed, request, values)]
        for armed in met:
            note(desk, armed, request, values, clock.now_ms())
            if isinstance(armed.fault, AnswerFault):
                await _carry_out(armed.fault, request, handler, (clock, late))
            refusal = await _refusal(armed, request)
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


async def values_of(request: web.Request) -> dict[str, str]:
    """Parameters of query and form body, as a fault looks at them."""
    body = (await request.read()).decode("utf-8", "replace")
    return {**dict(parse_qsl(body)), **dict(request.query)}


def note(desk: FaultDesk, armed: Armed, request: web.Request, values: Mapping[str, str], now_ms: int) -> None:
    """Write down which request a fault has met."""
    told = {name: value for name, value in values.items() if name != "signature"}
    facts = {"path": request.path, "symbol": values.get("symbol"), "count": 1, "detail": told}
    desk.ledger.add(now_ms, armed.number, armed.fault.kind, **facts)


def meets(armed: Armed, request: web.Request, values: Mapping[str, str]) -> bool:
    """Whether a fault of REST is about this request, and hits it; counts the hit."""
    fault = armed.fault
    assert isinstance(fault, RestFault)
    if not request.path.startswith(fault.paths) or (fault.methods and request.method not in fault.methods):
        return False
    if any(values.get(name) != value for name, value in fault.where.items()):
        return False
    if isinstance(fault, plan.Unavailable) and fault.text == "throttled" and _reduces_risk(request, values):
        return False
    return armed.lot(fault.probability, fault.most)


def _elsewhere(armed: Armed) -> bool:
    """Faults that the endpoints themselves look at: see `Venue.history_ms` and private/meddling.py."""
    return isinstance(armed.fault, plan.HistoryExpired | StaleReads | CancelTooLate)


def _reduces_risk(request: web.Request, values: Mapping[str, str]) -> bool:
    """Orders that the venue takes while it throttles all others."""
    if request.method != "POST" or not request.path.startswith(("/fapi/v1/order", "/fapi/v1/algoOrder")):
        return False
    sides = (values.get("positionSide", "BOTH"), values.get("side"))
    flags = (values.get("reduceOnly", ""), values.get("closePosition", ""))
    return "true" in [flag.lower() for flag in flags] or sides in (("LONG", "SELL"), ("SHORT", "BUY"))


async def _carry_out(
    fault: AnswerFault, request: web.Request, handler: Handler, later: tuple[VenueTime, set[asyncio.Task[object]]]
) -> None:
    """What becomes of a request whose answer is not the right one: nothing, or it is done now, or later."""
    if fault.executed == "yes":
        await handler(request)
    elif fault.late_ms is not None:
        clock, tasks = later
        task = asyncio.create_task(_later(request, handler, fault.late_ms / 1000 / clock.timer_speed))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def _later(request: web.Request, handler: Handler, seconds: float) -> None:
    await asyncio.sleep(seconds)
    request[CAME_LATE] = True
    await handler(request)


async def _refusal(armed: Armed, request: web.Request) -> web.Response | None:
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
        case plan.BackendTimeout():
            return error_reply(VenueError(-1007, _TIMEOUT, 408))
        case plan.Refusal(code=code, message=message, status=status):
            return error_reply(VenueError(code, message, status))
        case plan.ConnectionReset():
            return _cut(request)
        case plan.NoAnswer(seconds=seconds):
            await asyncio.sleep(seconds)
            return _cut(request)
    return None


def _cut(request: web.Request) -> web.Response:
    """The answer that nobody gets."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


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
