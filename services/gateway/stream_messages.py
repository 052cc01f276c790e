"""What is said over the WebSocket, in both directions, and the JSON Schema of it (docs/stream.schema.json)."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

ChannelName = Literal[
    "prices",
    "trades",
    "liquidations",
    "indicators",
    "signals",
    "paper",
    "orders",
    "live",
    "positions",
    "executor",
    "risk",
    "feeds",
    "gaps",
    "alerts",
    "commands",
    "status",
]
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,40}$", description="Chosen by the client; names a subscription")]
Symbol = Annotated[str, Meta(pattern=r"^[A-Z0-9]{2,24}$")]
Strategy = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
MOST_SYMBOLS = 600


class Authenticate(msgspec.Struct, tag="authenticate", frozen=True, forbid_unknown_fields=True):
    """The first message of a client without a cookie. `token`: an access token, or an API token with the scope `read`."""

    token: Annotated[str, Meta(min_length=1, max_length=4096)]


class Subscribe(msgspec.Struct, tag="subscribe", frozen=True, forbid_unknown_fields=True):
    """Begin a subscription, or replace the one of that id. Empty filters: all.

    `from_` ("from") with the `epoch` of the welcome in which it was heard: go on after that sequence instead of a snapshot.
    """

    id: Id
    channel: ChannelName
    symbols: Annotated[tuple[Symbol, ...], Meta(max_length=MOST_SYMBOLS)] = ()
    strategies: Annotated[tuple[Strategy, ...], Meta(max_length=100)] = ()
    from_: Annotated[int, Meta(ge=0)] | None = msgspec.field(default=None, name="from")
    epoch: Annotated[str, Meta(max_length=64)] | None = None


class Unsubscribe(msgspec.Struct, tag="unsubscribe", frozen=True, forbid_unknown_fields=True):
    """End a subscription."""

    id: Id


class Ping(msgspec.Struct, tag="ping", frozen=True, forbid_unknown_fields=True):
    """Ask for a pong."""


ClientMessage = Authenticate | Subscribe | Unsubscribe | Ping


class Welcome(msgspec.Struct, tag="welcome", frozen=True):
    """Who is let in. `epoch`: of the gateway's memory; sequences of another one mean nothing."""

    epoch: str
    name: str
    role: Literal["viewer", "trader", "admin"]
    channels: tuple[ChannelName, ...]
    heartbeat_ms: int
    time_ms: int


class Snapshot(msgspec.Struct, tag="snapshot", frozen=True):
    """What there is now: the newest of each key, or the last ones of a list. Changes go on after `sequence`."""

    id: Id
    channel: ChannelName
    sequence: int
    items: list[Any]


class Changes(msgspec.Struct, tag="changes", frozen=True):
    """What has come since `after`, which is the sequence of the message before. `missed`: at most so many facts were dropped
    because the client was away or slow for too long: ask REST for them."""

    id: Id
    channel: ChannelName
    after: int
    sequence: int
    missed: int
    items: list[Any]


class Unsubscribed(msgspec.Struct, tag="unsubscribed", frozen=True):
    """The subscription has ended."""

    id: Id


class Pong(msgspec.Struct, tag="pong", frozen=True):
    """The answer to a ping."""

    time_ms: int


class Heartbeat(msgspec.Struct, tag="heartbeat", frozen=True):
    """Said when nothing else was for `heartbeat_ms` of the welcome: a client that hears nothing for longer connects again."""

    time_ms: int


class Trouble(msgspec.Struct, tag="error", frozen=True):
    """A message of the client that was not obeyed; the connection goes on."""

    detail: str
    id: str | None = None


ServerMessage = Welcome | Snapshot | Changes | Unsubscribed | Pong | Heartbeat | Trouble
