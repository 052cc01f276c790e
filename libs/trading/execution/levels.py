"""Where a live position is to be left, on the venue's ticks: from the bracket that its signal meant and what its entry paid."""

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from libs.trading.break_even import RoundTrip, break_even_price
from libs.trading.execution.document import Bracket, Rules, Trade, Trailing
from libs.trading.execution.protection import Levels
from libs.trading.filters import SymbolFilters

CALLBACK_STEP = Decimal("0.1")
LEAST_CALLBACK, MOST_CALLBACK = Decimal("0.1"), Decimal(10)
"""Percent, in steps of a tenth (reference facts, 6: up to 20 since October 2026, up to 10 before; what both take)."""
_HUNDRED = Decimal(100)


def on_ticks(bracket: Bracket, filters: SymbolFilters) -> Bracket:
    """The bracket in prices that an order may name: each level at the nearest tick, as on paper and in a backtest, so that a
    stop is touched by the same trades everywhere."""
    first, second = bracket.take_profit_1, bracket.take_profit_2
    return msgspec.structs.replace(
        bracket,
        stop=filters.price_on_tick(bracket.stop),
        take_profit_1=None if first is None else filters.price_on_tick(first),
        take_profit_2=None if second is None else filters.price_on_tick(second),
    )


def trailing_of(distance: Decimal, price: Decimal) -> Trailing | None:
    """A distance (quote units) behind the best price as the venue takes it: a share of the price, to the nearest tenth of a
    percent; None where that is outside of what it takes."""
    callback = (distance / price * _HUNDRED / CALLBACK_STEP).to_integral_value(ROUND_HALF_EVEN) * CALLBACK_STEP
    if not LEAST_CALLBACK <= callback <= MOST_CALLBACK:
        return None
    return Trailing(callback_percent=callback, distance=distance)


def rules_of(filters: SymbolFilters, taker_fee: Decimal, maker_fee: Decimal) -> Rules:
    """The filters and fees that a document keeps."""
    return Rules(
        tick=filters.tick,
        quantity_step=filters.quantity_step,
        min_quantity=filters.min_quantity,
        min_notional=filters.min_notional,
        max_quantity=filters.max_quantity,
        taker_fee=taker_fee,
        maker_fee=maker_fee,
    )


def filters_of(symbol: str, rules: Rules) -> SymbolFilters:
    """The filters that a document keeps, as all rules read them."""
    return SymbolFilters(
        symbol=symbol,
        tick=rules.tick,
        quantity_step=rules.quantity_step,
        min_quantity=rules.min_quantity,
        max_quantity=rules.max_quantity,
        min_notional=rules.min_notional,
    )


def levels_of(trade: Trade, entry_average: Decimal | None) -> Levels | None:
    """Where the position is to be left; None for a trade without a bracket. `entry_average` None, while no fill has told it: the
    signal's price stands in, which matters for break-even only, and that comes after the first target.

    Break-even is the entry and what both sides cost as taker (`libs.trading.break_even`), as on paper.
    """
    bracket, rules = trade.bracket, trade.rules
    if bracket is None or rules is None:
        return None
    price = entry_average if entry_average is not None else trade.signal_price
    break_even = bracket.stop
    if price is not None and bracket.take_profit_1 is not None:
        costs = RoundTrip(rules.taker_fee, rules.taker_fee)
        break_even = break_even_price(trade.direction, price, costs, rules.tick, bracket.take_profit_1)
    callback = None if trade.trailing is None else trade.trailing.callback_percent
    return Levels(bracket.stop, bracket.take_profit_1, bracket.take_profit_2, break_even, callback)
