"""Binance USD-M stream messages to neutral structs: pure; unknown fields are ignored, what does not fit is reported.

Field letters and types: reference facts of the USD-M wire protocol; tests run it over recorded lines.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from libs.exchanges import ForcedOrder, MarkPrice, StreamBatch
from libs.exchanges.decoding import UNREADABLE

LINEAR = 1


class AggTradeMessage(msgspec.Struct, tag_field="e", tag="aggTrade", gc=False):
    """`<symbol>@aggTrade`; also implements the port's `AggTrade`."""

    symbol: str = msgspec.field(name="s")
    agg_id: int = msgspec.field(name="a")
    price: str = msgspec.field(name="p")
    quantity: str = msgspec.field(name="q")
    first_trade_id: int = msgspec.field(name="f")
    last_trade_id: int = msgspec.field(name="l")
    trade_time: int = msgspec.field(name="T")
    buyer_is_maker: bool = msgspec.field(name="m")
    event_time: int = msgspec.field(name="E")
    product: int = msgspec.field(name="st", default=LINEAR)


class MarkPriceMessage(msgspec.Struct, tag_field="e", tag="markPriceUpdate"):
    """`<symbol>@markPrice@1s`, and each element of `!markPrice@arr@1s`."""

    symbol: str = msgspec.field(name="s")
    event_time: int = msgspec.field(name="E")
    mark_price: str = msgspec.field(name="p")
    index_price: str = msgspec.field(name="i")
    next_funding_time: int = msgspec.field(name="T")
    funding_rate: str = msgspec.field(name="r", default="")
    estimated_settle_price: str = msgspec.field(name="P", default="")
    mark_price_average: str = msgspec.field(name="ap", default="")


class _ForcedOrderBody(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    side: Literal["BUY", "SELL"] = msgspec.field(name="S")
    price: str = msgspec.field(name="p")
    average_price: str = msgspec.field(name="ap")
    status: str = msgspec.field(name="X")
    last_filled_quantity: str = msgspec.field(name="l")
    filled_quantity: str = msgspec.field(name="z")
    trade_time: int = msgspec.field(name="T")
    product: int = msgspec.field(name="st", default=LINEAR)


class ForcedOrderMessage(msgspec.Struct, tag_field="e", tag="forceOrder"):
    """`<symbol>@forceOrder` and `!forceOrder@arr`. Since 2026-06-30 `st` says the product: documented beside `o`, seen inside
    it on the wire; before, neither was there and everything was linear."""

    event_time: int = msgspec.field(name="E")
    order: _ForcedOrderBody = msgspec.field(name="o")
    product: int = msgspec.field(name="st", default=LINEAR)


class _OtherMessage(msgspec.Struct):
    """What is no market message that we use: an answer to a request, an error, or an event type we did not ask for."""

    event: str | None = msgspec.field(name="e", default=None)
    id: int | str | None = None
    code: int | None = None
    msg: str = ""
    error: msgspec.Raw = msgspec.Raw(b"")


class ControlReply(NamedTuple):
    """The venue's answer to SUBSCRIBE and its kin; `error` is empty when it agreed."""

    request_id: int
    error: str


_decode = msgspec.json.Decoder(AggTradeMessage | MarkPriceMessage | ForcedOrderMessage).decode
_decode_list = msgspec.json.Decoder(list[MarkPriceMessage]).decode
_decode_other = msgspec.json.Decoder(_OtherMessage).decode


class ParsedBatch(NamedTuple):
    """One socket read: the market's messages, answers to our requests, and what could not be read (with the reason)."""

    market: StreamBatch
    replies: list[ControlReply]
    malformed: list[tuple[bytes, str]]


def parse_batch(payloads: Sequence[bytes]) -> ParsedBatch:
    """Read the text messages of one socket read; never raises: a malformed message is reported beside the good ones."""
    batch, replies, malformed = StreamBatch(), [], []
    trades = batch.trades
    add_trade = trades.append
    for payload in payloads:
        try:
            message = _decode(payload)
        except UNREADABLE as error:
            try:
                reply = None if _is_list(payload, batch) else _read_other(payload)
            except UNREADABLE:
                malformed.append((payload, str(error)))
            else:
                if reply is not None:
                    replies.append(reply)
            continue
        if message.__class__ is AggTradeMessage:
            add_trade(message)
        else:
            _add_slow(message, batch)
    if trades:
        batch.newest_event_time = max(batch.newest_event_time, trades[-1].event_time)
    return ParsedBatch(batch, replies, malformed)


def _is_list(payload: bytes, batch: StreamBatch) -> bool:
    """`!markPrice@arr@1s`: all symbols of the venue in one message. Raises as decoding does."""
    if not payload.startswith(b"[{"):
        return False
    for message in _decode_list(payload):
        _add_slow(message, batch)
    return True


def _add_slow(message: AggTradeMessage | MarkPriceMessage | ForcedOrderMessage, batch: StreamBatch) -> None:
    if isinstance(message, MarkPriceMessage):
        batch.mark_prices.append(_mark_price(message))
        batch.newest_event_time = max(batch.newest_event_time, message.event_time)
    elif isinstance(message, ForcedOrderMessage):
        batch.forced_orders.append(_forced_order(message))
        batch.newest_event_time = max(batch.newest_event_time, message.event_time)


def _mark_price(message: MarkPriceMessage) -> MarkPrice:
    return MarkPrice(
        symbol=message.symbol,
        event_time=message.event_time,
        mark_price=message.mark_price,
        index_price=message.index_price,
        estimated_settle_price=message.estimated_settle_price or None,
        mark_price_average=message.mark_price_average or None,
        funding_rate=message.funding_rate or None,
        next_funding_time=message.next_funding_time,
    )


def _forced_order(message: ForcedOrderMessage) -> ForcedOrder:
    order = message.order
    return ForcedOrder(
        symbol=order.symbol,
        side=order.side,
        price=order.price,
        average_price=order.average_price,
        filled_quantity=order.filled_quantity,
        last_filled_quantity=order.last_filled_quantity,
        status=order.status,
        trade_time=order.trade_time,
        event_time=message.event_time,
        product="linear" if message.product == order.product == LINEAR else "inverse",
    )


def _read_other(payload: bytes) -> ControlReply | None:
    """A reply, or None for an event of a kind that we do not use. Raises `MsgspecError` for everything else."""
    other = _decode_other(payload)
    if other.event is not None:
        if other.event in ("aggTrade", "markPriceUpdate", "forceOrder"):
            raise msgspec.ValidationError("a known event with wrong fields")
        return None
    error = other.msg if other.code is not None else bytes(other.error).decode(errors="replace")
    if isinstance(other.id, int):
        return ControlReply(other.id, error)
    if error:
        return ControlReply(-1, error)
    raise msgspec.ValidationError("neither an event nor an answer")
