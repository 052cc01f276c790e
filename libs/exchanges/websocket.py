"""One WebSocket connection: picows underneath, messages handed over per socket read, pings answered.

picows was chosen by measuring (docs/decisions/0013-ingest.md). One read often carries hundreds of messages; handing them
over together lets the trade path parse, publish and flush once per read.
"""

import asyncio
import time
from collections.abc import Callable

from picows import WSAutoPingStrategy, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

HANDSHAKE_SECONDS = 10.0
IDLE_PING_SECONDS = 30.0
LARGEST_MESSAGE_BYTES = 4 * 1024 * 1024
_TEXT, _CONTINUATION, _PING, _CLOSE = WSMsgType.TEXT, WSMsgType.CONTINUATION, WSMsgType.PING, WSMsgType.CLOSE


class Connection(WSListener):
    """An open connection. `deliver` gets the text messages of each read, in order; `closed` is set when it is over."""

    def __init__(self, deliver: Callable[["Connection", list[bytes]], None]) -> None:
        self._deliver = deliver
        self._messages: list[bytes] = []
        self._fragments: list[bytes] = []
        self._transport: WSTransport | None = None
        self.closed = asyncio.Event()
        self.close_reason = "the connection was lost"
        self.last_heard = time.monotonic()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind == _TEXT and frame.fin:
            self._messages.append(frame.get_payload_as_bytes())
        else:
            self._on_rare_frame(transport, frame)
        if frame.last_in_buffer:
            self._hand_over()

    def _on_rare_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind in (_TEXT, _CONTINUATION):
            self._fragments.append(frame.get_payload_as_bytes())
            if frame.fin:
                self._messages.append(b"".join(self._fragments))
                self._fragments.clear()
        elif kind == _PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind == _CLOSE:
            code, why = frame.get_close_code(), (frame.get_close_message() or b"").decode(errors="replace")
            self.close_reason = f"closed by the venue: {code} {why}".rstrip()
            transport.send_close(code)
            transport.disconnect()

    def _hand_over(self) -> None:
        self.last_heard = time.monotonic()
        if self._messages:
            messages, self._messages = self._messages, []
            self._deliver(self, messages)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._hand_over()
        self.closed.set()

    def send(self, text: bytes) -> None:
        """Send one text message; a lost connection is reported through `closed`, not here."""
        if self._transport is not None and not self.closed.is_set():
            self._transport.send(WSMsgType.TEXT, text)

    def close(self, reason: str) -> None:
        """Hang up from our side."""
        if self._transport is not None and not self.closed.is_set():
            self.close_reason = reason
            self._transport.disconnect()

    def pause_reading(self) -> None:
        """Leave further data in the network."""
        if self._transport is not None and not self.closed.is_set():
            self._transport.underlying_transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._transport is not None and not self.closed.is_set():
            self.last_heard = time.monotonic()
            self._transport.underlying_transport.resume_reading()


async def connect(url: str, deliver: Callable[[Connection, list[bytes]], None]) -> Connection:
    """Open a connection. Raises `OSError`, `TimeoutError` or picows' `WSError` when the venue cannot be reached or refuses."""
    connection = Connection(deliver)
    await asyncio.wait_for(
        ws_connect(
            lambda: connection,
            url,
            websocket_handshake_timeout=HANDSHAKE_SECONDS,
            enable_auto_pong=False,
            enable_auto_ping=True,
            auto_ping_idle_timeout=IDLE_PING_SECONDS,
            auto_ping_reply_timeout=IDLE_PING_SECONDS,
            auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
            max_frame_size=LARGEST_MESSAGE_BYTES,
        ),
        HANDSHAKE_SECONDS,
    )
    return connection
