"""A symbol's filters as the compiled trading rules read them."""

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from libs.trading.filters import DEFAULT_FUNDING_INTERVAL_MS, MOST_SCALE, SymbolFilters
from libs.trading.machine import layout as at


def symbol_row(symbol: str, scale: tuple[int, int], filters: SymbolFilters | None) -> NDArray[np.int64]:
    """The filters as the compiled rules read them, in a tape's price and quantity decimals; None: no filters.

    Raises `ValueError` when the scale is finer than money (8 decimals together), or the filters finer than the tape.
    """
    price_decimals, quantity_decimals = scale
    finer = MOST_SCALE - price_decimals - quantity_decimals
    if finer < 0 or price_decimals < 0 or quantity_decimals < 0:
        raise ValueError(
            f"{symbol}: {price_decimals} + {quantity_decimals} decimals are finer than money's {MOST_SCALE}"
        )
    row = np.zeros(at.SYMBOL_COLUMNS, np.int64)
    row[at.FINER] = 10**finer
    row[at.TICK] = row[at.STEP] = row[at.MIN_QUANTITY] = 1
    row[at.MAX_QUANTITY] = at.NEVER
    row[at.FUNDING_INTERVAL_MS] = DEFAULT_FUNDING_INTERVAL_MS
    if filters is None:
        return row
    row[at.TICK] = _whole(symbol, filters.tick, price_decimals)
    row[at.STEP] = _whole(symbol, filters.quantity_step, quantity_decimals)
    row[at.MIN_QUANTITY] = -int(-filters.min_quantity.scaleb(quantity_decimals) // 1)
    if filters.max_quantity is not None:
        row[at.MAX_QUANTITY] = int(filters.max_quantity.scaleb(quantity_decimals))
    row[at.MIN_NOTIONAL] = int(filters.min_notional.scaleb(at.MONEY_DECIMALS))
    row[at.LEVERAGE] = filters.max_leverage or 0
    return row


def _whole(symbol: str, step: Decimal, decimals: int) -> int:
    scaled = step.scaleb(decimals)
    if scaled != int(scaled):
        raise ValueError(f"{symbol}: a step of {step} is finer than the tape's {decimals} decimals")
    return int(scaled)
