"""One client of the stream: what it has asked for, and how far it has taken it. A slow one is sent less, not later."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import get_args

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from libs.kit.metrics import counter
from services.gateway.access import Person
from services.gateway.limits import Limit
from services.gateway.stream_feed import StreamFeed
from services.gateway.stream_memory import Taken, Wanted
from services.gateway.stream_messages import (
    Authenticate,
    ChannelName,
    ClientMessage,
    Heartbeat,
    Ping,
    Pong,
    ServerMessage,
    Subscribe,
    Trouble,
    Unsubscribe,
    Unsubscribed,
    Welcome,
)

FLUSH_SECONDS = 0.1
"""A client is sent at most this often; what has come together meanwhile comes in one message a subscription."""
HEARTBEAT_SECONDS = 15.0
SEND_SECONDS = 30.0
MOST_SUBSCRIPTIONS = 40
BAD_MESSAGE, TOO_SLOW = 4400, 4408
MOST_MESSAGE_BYTES = 64 * 1024
_MOST_BAD = 10
_MESSAGES_PER_SECOND, _MESSAGES_AT_ONCE = 10.0, 100.0
_decoder: "msgspec.json.Decoder[ClientMessage]" = msgspec.json.Decoder(ClientMessage)
_encoder = msgspec.json.Encoder()


class Ended(Exception):
    """The stream is over: the WebSocket is closed with this code and sentence."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


async def read_message(socket: WebSocket) -> ClientMessage:
    """The client's next message. Raises `WebSocketDisconnect`, and `msgspec.MsgspecError` for one that is none."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    text = message.get("text")
    if text is None:
        raise msgspec.DecodeError("messages are JSON text")
    try:
        return _decoder.decode(text)
    except (UnicodeEncodeError, RecursionError):
        raise msgspec.DecodeError("messages are JSON text") from None


@dataclass(slots=True)
class _Subscription:
    id: str
    channel: ChannelName
    wanted: Wanted
    seen: int | None  # up to where was looked; None: the snapshot has not been sent
    told: int = 0  # the sequence of the last message


def now_ms() -> int:
    """The machine's clock, ms (UTC)."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Client:
    """A connected WebSocket of a person."""

    socket: WebSocket
    feed: StreamFeed
    person: Person
    limit: Limit = field(default_factory=lambda: Limit(_MESSAGES_PER_SECOND, _MESSAGES_AT_ONCE))
    _subscriptions: dict[str, _Subscription] = field(default_factory=dict)
    _replies: deque[str] = field(default_factory=deque)
    _awake: asyncio.Event = field(default_factory=asyncio.Event)
    _bad: int = 0
    _sent: float = 0.0

    async def read(self) -> None:
        """Obey messages until the client goes. Raises `Ended` for one that says nonsense, or too much."""
        while True:
            if len(self._replies) > 2 * _MESSAGES_AT_ONCE:
                raise Ended(TOO_SLOW, "answers are not read")
            try:
                said = await read_message(self.socket)
            except WebSocketDisconnect:
                return
            except msgspec.MsgspecError as error:
                self._bad += 1
                if self._bad > _MOST_BAD:
                    raise Ended(BAD_MESSAGE, "too many messages that are none") from None
                self._reply(Trouble(str(error)))
                continue
            if self.limit.wait(""):
                raise Ended(BAD_MESSAGE, "too many messages")
            self._obey(said)

    def _obey(self, said: ClientMessage) -> None:
        match said:
            case Subscribe():
                self._subscribe(said)
            case Unsubscribe():
                self._unsubscribe(said.id)
            case Ping():
                self._reply(Pong(now_ms()))
            case Authenticate():
                self._reply(Trouble("you have come in already"))

    def _subscribe(self, asked: Subscribe) -> None:
        self._drop(asked.id)
        if len(self._subscriptions) >= MOST_SUBSCRIPTIONS:
            self._reply(Trouble(f"there are {MOST_SUBSCRIPTIONS} subscriptions already", asked.id))
            return
        wanted = Wanted(frozenset(asked.symbols), frozenset(asked.strategies))
        known = asked.epoch == self.feed.epoch and asked.from_ is not None
        place = asked.from_ if known and (asked.from_ or 0) <= self.feed.channels[asked.channel].sequence else None
        self._subscriptions[asked.id] = _Subscription(asked.id, asked.channel, wanted, place, place or 0)
        self.feed.waking.listen(asked.channel, self._awake)
        self._awake.set()

    def _unsubscribe(self, name: str) -> None:
        if self._drop(name):
            self._reply(Unsubscribed(name))
        else:
            self._reply(Trouble("there is no such subscription", name))

    def _drop(self, name: str) -> bool:
        gone = self._subscriptions.pop(name, None)
        if gone is None:
            return False
        if all(each.channel != gone.channel for each in self._subscriptions.values()):
            self.feed.waking.leave(gone.channel, self._awake)
        return True

    def leave(self) -> None:
        """Nothing more for this client."""
        for name in list(self._subscriptions):
            self._drop(name)

    def _reply(self, message: ServerMessage) -> None:
        self._replies.append(_encoder.encode(message).decode())
        self._awake.set()

    async def write(self) -> None:
        """Send for ever what has come. Raises `Ended` for a client that takes nothing."""
        self._reply(self._welcome())
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._awake.wait()
            self._awake.clear()
            for frame in self._frames():
                await self._send(frame)
            if time.monotonic() - self._sent >= HEARTBEAT_SECONDS:
                await self._send(_encoder.encode(Heartbeat(now_ms())).decode())
            await asyncio.sleep(FLUSH_SECONDS)

    def _welcome(self) -> Welcome:
        return Welcome(
            epoch=self.feed.epoch,
            name=self.person.name,
            role=self.person.role,
            channels=get_args(ChannelName),
            heartbeat_ms=int(HEARTBEAT_SECONDS * 1000),
            time_ms=now_ms(),
        )

    def _frames(self) -> Iterator[str]:
        while self._replies:
            yield self._replies.popleft()
        for subscription in list(self._subscriptions.values()):
            if self._subscriptions.get(subscription.id) is subscription:
                frame = self._frame(subscription)
                if frame is not None:
                    yield frame

    def _frame(self, subscription: _Subscription) -> str | None:
        channel, seen, after = self.feed.channels[subscription.channel], subscription.seen, subscription.told
        taken = channel.snapshot(subscription.wanted) if seen is None else channel.since(seen, subscription.wanted)
        subscription.seen = taken.sequence
        if taken.more:
            self._awake.set()
        if seen is not None and taken.is_empty:  # nothing is said, so that `after` is always the message before
            return None
        subscription.told = taken.sequence
        if seen is None:
            return f"{_head('snapshot', subscription, taken)}}}"
        return f'{_head("changes", subscription, taken)},"after":{after},"missed":{taken.missed}}}'

    async def _send(self, text: str) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self.socket.send_text(text)
        except TimeoutError:
            raise Ended(TOO_SLOW, "what is sent is not read") from None
        self._sent = time.monotonic()
        counter("perpstream_stream_messages_total").inc()


def _head(kind: str, subscription: _Subscription, taken: Taken) -> str:
    """A message but for its end; id and channel need no escaping (see `Id`)."""
    return (
        f'{{"type":"{kind}","id":"{subscription.id}","channel":"{subscription.channel}","sequence":{taken.sequence},'
        f'"items":[{taken.text}]'
    )
