"""Writes a timeline by hand: real frames and facts with the headers that the sequencer gives them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

import numpy as np

from libs.contracts.codec import Encoded, encode
from libs.contracts.event import Event
from libs.contracts.identity import digest, liquidation_id
from libs.contracts.market import (
    AggTradeFrame,
    FeedStatusChanged,
    Hole,
    LiquidationObserved,
    MarkPriceObserved,
    SymbolSlice,
)
from libs.contracts.timeline import HEADER_EFFECTIVE_AT, HEADER_EPOCH, HEADER_SOURCE, TimelineFenced
from libs.contracts.topics import AGGTRADE, FEEDSTATUS, LIQUIDATION, MARKPRICE

START_MS = 1_723_075_199_000  # 2024-08-07T23:59:59Z


def frame(
    first_id: int, count: int, *, symbols: Sequence[str] = ("BTCUSDT",), sequence: int = 0, epoch: int = 1
) -> AggTradeFrame:
    """`count` trades of each symbol whose content follows from symbol and id alone; rows of the symbols alternate."""
    ids = np.repeat(np.arange(first_id, first_id + count, dtype=np.int64), len(symbols))
    index = np.tile(np.arange(len(symbols), dtype=np.uint16), count)
    times = START_MS + ids // 10
    last = first_id + count - 1
    slices = tuple(SymbolSlice(symbol, 2, 3, count, first_id, last, START_MS + last // 10 - 1) for symbol in symbols)
    return AggTradeFrame(
        event_id=f"trade_ingest/0:{epoch}:{sequence}",
        event_time_ms=int(times[-1]),
        partition=0,
        producer="trade_ingest/0",
        epoch=epoch,
        sequence=sequence,
        received_us=0,
        slices=slices,
        symbol_index=index.astype("<u2").tobytes(),
        agg_id=ids.astype("<i8").tobytes(),
        price=(6_000_000 + ids % 997).astype("<i8").tobytes(),
        quantity=(1 + ids % 101).astype("<i8").tobytes(),
        first_trade_id=(ids * 2).astype("<i8").tobytes(),
        last_trade_id=(ids * 2 + 1).astype("<i8").tobytes(),
        trade_time=times.astype("<i8").tobytes(),
        buyer_is_maker=(ids % 2).astype("u1").tobytes(),
    )


def with_hole(made: AggTradeFrame, first: int, last: int) -> AggTradeFrame:
    """The frame with a hole of its first symbol in band."""
    hole = Hole(made.slices[0].symbol, first, last, START_MS, START_MS + 1000, "rest_no_longer_has_it")
    return replace_event(made, holes=(hole,))


def replace_event(made: AggTradeFrame, **changes: object) -> AggTradeFrame:
    """The frame with other fields."""
    fields = {name: getattr(made, name) for name in made.__struct_fields__}
    return AggTradeFrame(**{**fields, **changes})


def liquidation(number: int, *, symbol: str = "BTCUSDT", side: Literal["BUY", "SELL"] = "SELL") -> LiquidationObserved:
    """One forced order; the same number is the same fact."""
    quantity, price, at = Decimal(number).scaleb(-3), Decimal("60000.10"), START_MS + number * 1000
    return LiquidationObserved(
        event_id=liquidation_id(symbol, side, at, quantity, price),
        event_time_ms=at,
        symbol=symbol,
        side=side,
        quantity=quantity,
        average_price=price,
        order_price=price,
        last_filled_quantity=quantity,
        trade_time_ms=at,
        status="FILLED",
    )


def mark_price(number: int, *, symbol: str = "BTCUSDT") -> MarkPriceObserved:
    """One mark price, two seconds after the one before."""
    at = START_MS + number * 2000
    return MarkPriceObserved(
        event_id=digest("mark", symbol, at),
        event_time_ms=at,
        symbol=symbol,
        mark_price=Decimal("60000.12345678") + number,
        index_price=Decimal("60001.5"),
        estimated_settle_price=None,
        mark_price_average=None,
        funding_rate=Decimal("0.00010000"),
        next_funding_time_ms=START_MS + 3_600_000,
    )


def feed_report(at_ms: int, *, symbol: str = "BTCUSDT", since_ms: int = START_MS) -> FeedStatusChanged:
    """The trade feed is live, told at that time."""
    return FeedStatusChanged(
        event_id=digest("report", symbol, at_ms),
        event_time_ms=at_ms,
        feed="trades",
        symbol=symbol,
        state="live",
        detail="",
        last_event_time_ms=START_MS,
        since_ms=since_ms,
    )


_SOURCES = {
    FeedStatusChanged: FEEDSTATUS,
    AggTradeFrame: AGGTRADE,
    LiquidationObserved: LIQUIDATION,
    MarkPriceObserved: MARKPRICE,
}


@dataclass(slots=True)
class TimelineWriter:
    """Encodes the records of one partition as its owner would, source offsets counted up."""

    epoch: int = 1
    offsets: dict[str, int] = field(default_factory=dict)

    def fence(self) -> Encoded:
        """The first record of an owner."""
        return encode(
            TimelineFenced(event_id=f"fence:{self.epoch}", event_time_ms=0, partition=0, epoch=self.epoch, owner="test")
        )

    def copy(self, event: Event, effective_at_ms: int = START_MS) -> Encoded:
        """A copied record with its three headers."""
        topic = _SOURCES[type(event)].name
        offset = self.offsets.get(topic, -1) + 1
        self.offsets[topic] = offset
        made = encode(event)
        headers = [
            (HEADER_SOURCE, f"{topic}:0:{offset}".encode()),
            (HEADER_EPOCH, str(self.epoch).encode()),
            (HEADER_EFFECTIVE_AT, str(effective_at_ms).encode()),
        ]
        return Encoded(made.value, [*made.headers, *headers])


def garbled(record: Encoded) -> Encoded:
    """The record with bytes that are no event."""
    return replace_value(record, b"\xc1 not an event")


def replace_value(record: Encoded, value: bytes) -> Encoded:
    """The record with another value under the same headers."""
    return Encoded(value, record.headers)
