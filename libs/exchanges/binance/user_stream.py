"""A supervised user stream: a listen key that is kept alive, a connection that comes back, and events for a handler.

Silence proves nothing here (an account may be quiet for hours), so the only proof of life is that the venue renews the key; who
must know more asks for positions. Source: reference facts, 7.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from picows import WSError

from libs.exchanges.backoff import Backoff
from libs.exchanges.binance.account_answers import listen_key
from libs.exchanges.binance.rest import WEIGHT_POOL
from libs.exchanges.binance.signing import KeyedHttpClient
from libs.exchanges.binance.user_events import HEARD, read_user_event
from libs.exchanges.errors import MalformedAnswer, VenueError
from libs.exchanges.http import Method, Question
from libs.exchanges.limiter import LIVE, Turn
from libs.exchanges.user_events import StreamExpired, UserEvent, UserStreamHandler
from libs.exchanges.websocket import Connection, connect
from libs.kit.clock import VenueClock
from libs.kit.logging import get_logger
from libs.kit.metrics import counter

PATH = "/fapi/v1/listenKey"
RENEW_SECONDS = 25 * 60.0
"""Of venue time; a key lives an hour."""
ROTATE_SECONDS = 24 * 3600.0 - 600.0
HEALTHY_SECONDS = 5.0
SAMPLE_BYTES = 200
FEED = "user"


@dataclass(slots=True)
class BinanceUserStream:
    """Runs until cancelled. `base_url`: of the private WebSocket host; `connect`: how a connection is opened; `turn`: how its
    questions for keys wait."""

    http: KeyedHttpClient
    base_url: str
    clock: VenueClock
    handler: UserStreamHandler
    connect: Callable[[str, Callable[[Connection, list[bytes]], None]], Awaitable[Connection]] = connect
    turn: Turn = LIVE
    _expired: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Keep the stream alive until cancelled."""
        log, backoff = get_logger("stream.user"), Backoff()
        while True:
            began = time.monotonic()
            try:
                reason = await self._live(await self._key("POST"))
            except (VenueError, OSError, TimeoutError, WSError) as error:
                reason = f"not open: {error}"
            log.warning("the user stream is down", reason=reason)
            if time.monotonic() - began > HEALTHY_SECONDS:
                backoff = Backoff()
            await asyncio.sleep(backoff.next_seconds())

    async def _key(self, method: Method) -> str:
        """Made or renewed. Raises `VenueError`; -1125 for one that is no more."""
        return listen_key(await self.http.get(Question(PATH, {}, 1, WEIGHT_POOL, self.turn, method=method)))

    async def _live(self, key: str) -> str:
        """One connection from its beginning to its end; why it ended."""
        self._expired.clear()
        events = "/".join(HEARD)
        url = f"{self.base_url.rstrip('/')}/private/ws?listenKey={quote(key)}&events={events}"
        connection = await self.connect(url, self._on_messages)
        try:
            self.handler.on_user_open()
            return await self._until_over(connection, key)
        finally:
            connection.close("the user stream is replaced")
            self.handler.on_user_close(connection.close_reason)

    async def _until_over(self, connection: Connection, key: str) -> str:
        left = ROTATE_SECONDS
        while left > 0:
            step = min(left, RENEW_SECONDS)
            if await self._over_within(connection, step):
                return "its key has expired" if self._expired.is_set() else connection.close_reason
            left -= step
            if await self._key("PUT") != key:
                return "the venue has another key for this account"
        return "before the venue's cut"

    async def _over_within(self, connection: Connection, seconds: float) -> bool:
        """Whether the connection or its key ends within so much venue time."""
        ends = [asyncio.ensure_future(event.wait()) for event in (connection.closed, self._expired)]
        try:
            done, _ = await asyncio.wait(ends, timeout=seconds / self.clock.speed, return_when=asyncio.FIRST_COMPLETED)
            return bool(done)
        finally:
            for end in ends:
                end.cancel()
            # Not one by one: whoever swallows their cancellation swallows ours with it, and never ends.
            await asyncio.wait(ends)

    def _on_messages(self, _connection: Connection, messages: Sequence[bytes]) -> None:
        counter("perpstream_messages_received_total").labels(FEED).inc(len(messages))
        events: list[UserEvent] = []
        for message in messages:
            try:
                event = read_user_event(message)
            except MalformedAnswer as error:
                counter("perpstream_records_dropped_total").labels(FEED, "malformed").inc()
                sample = message[:SAMPLE_BYTES].decode(errors="replace")
                get_logger("stream.user").error("a user event cannot be read", problem=str(error), sample=sample)
                continue
            if isinstance(event, StreamExpired):
                self._expired.set()
            if event is not None:
                events.append(event)
        if events:
            self.handler.on_user_events(events)
