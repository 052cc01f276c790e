"""Signals as the compiled rules take them: columns of integers, prices in the tape's decimals and on ticks."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from hashlib import blake2b

import numpy as np

from libs.contracts.signals import SignalScored
from libs.trading.execution.levels import trailing_of
from libs.trading.filters import SymbolFilters
from libs.trading.machine.run import Signals

Scale = tuple[int, int]


def signal_columns(
    signals: Sequence[SignalScored],
    scales: Mapping[str, Scale],
    filters: Mapping[str, SymbolFilters],
    first_number: int = 0,
) -> Signals:
    """Emitted signals in the order given, numbered from `first_number`. `scales`: price and quantity decimals by symbol; their
    order of names is the order of the run's symbols. Levels stay where the signal put them, on the nearest tick.

    Raises `ValueError` for a signal without a bracket or a direction, or of a symbol that has no scale.
    """
    places = {name: place for place, name in enumerate(sorted(scales))}
    rows = []
    for number, signal in enumerate(signals, first_number):
        if signal.symbol not in places:
            raise ValueError(f"{signal.symbol}: a signal of a symbol whose trades are not there")
        levels = _levels(signal, scales, filters)
        rows.append((number, signal.event_time_ms, places[signal.symbol], *levels, *_ways(signal)))
    table = np.array(rows, np.int64).reshape(len(rows), len(Signals._fields))
    return Signals(*(np.ascontiguousarray(column) for column in table.T))


def _levels(
    signal: SignalScored, scales: Mapping[str, Scale], filters: Mapping[str, SymbolFilters]
) -> tuple[int, int, int, int, int, int]:
    first, second, stop = signal.take_profit_1, signal.take_profit_2, signal.stop_loss
    if first is None or second is None or stop is None or signal.hold_until_ms is None or signal.direction == "none":
        raise ValueError(f"{signal.event_id}: a signal without a bracket cannot be traded")
    decimals, filtered = scales[signal.symbol][0], filters.get(signal.symbol)
    price, low, near, far = (_tape_price(value, decimals, filtered) for value in (signal.price, stop, first, second))
    side = 1 if signal.direction == "long" else -1
    return side, price, low, near, far, signal.hold_until_ms


def _ways(signal: SignalScored) -> tuple[int, int, int, int, int]:
    """How the bracket works: the columns of `Signals` after the levels."""
    thousandths = 0
    if isinstance(signal.trailing_distance, Decimal):
        found = trailing_of(signal.trailing_distance, signal.price)
        thousandths = -1 if found is None else int(found.callback_percent * 10)
    at_market, closes = signal.take_profit_type == "market", signal.on_opposite_signal == "close"
    return thousandths, at_market, closes, strategy_number(signal.strategy), signal.working_type == "mark"


@cache
def strategy_number(name: str) -> int:
    """A strategy's name as a number of 62 bits, which is the same in every process and slice."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest()) >> 2


def _tape_price(price: Decimal, decimals: int, filters: SymbolFilters | None) -> int:
    on_tick = price if filters is None else filters.price_on_tick(price)
    return int(on_tick.scaleb(decimals).to_integral_value(ROUND_HALF_EVEN))
