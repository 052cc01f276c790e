"""The running minute of each symbol from trades as they come: a cumulative figure, so that whoever takes less loses nothing.

Ids follow each other. Where they do not, the trades between went by unheard (Kafka was away) or are lost: the minutes on both
sides are partial.
"""

from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from libs.contracts.frames import FrameGate, TradeColumns
from libs.contracts.market import AggTradeFrame, SymbolSlice
from services.gateway.stream_items import MinuteBar

MINUTE_MS = 60_000


@dataclass(slots=True)
class _Bar:
    start_ms: int
    partial: bool
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    buy_volume: int = 0
    trades: int = 0
    quantity: int = 0
    buyer_is_maker: bool = False
    time_ms: int = 0
    last_id: int = 0


@dataclass(slots=True)
class Bars:
    """Adds frames up, each trade once. One gate per partition: a producer's epochs count there. Last ids by symbol."""

    _gates: dict[int, FrameGate] = field(default_factory=dict)
    _bars: dict[str, _Bar] = field(default_factory=dict)
    _last_ids: dict[str, int] = field(default_factory=dict)

    def take(self, frame: AggTradeFrame) -> list[MinuteBar]:
        """The bars that the frame changes, in order, each as it is after the frame. Raises `BadMessage` for a bad frame."""
        rows = self._gates.setdefault(frame.partition, FrameGate()).accept(frame)
        if rows is None or not len(rows):
            return []
        found = []
        for index, part in enumerate(frame.slices):
            mask = rows.symbol_index == index
            if mask.any():
                found += self._add(part, rows.select(mask))
        return found

    def _add(self, part: SymbolSlice, rows: TradeColumns) -> list[MinuteBar]:
        minutes = rows.time // MINUTE_MS
        found: dict[int, _Bar] = {}
        for minute in np.unique(minutes).tolist():
            for bar in self._add_minute(part.symbol, minute * MINUTE_MS, rows.select(minutes == minute)):
                found[bar.start_ms] = bar
        return [_shown(part, bar) for bar in found.values()]

    def _add_minute(self, symbol: str, start_ms: int, rows: TradeColumns) -> list[_Bar]:
        """The bars that this changes: the one before too where what is missing may have been its end."""
        follows = int(rows.agg_id[0]) == self._last_ids.get(symbol, -1) + 1
        self._last_ids[symbol] = int(rows.agg_id[-1])
        before = self._bars.get(symbol)
        if before is not None and start_ms < before.start_ms:
            return []  # a late trade of a minute that has been told
        if before is not None and start_ms == before.start_ms:
            before.partial |= not (follows and _is_dense(rows))
            return [_grown(before, rows)]
        first = int(rows.price[0])
        bar = self._bars[symbol] = _Bar(start_ms, not (follows and _is_dense(rows)), first, first, first, first)
        if before is None or follows or before.partial:
            return [_grown(bar, rows)]
        before.partial = True
        return [before, _grown(bar, rows)]


def _is_dense(rows: TradeColumns) -> bool:
    return int(rows.agg_id[-1]) - int(rows.agg_id[0]) + 1 == len(rows)


def _grown(bar: _Bar, rows: TradeColumns) -> _Bar:
    """The same one, with these trades."""
    bar.high, bar.low = max(bar.high, int(rows.price.max())), min(bar.low, int(rows.price.min()))
    bar.close, bar.quantity = int(rows.price[-1]), int(rows.quantity[-1])
    bar.volume += int(rows.quantity.sum())
    bar.buy_volume += int(rows.quantity[rows.buyer_is_maker == 0].sum())
    bar.trades += len(rows)
    bar.buyer_is_maker = bool(rows.buyer_is_maker[-1])
    bar.time_ms, bar.last_id = int(rows.trade_time[-1]), int(rows.agg_id[-1])
    return bar


def _shown(part: SymbolSlice, bar: _Bar) -> MinuteBar:
    def price(value: int) -> str:
        return f"{Decimal(value).scaleb(-part.price_decimals):f}"

    def quantity(value: int) -> str:
        return f"{Decimal(value).scaleb(-part.quantity_decimals):f}"

    return MinuteBar(
        symbol=part.symbol,
        open_time_ms=bar.start_ms,
        open=price(bar.open),
        high=price(bar.high),
        low=price(bar.low),
        close=price(bar.close),
        volume=quantity(bar.volume),
        buy_volume=quantity(bar.buy_volume),
        agg_trades=bar.trades,
        partial=bar.partial,
        last_id=bar.last_id,
        last_time_ms=bar.time_ms,
        last_quantity=quantity(bar.quantity),
        last_side="SELL" if bar.buyer_is_maker else "BUY",
    )
