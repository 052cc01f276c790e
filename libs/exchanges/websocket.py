"""One WebSocket connection: picows underneath, messages handed over per socket read, pings answered.

picows was chosen by measuring (docs/decisions/0013-ingest.md). One read often carries hundreds of messages; handing them
over together lets the trade path parse, publish and flush once per read.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from picows import WSAutoPingStrategy, WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from libs.kit.logging import get_logger

HANDSHAKE_SECONDS = 10.0
IDLE_PING_SECONDS = 30.0
LARGEST_MESSAGE_BYTES = 4 * 1024 * 1024
_log = get_logger("websocket")
LOST = "the connection was lost"
_TEXT, _CONTINUATION, _PING, _CLOSE = WSMsgType.TEXT, WSMsgType.CONTINUATION, WSMsgType.PING, WSMsgType.CLOSE


class Connection(WSListener):
    """An open connection. `deliver` gets the text messages of each read, in order; `closed` is set when it is over.

    `close_reason` is the first thing that ended it: what the other side says or does after that is only the answer.
    """

    def __init__(self, deliver: Callable[["Connection", list[bytes]], None]) -> None:
        self._deliver = deliver
        self._messages: list[bytes] = []
        self._fragments = bytearray()
        self._transport: WSTransport | None = None
        self.closed = asyncio.Event()
        self.close_reason = LOST
        self.last_heard = time.monotonic()
        self._ending: asyncio.Future[None] | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._ending = asyncio.ensure_future(_until_disconnected(transport))

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
            self._on_fragment(frame)
        elif kind == _PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind == _CLOSE:
            code, why = frame.get_close_code(), (frame.get_close_message() or b"").decode(errors="replace")
            if not transport.is_close_frame_sent:
                self._ends(f"closed by the venue: {code} {why}".rstrip())
                transport.send_close(code)
            transport.disconnect()

    def _on_fragment(self, frame: WSFrame) -> None:
        """The library limits a frame; of how many frames a message has, only we can tell."""
        if self.close_reason is not LOST:
            return
        self._fragments += frame.get_payload_as_bytes()
        if len(self._fragments) > LARGEST_MESSAGE_BYTES:
            self._fragments.clear()
            self._hang_up(WSCloseCode.MESSAGE_TOO_BIG, f"a message of more than {LARGEST_MESSAGE_BYTES} bytes")
        elif frame.fin:
            self._messages.append(bytes(self._fragments))
            self._fragments.clear()

    def _ends(self, reason: str) -> None:
        if self.close_reason is LOST:
            self.close_reason = reason

    def _hang_up(self, code: WSCloseCode, reason: str) -> None:
        self._ends(reason)
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send_close(code)
            self._transport.disconnect()

    def _hand_over(self) -> None:
        self.last_heard = time.monotonic()
        if self._messages:
            messages, self._messages = self._messages, []
            try:
                self._deliver(self, messages)
            except Exception as error:  # the library would hang up too, and lay the blame on nobody
                _log.exception("a defect of ours ends the connection")
                self._hang_up(WSCloseCode.INTERNAL_ERROR, f"ended by our own defect: {error!r}")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        handshake = transport.close_handshake
        if handshake is not None and handshake.sent is not None and not handshake.recv_then_sent:
            self._ends(f"ended by us: {handshake.sent.code} {handshake.sent.reason or ''}".rstrip())
        self._hand_over()
        self.closed.set()

    def send(self, text: bytes) -> None:
        """Send one text message; a lost connection is reported through `closed`, not here."""
        if self._transport is not None and not self.closed.is_set():
            self._transport.send(WSMsgType.TEXT, text)

    def close(self, reason: str) -> None:
        """Hang up from our side."""
        if self._transport is not None and not self.closed.is_set():
            self._ends(reason)
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


async def _until_disconnected(transport: WSTransport) -> None:
    """The library keeps what the other side did wrong for whoever waits; the close frame has said it already."""
    with suppress(WSError):
        await transport.wait_disconnected()


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
