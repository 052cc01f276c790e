"""From a record of a topic to what the stream's clients get: one table of channels, topics and shapes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from libs.contracts.commands import CommandAnswered
from libs.contracts.event import Event
from libs.contracts.market import FeedStatusChanged, LiquidationObserved, MarkPriceObserved, TradeGapChanged
from libs.contracts.signals import IndicatorComputed, SignalScored
from libs.contracts.topics import (
    ALERT,
    COMMAND_RESULT,
    EXECUTOR,
    FEEDSTATUS,
    LIQUIDATION,
    MARKPRICE,
    ORDER,
    PAPER,
    POSITION,
    RISK_STATE,
    SIGNAL_INDICATOR,
    SIGNAL_SCORED,
    TRADE,
    Topic,
)
from libs.contracts.trading import (
    AlertRaised,
    ExecutorReported,
    LiveTradeChanged,
    OrderChanged,
    PaperTradeChanged,
    PositionChanged,
    RiskStateChanged,
)
from services.gateway import stream_items, stream_shapes
from services.gateway.models.base import plain
from services.gateway.stream_memory import Channel, Item, Listed, Newest
from services.gateway.stream_messages import ChannelName

_encoder = msgspec.json.Encoder(decimal_format="string", order="deterministic")
# What may be money in the way that `str` writes small ones: rare, so the slower way is taken for these only.
_EXPONENT = re.compile(r'"-?[0-9.]+E[-+][0-9]+"')


def text_of(value: Any) -> str:
    """A value as JSON; money is decimal text without an exponent."""
    text = _encoder.encode(value).decode()
    if not _EXPONENT.search(text):
        return text
    built = msgspec.to_builtins(value, builtin_types=(Decimal,), order="deterministic")
    return msgspec.json.encode(_plainly(built)).decode()


def _plainly(value: Any) -> Any:
    match value:
        case Decimal():
            return plain(value)
        case dict():
            return {key: _plainly(each) for key, each in value.items()}
        case list() | tuple():
            return [_plainly(each) for each in value]
    return value


class Fact(NamedTuple):
    """What goes into a channel, and under which key."""

    channel: ChannelName
    key: str
    item: Item


@dataclass(frozen=True, slots=True)
class Row:
    """How events of a kind become facts. `key` None: each stands for itself. `shape`: what of it is sent."""

    channel: ChannelName
    key: Callable[[Any], str] | None = None
    shape: Callable[[Any], Any] = lambda event: event


ROWS: Mapping[type[Event], Row] = {
    MarkPriceObserved: Row("prices", lambda event: event.symbol, stream_shapes.price),
    LiquidationObserved: Row("liquidations", None, stream_shapes.forced_order),
    IndicatorComputed: Row("indicators", lambda event: event.symbol, stream_shapes.features),
    SignalScored: Row("signals"),
    PaperTradeChanged: Row("paper", None, stream_shapes.paper_fill),
    OrderChanged: Row("orders", None, stream_shapes.order),
    LiveTradeChanged: Row("live", None, stream_shapes.live_trade),
    PositionChanged: Row("positions", lambda event: f"{event.account}:{event.symbol}", stream_shapes.position),
    ExecutorReported: Row("executor", lambda event: event.account, stream_shapes.executor),
    RiskStateChanged: Row("risk", lambda event: event.account, stream_shapes.risk),
    FeedStatusChanged: Row("feeds", lambda event: f"{event.feed}:{event.symbol}", stream_shapes.feed),
    TradeGapChanged: Row("gaps"),
    AlertRaised: Row("alerts"),
    CommandAnswered: Row("commands", None, stream_shapes.command),
}
"""Trades are summed up to bars first (`stream_bars`), and `status` is the gateway's own."""
SHAPES: Mapping[ChannelName, Any] = {
    "prices": stream_items.Price,
    "trades": stream_items.MinuteBar,
    "liquidations": stream_items.ForcedOrder,
    "indicators": stream_items.Features,
    "signals": SignalScored,
    "paper": stream_items.PaperFill,
    "orders": stream_items.OrderNow,
    "live": stream_items.LiveTradeNow,
    "positions": stream_items.Position,
    "executor": stream_items.Executor,
    "risk": stream_items.Risk,
    "feeds": stream_items.Feed,
    "gaps": TradeGapChanged,
    "alerts": AlertRaised,
    "commands": stream_items.CommandTold,
    "status": stream_items.Following,
}
"""What an item of each channel is."""
RECENT: tuple[Topic, ...] = (
    MARKPRICE,
    LIQUIDATION,
    SIGNAL_INDICATOR,
    SIGNAL_SCORED,
    PAPER,
    ORDER,
    TRADE,
    EXECUTOR,
    RISK_STATE,
    FEEDSTATUS,
    ALERT,
    COMMAND_RESULT,
)
"""Read from some records before their end."""
WHOLE: tuple[Topic, ...] = (POSITION,)
"""Read from the beginning: the newest of a quiet key may stand anywhere."""


def fact_of(event: Event) -> Fact | None:
    """What clients get of an event; None for one that none of them asks for."""
    row = ROWS.get(type(event))
    if row is None:
        return None
    symbol, strategy = getattr(event, "symbol", None), getattr(event, "strategy", None)
    key = event.event_id if row.key is None else row.key(event)
    return Fact(row.channel, key, Item(text_of(row.shape(event)), symbol, strategy))


def new_channels() -> dict[ChannelName, Channel]:
    """Every channel, empty: lists for what must not be dropped silently, the newest by key for the others."""
    listed = {row.channel for row in ROWS.values() if row.key is None}
    return {name: Listed() if name in listed else Newest() for name in SHAPES}
