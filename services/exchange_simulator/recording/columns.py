"""Recorded rows as columns, and the trading rules that they imply."""

from collections.abc import Sequence
from functools import reduce
from math import gcd

import numpy as np

from libs.exchanges.decimals import scaled
from libs.exchanges.recordings import RecordedTrade
from services.exchange_simulator.market import TradeColumns
from services.exchange_simulator.symbols import SymbolRules, known_profile

_NOT_KNOWN = -1


def rules_from(symbol: str, trades: Sequence[RecordedTrade]) -> SymbolRules:
    """Rules of a recorded symbol: decimals as written; tick and step of the venue where they fit all rows, else derived."""
    price_decimals, price_unit = _grid([trade.price for trade in trades])
    quantity_decimals, quantity_unit = _grid([trade.quantity for trade in trades])
    quote = "USDC" if symbol.endswith("USDC") else "USDT"
    base = symbol.removesuffix(quote)
    tick, step = _power_of_ten(price_unit), _power_of_ten(quantity_unit)
    known = known_profile(symbol)
    if known is not None and known.rules.price_decimals == price_decimals and price_unit % known.rules.tick == 0:
        tick = known.rules.tick
    if (
        known is not None
        and known.rules.quantity_decimals == quantity_decimals
        and quantity_unit % known.rules.step == 0
    ):
        step = known.rules.step
    return SymbolRules(symbol, base, quote, price_decimals, tick, quantity_decimals, step)


def _grid(texts: Sequence[str]) -> tuple[int, int]:
    """The most decimals written, and the greatest common divisor in those units."""
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    return decimals, reduce(gcd, (scaled(text, decimals) for text in set(texts)), 0) or 1


def _power_of_ten(unit: int) -> int:
    power = 1
    while unit % (power * 10) == 0:
        power *= 10
    return power


def columns_from(rules: SymbolRules, trades: Sequence[RecordedTrade]) -> TradeColumns:
    """Columns in recorded order. A row is told no earlier than the one before it, so event times never fall."""
    events = np.fromiter((max(trade.event_ms, trade.trade_ms) for trade in trades), np.int64, len(trades))
    return TradeColumns(
        ids=np.fromiter((trade.agg_id for trade in trades), np.int64, len(trades)),
        prices=np.fromiter((scaled(trade.price, rules.price_decimals) for trade in trades), np.int64, len(trades)),
        quantities=np.fromiter((scaled(t.quantity, rules.quantity_decimals) for t in trades), np.int64, len(trades)),
        non_rpi=np.full(len(trades), _NOT_KNOWN, np.int64),
        first_ids=np.fromiter((trade.first_id for trade in trades), np.int64, len(trades)),
        last_ids=np.fromiter((trade.last_id for trade in trades), np.int64, len(trades)),
        trade_ms=np.fromiter((trade.trade_ms for trade in trades), np.int64, len(trades)),
        event_ms=np.maximum.accumulate(events) if len(trades) else events,
        maker=np.fromiter((trade.maker for trade in trades), np.bool_, len(trades)),
    )


def shifted(trades: TradeColumns, shift_ms: int) -> TradeColumns:
    """The same trades at other times."""
    return TradeColumns(
        trades.ids,
        trades.prices,
        trades.quantities,
        trades.non_rpi,
        trades.first_ids,
        trades.last_ids,
        trades.trade_ms + shift_ms,
        trades.event_ms + shift_ms,
        trades.maker,
    )
