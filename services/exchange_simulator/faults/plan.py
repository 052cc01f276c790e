"""Every fault that can be asked for, as it stands in a request or a script file: its kind, when, and how bad.

Times are venue time. A fault without `at_ms` begins now; `after_ms` counts from now, in a script from the simulator's first
start. Without `for_ms` it lasts until it is deleted; kinds that are one instant (`disconnect`, `rotation`) ignore that.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from services.exchange_simulator.faults.base import LONGEST_MS, MOST, AnswerFault, Fault, RestFault, Text503
from services.exchange_simulator.faults.trading import (
    CancelTooLate,
    ForcedClose,
    MarginCall,
    MoneyTransfer,
    OutsideCancel,
    OutsideOrder,
    OutsideSettings,
    OutsideStop,
    PositionFlip,
    StaleReads,
    StrictUserStreams,
    ThinTriggers,
)
from services.exchange_simulator.market import StreamKind

TradeField = Literal["E", "T"]
UserEvent = Literal[
    "ORDER_TRADE_UPDATE",
    "ACCOUNT_UPDATE",
    "ALGO_UPDATE",
    "TRADE_LITE",
    "ACCOUNT_CONFIG_UPDATE",
    "MARGIN_CALL",
    "listenKeyExpired",
]


class ConnectionFault(Fault):
    """A fault of connections: all of them, or the oldest or newest one that is open when it begins, by path."""

    connections: Literal["all", "oldest", "newest"] = "all"
    path: str = Field(default="/", description="Only connections whose path begins so, like /market")


class Disconnect(ConnectionFault):
    """Cut connections, like networks do or with a close code; new ones are refused (503) for `for_ms`."""

    kind: Literal["disconnect"]
    close_code: int | None = Field(default=None, ge=1000, le=4999, description="None: no close frame")


class Rotation(ConnectionFault):
    """End connections as the venue does after 24 hours."""

    kind: Literal["rotation"]


class HalfOpen(ConnectionFault):
    """Connections stay open and say nothing any more, not even to pings; new ones work. They never recover."""

    kind: Literal["half_open"]


class StreamFault(Fault):
    """A fault of messages. `probability` and `most` choose among those of the named symbols, streams and connections."""

    symbols: tuple[str, ...] = Field(default=(), description="None named: all")
    streams: tuple[StreamKind | UserEvent, ...] = Field(
        default=("aggTrade",), description="Kinds of market streams, or of events of user streams"
    )
    connections: Literal["all", "oldest", "newest"] = Field(
        default="all", description="oldest or newest: of those that are open when the fault begins"
    )
    probability: float = Field(default=1.0, gt=0, le=1)
    most: int | None = Field(default=None, ge=1, le=MOST, description="At most so many messages")


class Silent(StreamFault):
    """The subscription is accepted, and nothing comes."""

    kind: Literal["silent"]


class Drop(StreamFault):
    """Messages get lost."""

    kind: Literal["drop"]


class Duplicate(StreamFault):
    """Messages come again, `copies` times."""

    kind: Literal["duplicate"]
    copies: int = Field(default=1, ge=1, le=100)


class Reorder(StreamFault):
    """A message comes behind the next `behind` of its stream, or a second of venue time later where fewer come."""

    kind: Literal["reorder"]
    behind: int = Field(default=1, ge=1, le=1000)


class Delay(StreamFault):
    """Messages come `by_ms` later than they should; their event time is the original one."""

    kind: Literal["delay"]
    by_ms: int = Field(ge=1, le=600_000)


class LateBurst(StreamFault):
    """Messages are held back and all come when the fault ends."""

    kind: Literal["late_burst"]

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.for_ms is None:
            raise ValueError("a late burst needs for_ms, its length")
        return self


class WrongTime(StreamFault):
    """Event time (E) or trade time (T) of messages is wrong by `by_ms`; REST tells the right one."""

    kind: Literal["wrong_time"]
    by_ms: int = Field(ge=-LONGEST_MS, le=LONGEST_MS)
    field: TradeField = "E"


class Malformed(StreamFault):
    """Messages are no JSON."""

    kind: Literal["malformed"]


class Truncated(StreamFault):
    """Messages end in the middle (a well-formed WebSocket frame with half a JSON text)."""

    kind: Literal["truncated"]


class UnknownFields(StreamFault):
    """Messages have fields that no document names."""

    kind: Literal["unknown_fields"]


class MissingFields(StreamFault):
    """Messages lack optional fields."""

    kind: Literal["missing_fields"]
    fields: tuple[str, ...] = ("nq", "st")


class MarketFault(Fault):
    """A change of the market itself: streams and REST agree on it, and it outlives a restart."""

    symbols: tuple[str, ...] = Field(default=(), description="None named: all")


class Halt(MarketFault):
    """Nobody trades. Ids go on behind it without a gap; mark prices go on through it."""

    kind: Literal["halt"]


class Status(MarketFault):
    """exchangeInfo shows another status, trading goes on."""

    kind: Literal["status"]
    status: Literal["PENDING_TRADING", "PRE_SETTLE", "SETTLING", "CLOSE", "BREAK"]


class Delisting(MarketFault):
    """Trading ends for good and exchangeInfo says so."""

    kind: Literal["delisting"]

    @model_validator(mode="after")
    def _for_good(self) -> Self:
        if self.for_ms is not None:
            raise ValueError("a delisting is for good: leave for_ms out")
        return self


class TickSize(MarketFault):
    """Prices get another tick from then on: `tick` units of 10^-`price_decimals`."""

    kind: Literal["tick_size"]
    price_decimals: int = Field(ge=0, le=8)
    tick: int = Field(ge=1, le=MOST)


class ClockSkew(Fault):
    """The venue's clock is wrong: /fapi/v1/time and every E are off by `by_ms`; trade times are not."""

    kind: Literal["clock_skew"]
    by_ms: int = Field(ge=-60_000, le=60_000)


