"""The WebSocket `/api/stream`: who comes in, and closing it the moment who came in may no longer be here (docs/stream.md)."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import msgspec
from fastapi import APIRouter
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from libs.kit.errors import UserError
from libs.kit.metrics import gauge
from services.gateway.access import ACCESS_COOKIE, Access, Forbidden, Person, Unauthenticated, access_of, require_scopes
from services.gateway.same_site import from_our_page
from services.gateway.stream_client import BAD_MESSAGE, Client, Ended, read_message
from services.gateway.stream_feed import StreamFeed
from services.gateway.stream_messages import Authenticate

router = APIRouter(prefix="/api")
UNAUTHENTICATED, FORBIDDEN, BUSY = 4401, 4403, 1013
_HELLO_SECONDS = 10.0
MOST_STREAMS = 2_000
_MOST_OF_ONE = 20
MOST_STRANGERS, _MOST_STRANGERS_OF_ONE = 100, 10
_TOO_MANY_STRANGERS = "too many streams that nobody has signed in to yet: come back later"
_MOST_REASON = 110


@dataclass(slots=True)
class Streams:
    """What all sockets share: the memory, how many sockets each person has open, and how many each address without having said
    who it is."""

    feed: StreamFeed = field(default_factory=StreamFeed)
    most_of_one: int = _MOST_OF_ONE
    most_of_all: int = MOST_STREAMS
    most_strangers: int = MOST_STRANGERS
    most_strangers_of_one: int = _MOST_STRANGERS_OF_ONE
    _open: Counter[str] = field(default_factory=Counter)
    _strangers: Counter[str] = field(default_factory=Counter)

    def enter(self, person: Person) -> None:
        """Count one more; raises `Ended` for one too many."""
        if self._open[person.user_id] >= self.most_of_one or self._open.total() >= self.most_of_all:
            raise Ended(BUSY, "too many streams are open: close one")
        self._open[person.user_id] += 1
        gauge("perpstream_stream_clients").set(self._open.total())

    def leave(self, person: Person) -> None:
        """One less."""
        self._open[person.user_id] -= 1
        self._open += Counter()  # nothing is kept of those who have none
        gauge("perpstream_stream_clients").set(self._open.total())

    @contextmanager
    def stranger(self, address: str) -> Iterator[None]:
        """Count somebody who has not said who they are; raises `Ended` for one too many."""
        of_all = self._strangers.total() >= self.most_strangers
        if of_all or self._strangers[address] >= self.most_strangers_of_one:
            raise Ended(BUSY, _TOO_MANY_STRANGERS)
        self._strangers[address] += 1
        try:
            yield
        finally:
            self._strangers[address] -= 1
            self._strangers += Counter()


@router.websocket("/stream")
async def stream(socket: WebSocket) -> None:
    """Everything that happens, as it happens."""
    access = access_of(socket)
    by_cookie = ACCESS_COOKIE in socket.cookies and "authorization" not in socket.headers
    if by_cookie and not from_our_page(socket, access.rules):
        await socket.close(FORBIDDEN, "this request does not come from our own page")  # HTTP 403: nothing was opened
        return
    try:
        await _serve(socket, access, socket.app.state.streams)
    except Ended as error:
        await _close(socket, error.code, str(error))
    except (Unauthenticated, Forbidden) as error:
        await _close(socket, UNAUTHENTICATED if isinstance(error, Unauthenticated) else FORBIDDEN, str(error))
    except UserError as error:
        await _close(socket, BUSY, error.advice.what)
    except WebSocketDisconnect:
        pass


async def _serve(socket: WebSocket, access: Access, streams: Streams) -> None:
    with streams.stranger(access.address(socket)):
        await socket.accept()
        connection = await _connection(socket)
        person = await access.person(connection)
    require_scopes(person, ["read"])
    streams.enter(person)
    client = Client(socket, streams.feed, person)
    try:
        await _until_first(client, access, connection)
    finally:
        client.leave()
        streams.leave(person)


async def _until_first(client: Client, access: Access, connection: HTTPConnection) -> None:
    """Read, write, and watch the right to do so, until one of them ends."""
    tasks = [asyncio.ensure_future(each) for each in (client.read(), client.write(), access.until_out(connection))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if tasks[2] in done:
        raise Ended(UNAUTHENTICATED, str(tasks[2].result()))
    for task in done:
        task.result()


async def _connection(socket: WebSocket) -> HTTPConnection:
    """What the person is known by: the handshake, or the first message, read as if its token had come with the handshake."""
    if ACCESS_COOKIE in socket.cookies or "authorization" in socket.headers:
        return socket
    try:
        async with asyncio.timeout(_HELLO_SECONDS):
            said = await read_message(socket)
    except TimeoutError:
        raise Unauthenticated("nobody has said who this is: send authenticate first") from None
    except msgspec.MsgspecError:
        raise Ended(BAD_MESSAGE, "the first message must be authenticate") from None
    if not isinstance(said, Authenticate):
        raise Unauthenticated("sign in first, or send authenticate first")
    try:
        header = (b"authorization", f"Bearer {said.token}".encode("ascii"))
    except UnicodeEncodeError:
        raise Unauthenticated("this is none of our tokens") from None
    return HTTPConnection({**socket.scope, "headers": [*socket.scope["headers"], header], "state": {}})


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    if socket.application_state is WebSocketState.CONNECTING:
        # Whoever does not answer our goodbye would keep a connection that was opened for as long as one that is let wait.
        await socket.send_denial_response(PlainTextResponse(reason, 503, {"Retry-After": str(int(_HELLO_SECONDS))}))
        return
    if socket.client_state is WebSocketState.CONNECTED and socket.application_state is WebSocketState.CONNECTED:
        with suppress(WebSocketDisconnect, RuntimeError):  # it has gone meanwhile
            await socket.close(code, reason[:_MOST_REASON])
