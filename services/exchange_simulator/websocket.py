"""The WebSocket paths: handshake, reading control messages, server pings and the 24-hour limit."""

import asyncio
import time

from aiohttp import WSMsgType, web

from libs.kit.logging import get_logger
from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.faults.connections import ConnectionFaults
from services.exchange_simulator.frames import ping_frame, pong_frame
from services.exchange_simulator.hub import Hub
from services.exchange_simulator.sessions import Session
from services.exchange_simulator.streams import Route

PING_EVERY_MS = 3 * 60_000
PONG_WITHIN_MS = 10 * 60_000
_POLICY_VIOLATION, _GOING_AWAY = 1008, 1001
_ROUTES: tuple[tuple[str, Route], ...] = (("/market", "market"), ("/public", "public"), ("", "unrouted"))
_log = get_logger("websocket")


class MarketSockets:
    """All WebSocket paths. `/private` takes every connection; one without a living listen key stays silent."""

    def __init__(
        self, hub: Hub, clock: VenueTime, faults: ConnectionFaults, *, buffer_bytes: int, longest_life_ms: float
    ) -> None:
        self._hub = hub
        self._faults = faults
        self._clock = clock
        self._buffer_bytes = buffer_bytes
        self._longest_life_ms = longest_life_ms

    def routes(self) -> list[web.RouteDef]:
        """`…/ws`, `…/ws/<streams>` and `…/stream?streams=` for each prefix."""
        defined: list[web.RouteDef] = []
        for prefix, route in (*_ROUTES, ("/private", "private")):
            raw, combined = self._endpoint(route, False, prefix), self._endpoint(route, True, prefix)
            defined += [
                web.get(f"{prefix}/ws", raw),
                web.get(f"{prefix}/ws/{{streams:.*}}", raw),
                web.get(f"{prefix}/stream", combined),
            ]
        return defined

    def _endpoint(self, route: Route, combined: bool, prefix: str):  # type: ignore[no-untyped-def]
        path = f"{prefix}/{'stream' if combined else 'ws'}"

        async def handle(request: web.Request) -> web.StreamResponse:
            names = request.query.get("streams", "") if combined else request.match_info.get("streams", "")
            return await self._serve(request, route, combined, path, [name for name in names.split("/") if name])

        return handle

    async def _serve(
        self, request: web.Request, route: Route, combined: bool, path: str, names: list[str]
    ) -> web.StreamResponse:
        if self._faults.refuses(path):
            return web.Response(status=503, text="Service Unavailable.")
        # Pings are answered here and not by aiohttp, so that all frames of a connection go through one writer.
        socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=256 * 1024)
        if not socket.can_prepare(request):
            return web.Response(status=400, text="this path speaks WebSocket")
        await socket.prepare(request)
        transport = request.transport
        if transport is None:
            return socket
        session = Session(route, combined, transport, self._clock, self._buffer_bytes)
        session.listen_key = request.query.get("listenKey", "")
        if events := request.query.get("events", ""):
            session.events = frozenset(events.split("/"))
        if not session.subscribe(names):
            session.close(_POLICY_VIOLATION, "too many streams")
            return socket
        self._hub.add(session, path)
        keeper = asyncio.create_task(self._keep(session))
        try:
            await self._read(socket, session)
        finally:
            session.closed = True
            keeper.cancel()
            self._hub.remove(session)
        return socket

    async def _read(self, socket: web.WebSocketResponse, session: Session) -> None:
        async for message in socket:
            if not session.within_rate():
                _log.warning("too many messages", route=session.route)
                session.close(_POLICY_VIOLATION, "Too many requests")
                return
            if message.type is WSMsgType.TEXT:
                session.handle_text(message.data)
            elif message.type is WSMsgType.PING:
                session.write(pong_frame(bytes(message.data)))
            elif message.type is WSMsgType.PONG:
                session.last_pong_ms = self._clock.timer_ms()
            if session.closed:
                return

    async def _keep(self, session: Session) -> None:
        """Ping every three minutes, cut the silent after ten and everybody after 24 hours, in venue time."""
        born = self._clock.timer_ms()
        while not session.closed:
            left = self._longest_life_ms - (self._clock.timer_ms() - born)
            if left <= 0:
                session.close(_GOING_AWAY, "the longest life of a connection is over")
                return
            await asyncio.sleep(min(PING_EVERY_MS, left) / 1000 / self._clock.timer_speed)
            if self._clock.timer_ms() - session.last_pong_ms > PONG_WITHIN_MS:
                _log.info("no pong for ten minutes, disconnecting", route=session.route)
                session.abort()
            elif left > PING_EVERY_MS:
                session.write(ping_frame(str(int(time.time() * 1000)).encode()))