class ListenKeyExpiry(Fault):
    """All listen keys expire; open private connections are told and stay open."""

    kind: Literal["listen_key_expiry"]


class RateLimited(RestFault):
    """429, with Retry-After when `retry_after_s` is given."""

    kind: Literal["rate_limited"]
    retry_after_s: int | None = Field(default=None, ge=0, le=LONGEST_MS // 1000)


class Banned(RestFault):
    """418 until the fault ends."""

    kind: Literal["banned"]

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.for_ms is None:
            raise ValueError("a ban needs for_ms, its length")
        return self


class Unavailable(AnswerFault):
    """One of the four 503 answers; they differ in what they say of an order's fate. `throttled` lets pass what reduces risk."""

    kind: Literal["unavailable"]
    text: Text503 = "unavailable"


class ServerError(AnswerFault):
    """Another 5xx with a page that is no JSON."""

    kind: Literal["server_error"]
    status: int = Field(default=502, ge=500, le=599)


class BackendTimeout(AnswerFault):
    """408 with code -1007: nobody knows what became of the request."""

    kind: Literal["backend_timeout"]


class ConnectionReset(AnswerFault):
    """The connection is cut instead of an answer."""

    kind: Literal["connection_reset"]


class NoAnswer(AnswerFault):
    """Nothing comes for `seconds` of real time, then the connection is cut."""

    kind: Literal["no_answer"]
    seconds: float = Field(default=60.0, gt=0, le=600)


class Refusal(RestFault):
    """A refusal with any code, as -2021 for a stop that would be taken otherwise."""

    kind: Literal["refusal"]
    code: int = Field(ge=-9999, le=-1000)
    message: str = Field(default="Refused by a fault of the simulator.", max_length=1000)
    status: int = Field(default=400, ge=400, le=599)


class SlowBody(RestFault):
    """Headers at once, then the body byte by byte over `seconds` of real time."""

    kind: Literal["slow_body"]
    seconds: float = Field(gt=0, le=600)


class TruncatedPage(RestFault):
    """A list answer with only the first `rows` rows, or (None) a body that ends in the middle."""

    kind: Literal["truncated_page"]
    rows: int | None = Field(default=None, ge=0, le=MOST)


class HistoryExpired(RestFault):
    """aggTrades older than `keep_ms` are refused, as if their history had ended."""

    kind: Literal["history_expired"]
    paths: tuple[str, ...] = ("/fapi/v1/aggTrades",)
    keep_ms: int = Field(default=0, ge=0, le=LONGEST_MS)


AnyFault = Annotated[
    Disconnect
    | Rotation
    | HalfOpen
    | Silent
    | Drop
    | Duplicate
    | Reorder
    | Delay
    | LateBurst
    | WrongTime
    | Malformed
    | Truncated
    | UnknownFields
    | MissingFields
    | Halt
    | Status
    | Delisting
    | TickSize
    | ClockSkew
    | ListenKeyExpiry
    | RateLimited
    | Banned
    | Unavailable
    | ServerError
    | SlowBody
    | TruncatedPage
    | HistoryExpired
    | BackendTimeout
    | ConnectionReset
    | NoAnswer
    | Refusal
    | StaleReads
    | CancelTooLate
    | ThinTriggers
    | StrictUserStreams
    | OutsideOrder
    | OutsideStop
    | OutsideCancel
    | OutsideSettings
    | PositionFlip
    | ForcedClose
    | MoneyTransfer
    | MarginCall,
    Field(discriminator="kind"),
]
FAULT: TypeAdapter[AnyFault] = TypeAdapter(AnyFault)
FAULTS: TypeAdapter[list[AnyFault]] = TypeAdapter(list[AnyFault])


def explain(error: ValidationError) -> str:
    """Each complaint with its place, without the library's own words around it."""
    parts = [
        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors()
    ]
    return "; ".join(parts)
