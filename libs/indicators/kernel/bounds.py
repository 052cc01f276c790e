"""What fits 64 bits, decided exactly and before anything is added: so no sum behind it needs a check.

A symbol carries the notional (or quantity, where that is more: bars) of its widest window and of the open bucket. Every other
sum is of a part of these trades, so while `carried` stays below 2^62 none can leave 63 bits. Prices stay below 2^43, because
the first 14 true ranges are summed in 2^-16 ticks.
"""

import numpy as np
from numpy.typing import NDArray

from libs.indicators import layout as at
from libs.indicators.kernel.compiler import Whole, compiled
from libs.indicators.kernel.sizes import bin_middle

Int64 = NDArray[np.int64]


@compiled
def carried(arena: Int64) -> Whole:
    """What the widest window and the open bucket hold; below `SUM_LIMIT` at any time."""
    widest = at.SUMS + 2 * at.FLOW_FIELDS
    return max(arena[widest + 2] + arena[at.OPEN_NOTIONAL], arena[widest + 1] + arena[at.OPEN_QUANTITY])


@compiled
def trade_fits(arena: Int64, price: Whole, quantity: Whole) -> bool:
    """Whether a trade (both positive) can be added."""
    return bool(price < at.PRICE_LIMIT and quantity <= (at.SUM_LIMIT - 1 - carried(arena)) // price)


@compiled
def _highest_price(arena: Int64) -> Whole:
    """The greatest of all remembered prices, ranges and ATRs, in ticks."""
    highest = arena[at.LAST_PRICE]
    for cell in range(at.CANDLE_OPEN, at.CANDLE_LOW + 1):
        highest = max(highest, arena[cell])
    for cell in range(at.CLOSED_OPEN, at.CLOSED_CLOSE + 1):
        highest = max(highest, arena[cell])
    for cell in range(arena[at.AT_RANGES], arena[at.AT_ATRS]):
        highest = max(highest, arena[cell] >> 1)
    for cell in range(arena[at.AT_ATRS], arena[at.AT_HISTOGRAM]):
        highest = max(highest, arena[cell] >> at.ATR_FRACTION_BITS)
    return highest


@compiled
def _largest_size(arena: Int64) -> Whole:
    """The middle of the greatest bin that a percentile could be, in the unit of bins."""
    largest = np.int64(0)
    for cell in (at.THRESHOLD_95, at.THRESHOLD_99):
        if arena[cell] < at.BINS:
            largest = max(largest, arena[cell])
    histogram = arena[arena[at.AT_HISTOGRAM] :].view(np.int32)
    for size_bin in range(len(histogram)):
        if histogram[size_bin] > 0:
            largest = max(largest, np.int64(size_bin))
    return bin_middle(largest)


@compiled
def scale_fits(arena: Int64, price_factor: Whole, notional_factor: Whole) -> bool:
    """Whether everything remembered can be multiplied; `BIN_DIVISOR` has been already."""
    return bool(
        carried(arena) <= (at.SUM_LIMIT - 1) // notional_factor
        and _highest_price(arena) <= (at.PRICE_LIMIT - 1) // price_factor
        and _largest_size(arena) <= (at.SUM_LIMIT - 1) // arena[at.BIN_DIVISOR]
    )


@compiled
def count_missing(arena: Int64, trades: Whole) -> None:
    """Add to the missing trades, up to `SUM_LIMIT`."""
    arena[at.MISSING] = min(arena[at.MISSING], at.SUM_LIMIT - min(trades, at.SUM_LIMIT)) + min(trades, at.SUM_LIMIT)
