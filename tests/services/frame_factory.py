"""Builds trade frames from plain rows, for the tests of everything that reads frames."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from libs.contracts.market import UNKNOWN_TIME, AggTradeFrame, Hole, SymbolSlice


class Row(NamedTuple):
    """One aggregate trade in scaled integers; `time` is the effective time, `trade_time` the venue's T (ms)."""

    symbol: str
    agg_id: int
    price: int
    quantity: int
    time: int
    buyer_is_maker: bool
    trade_time: int = UNKNOWN_TIME


class Envelope(NamedTuple):
    """Who sent the frame."""

    partition: int = 0
    producer: str = "trade_ingest/0"
    epoch: int = 1
    sequence: int = 0


def make_frame(
    envelope: Envelope,
    rows: Sequence[Row],
    watermarks: Mapping[str, int],
    holes: tuple[Hole, ...] = (),
    decimals: tuple[int, int] = (2, 3),
) -> AggTradeFrame:
    """A frame of these rows; symbols in the order of `watermarks`, which names each symbol of the frame."""
    symbols = {symbol: index for index, symbol in enumerate(watermarks)}

    def wide(values: Sequence[int]) -> bytes:
        return np.array(values, "<i8").tobytes()

    slices = []
    for symbol, watermark in watermarks.items():
        ids = [row.agg_id for row in rows if row.symbol == symbol]
        first, last = (ids[0], ids[-1]) if ids else (-1, -1)
        slices.append(SymbolSlice(symbol, *decimals, len(ids), first, last, watermark))
    raw = [row.time if row.trade_time == UNKNOWN_TIME else row.trade_time for row in rows]
    late = [index for index, row in enumerate(rows) if raw[index] != row.time]
    return AggTradeFrame(
        event_id=f"{envelope.producer}:{envelope.epoch}:{envelope.sequence}",
        event_time_ms=max((*raw, *watermarks.values()), default=0),
        partition=envelope.partition,
        producer=envelope.producer,
        epoch=envelope.epoch,
        sequence=envelope.sequence,
        received_us=max((*raw, 0)) * 1000,
        slices=tuple(slices),
        holes=holes,
        symbol_index=np.array([symbols[row.symbol] for row in rows], "<u2").tobytes(),
        agg_id=wide([row.agg_id for row in rows]),
        price=wide([row.price for row in rows]),
        quantity=wide([row.quantity for row in rows]),
        first_trade_id=wide([row.agg_id * 2 for row in rows]),
        last_trade_id=wide([row.agg_id * 2 + 1 for row in rows]),
        trade_time=wide(raw),
        buyer_is_maker=np.array([row.buyer_is_maker for row in rows], "u1").tobytes(),
        late_row=np.array(late, "<u4").tobytes(),
        late_time=wide([rows[index].time for index in late]),
    )
