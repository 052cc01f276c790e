"""Emitted signals of a rescored configuration as the compiled trading rules take them, with the engine's own brackets."""

from collections.abc import Mapping
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from libs.trading.execution.levels import LEAST_CALLBACK, MOST_CALLBACK
from libs.trading.filters import SymbolFilters
from libs.trading.machine.run import Signals
from libs.trading.opinions import ATR_DECIMALS, Opinions
from libs.trading.rescoring import Crossings
from libs.trading.signal_columns import strategy_number
from libs.trading.strategy import Strategy

MINUTE_MS = 60_000
LEAST_SHARE, MOST_SHARE = int(LEAST_CALLBACK * 10), int(MOST_CALLBACK * 10)
"""Of a price, in thousandths: how far behind it the venue lets a stop trail."""
Whole = NDArray[np.int64]
_LARGEST = 2**62


def rescored_signals(
    opinions: Opinions,
    crossings: Crossings,
    strategy: Strategy,
    scales: Mapping[str, tuple[int, int]],
    filters: Mapping[str, SymbolFilters],
) -> Signals:
    """What `signal_columns` makes of the events of these crossings' emitted signals, in order of time and symbol.

    The number of a signal is its place among `crossings`. Raises `ValueError` where prices of the opinions and of the tape do not
    have the same decimals, or a signal's symbol has no tape.
    """
    number = np.flatnonzero(crossings.emitted)
    row = crossings.row[number]
    number = number[np.lexsort((opinions.symbol[row], opinions.time_ms[row]))]
    row, side = crossings.row[number], crossings.side[number].astype(np.int64)
    places = _places(opinions, scales)
    symbol, price, atr = opinions.symbol[row], opinions.price[row], opinions.atr[row]
    ticks = _ticks(opinions, scales, filters)[symbol]
    bracket = strategy.bracket
    stop, near, far = (
        _on_tick(_level(price, atr, side, multiple), ticks)
        for multiple in (-bracket.stop_loss_atr, bracket.take_profit_1_atr, bracket.take_profit_2_atr)
    )
    time_ms = opinions.time_ms[row]
    until_ms = time_ms + strategy.hold_minutes * MINUTE_MS
    levels = (side, _on_tick(price, ticks), stop, near, far, until_ms)
    return Signals(number, time_ms, places[symbol], *levels, *_ways(strategy, price, atr))


def _ways(strategy: Strategy, price: Whole, atr: Whole) -> tuple[Whole, Whole, Whole, Whole, Whole]:
    """How the bracket works, by signal: the last five columns of `Signals`."""
    bracket, count = strategy.bracket, len(atr)
    trailing = np.zeros(count, np.int64)
    if bracket.trailing_atr is not None:
        nothing, once = np.zeros(count, np.int64), np.ones(count, np.int64)
        distance = _level(nothing, atr, once, bracket.trailing_atr)
        share = _on_tick(1_000 * distance, price) // price
        trailing = np.where((share >= LEAST_SHARE) & (share <= MOST_SHARE), share, -1)
    at_market, closes = bracket.take_profit_type == "market", bracket.on_opposite_signal == "close"
    number, by_mark = strategy_number(strategy.name), bracket.working_type == "mark"
    same = [np.full(count, value, np.int64) for value in (at_market, closes, number, by_mark)]
    return trailing, same[0], same[1], same[2], same[3]


def _places(opinions: Opinions, scales: Mapping[str, tuple[int, int]]) -> Whole:
    """By symbol of the opinions: its place among the tapes, which are in order of names."""
    order = {name: place for place, name in enumerate(sorted(scales))}
    for name, decimals in zip(opinions.symbols, opinions.price_decimals, strict=True):
        if name not in scales:
            raise ValueError(f"{name}: a signal of a symbol whose trades are not there")
        if scales[name][0] != decimals:
            raise ValueError(f"{name}: prices with {decimals} decimals, the tape's have {scales[name][0]}")
    return np.array([order[name] for name in opinions.symbols], np.int64)


def _ticks(opinions: Opinions, scales: Mapping[str, tuple[int, int]], filters: Mapping[str, SymbolFilters]) -> Whole:
    """By symbol: its tick in the tape's decimals; 1 without a filter."""
    return np.array(
        [int(filters[name].tick.scaleb(scales[name][0])) if name in filters else 1 for name in opinions.symbols],
        np.int64,
    )


def _level(price: Whole, atr: Whole, side: Whole, multiple: float) -> Whole:
    """price + side * atr * multiple in the price's decimals, halves to even, never below 0; exact, as decimals are."""
    sign, digits, exponent = Decimal(str(multiple)).as_tuple()
    assert isinstance(exponent, int), "a multiple is finite"
    factor = int("".join(map(str, digits))) * (-1 if sign else 1) * 10 ** max(0, exponent)
    unit = 10 ** (ATR_DECIMALS + max(0, -exponent))
    largest = max(int(atr.max(initial=0)) * abs(factor), int(price.max(initial=0)), unit)
    if largest >= _LARGEST:  # beyond 64 bits: the same with Python's integers
        price, atr, side = (column.astype(object) for column in (price, atr, side))
    moved = side * atr * factor
    whole, rest = moved // unit, moved % unit
    found = price + whole
    found = found + ((2 * rest > unit) | ((2 * rest == unit) & (found % 2 != 0)))
    result: Whole = np.maximum(0, found).astype(np.int64)
    return result


def _on_tick(price: Whole, ticks: Whole) -> Whole:
    """The nearest tick, halves to the even one."""
    whole, rest = price // ticks, price % ticks
    up = (2 * rest > ticks) | ((2 * rest == ticks) & (whole % 2 != 0))
    result: Whole = (whole + up) * ticks
    return result
