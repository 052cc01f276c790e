"""One connection over a real socket: what the other side may not do, and that the reason of an end is the true one."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from libs.exchanges import StreamBatch
from libs.exchanges.session import SessionOptions, StreamSession, Wire
from libs.exchanges.websocket import LARGEST_MESSAGE_BYTES, LOST, Connection, connect
from libs.kit.clock import VenueClock

Tell = Callable[[WSTransport], None]
HALF = b"x" * (LARGEST_MESSAGE_BYTES // 2)


class Teller(WSListener):
    """A venue that tells its text to everybody who connects, and answers a close as the protocol wants it."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self.transport: WSTransport | None = None
        self.gone = asyncio.Event()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.gone.set()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self._tell(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()


@asynccontextmanager
async def venue(tell: Tell) -> AsyncIterator[str]:
    teller = Teller(tell)
    server = await ws_create_server(lambda _: teller, "127.0.0.1", 0)
    async with server:
        try:
            yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            if teller.transport is not None:
                teller.transport.disconnect(graceful=False)
                await teller.gone.wait()


def fragments(*parts: bytes, end: bool = True) -> Tell:
    def tell(transport: WSTransport) -> None:
        for number, part in enumerate(parts):
            kind = WSMsgType.CONTINUATION if number else WSMsgType.TEXT
            transport.send(kind, part, fin=end and number == len(parts) - 1)

    return tell


async def ended(tell: Tell, deliver: Callable[[Connection, list[bytes]], None]) -> str:
    """The reason of the end of a connection to a venue that tells this."""
    async with venue(tell) as url, asyncio.timeout(5):
        connection = await connect(url, deliver)
        await connection.closed.wait()
        return connection.close_reason


@pytest.mark.parametrize("end", [True, False])
async def test_a_message_in_pieces_is_limited_as_a_whole(end: bool) -> None:
    heard: list[bytes] = []
    reason = await ended(fragments(HALF, HALF, b"x", b"y", end=end), lambda _, messages: heard.extend(messages))
    assert reason == f"a message of more than {LARGEST_MESSAGE_BYTES} bytes"
    assert heard == []


async def test_pieces_up_to_the_limit_are_one_message_and_each_message_counts_for_itself() -> None:
    heard: list[bytes] = []

    def tell(transport: WSTransport) -> None:
        for _ in range(3):
            fragments(HALF, b"", HALF)(transport)
        transport.send_close(WSCloseCode.OK, b"good night")
        transport.disconnect()

    assert await ended(tell, lambda _, messages: heard.extend(messages)) == "closed by the venue: 1000 good night"
    assert heard == [HALF + HALF] * 3


async def test_a_frame_beyond_the_limit_is_no_end_by_the_venue() -> None:
    reason = await ended(fragments(HALF + HALF + b"x"), lambda _, messages: None)
    assert reason.startswith("ended by us: 1009")


async def test_a_defect_of_ours_is_not_said_to_be_the_venues() -> None:
    def deliver(_: Connection, messages: list[bytes]) -> None:
        raise LookupError(messages[0].decode())

    assert await ended(fragments(b"surprise"), deliver) == "ended by our own defect: LookupError('surprise')"


class Clumsy:
    """A `StreamHandler` that cannot take what it is given."""

    def __init__(self) -> None:
        self.closed: asyncio.Future[tuple[str, bool]] = asyncio.get_running_loop().create_future()

    def on_connecting(self) -> None: ...

    def on_lines(self, lines: frozenset[int]) -> None: ...

    def on_open(self) -> None: ...

    def on_batch(self, batch: StreamBatch) -> None:
        raise ZeroDivisionError(batch.newest_event_time)

    def on_close(self, reason: str, silent: bool) -> None:
        self.closed.set_result((reason, silent))


async def test_a_handlers_defect_is_the_reason_that_the_session_tells() -> None:
    async def subscribe(_: Connection) -> None: ...

    handler = Clumsy()
    async with venue(fragments(b"anything")) as url, asyncio.timeout(5):
        wire = Wire(url, subscribe, lambda _, payloads: (StreamBatch(newest_event_time=7), []))
        running = asyncio.create_task(StreamSession(wire, handler, VenueClock(0), SessionOptions("test")).run())
        assert await handler.closed == ("ended by our own defect: ZeroDivisionError(7)", False)
        running.cancel()


def test_a_defect_over_the_last_words_ends_the_connection_all_the_same() -> None:
    def deliver(_: Connection, messages: list[bytes]) -> None:
        raise LookupError(messages[0].decode())

    connection = Connection(deliver)
    connection._messages.append(b"last words")
    connection.on_ws_disconnected(WSTransport.__new__(WSTransport))
    assert connection.closed.is_set()
    assert connection.close_reason.startswith("ended by our own defect")


async def test_a_connection_that_just_breaks_was_lost_and_our_own_end_has_our_reason() -> None:
    assert await ended(lambda transport: transport.disconnect(graceful=False), lambda _, messages: None) == LOST
    async with venue(lambda transport: None) as url, asyncio.timeout(5):
        connection = await connect(url, lambda _, messages: None)
        connection.close("we are stopping")
        await connection.closed.wait()
        assert connection.close_reason == "we are stopping"


async def test_what_the_other_side_did_wrong_is_no_forgotten_exception() -> None:
    told: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    async with venue(fragments(b"x" * (LARGEST_MESSAGE_BYTES + 1))) as url:
        connection = await connect(url, lambda _, __: None)
        await asyncio.wait_for(connection.closed.wait(), 10)
    del connection
    gc.collect()
    await asyncio.sleep(0)
    assert told == []
