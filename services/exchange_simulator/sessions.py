"""One WebSocket connection: subscriptions, control messages, limits, and writing with a bounded buffer."""

import asyncio
from collections import deque

import msgspec

from libs.kit.logging import get_logger
from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.frames import close_frame, text_frame
from services.exchange_simulator.streams import Route, StreamName, carried, parse_stream
from services.exchange_simulator.told import Told

MESSAGES_PER_SECOND = 10
MOST_STREAMS = 1024
_log = get_logger("sessions")
_decoder = msgspec.json.Decoder()


class Session:
    """State of one connection. `version` grows whenever what it wants changes, so that the hub can keep plans."""

    def __init__(
        self, route: Route, combined: bool, transport: asyncio.Transport, clock: VenueTime, limit: int
    ) -> None:
        self.route = route
        self.combined = combined
        self.names: dict[str, None] = {}
        self.version = 0
        self.closed = False
        # Half open: nothing is sent any more, and nobody is told.
        self.muted = False
        self.serial = 0
        self.path = ""
        self.listen_key = ""
        # Names of user events that it asked for; None: all of them.
        self.events: frozenset[str] | None = None
        self.told = Told()
        # Bytes that were written and died with a connection that was cut.
        self.unsent_at_end = 0
        self.last_pong_ms = clock.timer_ms()
        self._transport = transport
        self._clock = clock
        self._limit = limit
        self._received: deque[float] = deque()

    # --- writing ---------------------------------------------------------------------------------------------------

    def write(self, frames: bytes) -> bool:
        """Send whole frames; whether they were. A client that does not read is cut off, so that memory stays bounded."""
        if self.gone or self.muted or not frames:
            return False
        unsent = self._transport.get_write_buffer_size()
        if unsent > self._limit:
            _log.warning("slow client disconnected", route=self.route, unsent_bytes=unsent, limit_bytes=self._limit)
            self.abort()
            return False
        self._transport.write(frames)
        return True

    @property
    def gone(self) -> bool:
        """Closed by us, or by a client that died: its transport refuses to write before its handler has heard of it."""
        return self.closed or self._transport.is_closing()

    def unsent(self) -> int:
        """Bytes that wait for the client."""
        return 0 if self.gone or self.muted else self._transport.get_write_buffer_size()

    def close(self, code: int, reason: str) -> None:
        """Say goodbye and close once everything is written."""
        if not self.gone:
            self._transport.write(close_frame(code, reason))
            self.closed = True
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection without a close frame, as networks do."""
        self.unsent_at_end = self.unsent()
        self.closed = True
        self._transport.abort()

    # --- reading ---------------------------------------------------------------------------------------------------

    def within_rate(self) -> bool:
        """Count one incoming message of any kind; False when more than ten came within a second of venue time."""
        now = self._clock.timer_ms()
        self._received.append(now)
        while self._received and self._received[0] <= now - 1000:
            self._received.popleft()
        return len(self._received) <= MESSAGES_PER_SECOND

    def streams(self) -> list[StreamName]:
        """The subscribed streams that this path carries; the others stay silent."""
        parsed = (parse_stream(name) for name in self.names)
        return [stream for stream in parsed if stream is not None and carried(self.route, stream)]

    def listen_keys(self) -> tuple[str, ...]:
        """What may be listen keys: that of the address, and whatever it has subscribed to."""
        return (self.listen_key, *self.names)

    def wants(self, event: str) -> bool:
        """Whether it asked for this kind of user event."""
        return self.events is None or event in self.events

    def subscribe(self, names: list[str]) -> bool:
        """Add streams; False when there would be more than 1024."""
        added = [name for name in names if name not in self.names]
        if len(self.names) + len(added) > MOST_STREAMS:
            return False
        self.names.update(dict.fromkeys(added))
        self.version += 1
        return True

    def handle_text(self, text: str) -> None:
        """Answer one control message; the identifier comes back as it was sent."""
        try:
            message = _decoder.decode(text)
        except msgspec.DecodeError:
            return self._refuse(3, "Invalid JSON: expected value at line 1 column 1", None)
        if not isinstance(message, dict):
            return self._refuse(2, "Invalid request: request must be an object", None)
        identifier = message.get("id")
        if identifier is not None and (isinstance(identifier, bool) or not isinstance(identifier, int | str)):
            return self._refuse(2, "Invalid request: request ID must be an unsigned integer", None)
        if isinstance(identifier, int) and identifier < 0:
            return self._refuse(2, "Invalid request: request ID must be an unsigned integer", None)
        method, params = message.get("method"), message.get("params", [])
        if method in ("SUBSCRIBE", "UNSUBSCRIBE"):
            return self._change(str(method), params, identifier)
        if method == "LIST_SUBSCRIPTIONS":
            return self._answer(list(self.names), identifier)
        if method in ("SET_PROPERTY", "GET_PROPERTY"):
            return self._property(str(method), params, identifier)
        variants = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
        return self._refuse(2, f"Invalid request: unknown variant `{method}`, expected one of {variants}", identifier)

    def _change(self, method: str, params: object, identifier: object) -> None:
        if not isinstance(params, list) or not all(isinstance(name, str) for name in params):
            return self._refuse(2, "Invalid request: params must be an array of strings", identifier)
        if method == "UNSUBSCRIBE":
            for name in params:
                self.names.pop(name, None)
            self.version += 1
        elif not self.subscribe(params):
            return self._refuse(2, f"Invalid request: more than {MOST_STREAMS} streams on one connection", identifier)
        return self._answer(None, identifier)

    def _property(self, method: str, params: object, identifier: object) -> None:
        if not isinstance(params, list) or not params or params[0] != "combined":
            return self._refuse(1, "Invalid value type: unknown property", identifier)
        if method == "GET_PROPERTY":
            return self._answer(self.combined, identifier)
        if len(params) != 2 or not isinstance(params[1], bool):
            return self._refuse(1, "Invalid value type: expected Boolean", identifier)
        self.combined = params[1]
        self.version += 1
        return self._answer(None, identifier)

    def _answer(self, result: object, identifier: object) -> None:
        self.write(text_frame(msgspec.json.encode({"result": result, "id": identifier})))

    def _refuse(self, code: int, message: str, identifier: object) -> None:
        body: dict[str, object] = {"code": code, "msg": message}
        if identifier is not None:
            body["id"] = identifier
        self.write(text_frame(msgspec.json.encode(body)))
