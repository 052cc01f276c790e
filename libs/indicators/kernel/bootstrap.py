"""Warming a symbol from kline bars before its first trade: minute bars fill the windows, candles the ATR.

A minute is spread over its buckets by integer division, the remainder in the last, so that sums over whole minutes are exact.
"""

import numpy as np
from numpy.typing import NDArray

from libs.indicators import layout as at
from libs.indicators.kernel.candles import close_candle
from libs.indicators.kernel.compiler import Whole, compiled, entry
from libs.indicators.kernel.rows import clear
from libs.indicators.kernel.sizes import Slot

Int64 = NDArray[np.int64]
MINUTE_MS = 60_000


@compiled
def _fill_candles(arena: Int64, candles: Int64, start_bucket: Whole) -> None:
    """Closed candles up to `start_bucket`; missing ones between are flat and incomplete."""
    length = arena[at.CANDLE_BUCKETS] * arena[at.BUCKET_MS]
    end = start_bucket // arena[at.CANDLE_BUCKETS]
    following = 0
    number = candles[0, 0] // length if len(candles) else end
    while number < end:
        if following < len(candles) and candles[following, 0] // length == number:
            arena[at.CANDLE_COUNT] = 1
            arena[at.CANDLE_KNOWN] = arena[at.CANDLE_BUCKETS]
            arena[at.CANDLE_OPEN] = candles[following, 1]
            arena[at.CANDLE_HIGH] = candles[following, 2]
            arena[at.CANDLE_LOW] = candles[following, 3]
            arena[at.LAST_PRICE] = candles[following, 4]
            following += 1
        close_candle(arena, number)
        number += 1


@compiled
def _fill_minute(arena: Int64, minute: Int64, start_bucket: int) -> None:
    """One closed minute: (open time, volume, taker-buy volume, quote volume)."""
    parts = MINUTE_MS // arena[at.BUCKET_MS]
    first = minute[0] // arena[at.BUCKET_MS]
    flows, widest = arena[at.AT_FLOWS], arena[at.WINDOW_BUCKETS + 2]
    for part in range(parts):
        bucket = first + part
        rest = part == parts - 1
        volume = minute[1] - (parts - 1) * (minute[1] // parts) if rest else minute[1] // parts
        bought = minute[2] - (parts - 1) * (minute[2] // parts) if rest else minute[2] // parts
        notional = minute[3] - (parts - 1) * (minute[3] // parts) if rest else minute[3] // parts
        if bucket < start_bucket - widest or bucket >= start_bucket:
            continue
        slot = flows + (bucket % widest) * at.FLOW_FIELDS
        arena[slot] = 2 * bought - volume
        arena[slot + 1] = volume
        arena[slot + 2] = notional
        arena[slot + 3] = 1
        for window in range(3):
            if bucket >= start_bucket - arena[at.WINDOW_BUCKETS + window]:
                for field in range(at.FLOW_FIELDS):
                    arena[at.SUMS + window * at.FLOW_FIELDS + field] += arena[slot + field]


@entry
def warm_symbol(slot: Slot, minutes: Int64, candles: Int64) -> bool:
    """Fill a symbol that has seen no trade; false (and nothing changed) when it has. Trades go on where the minutes end.

    `minutes` (n, 4) and `candles` (m, 5), in time order, n at least 1.
    """
    arena = slot.arena
    if arena[at.HAS_TRADES]:
        return False
    # An unknown first bucket ends at the open one; what reaches further comes from a hole and stays.
    holes_until = arena[at.UNKNOWN_UNTIL] if arena[at.UNKNOWN_UNTIL] > arena[at.BUCKET] else -1
    clear(slot)
    start_ms = minutes[len(minutes) - 1, 0] + MINUTE_MS
    start_bucket = start_ms // arena[at.BUCKET_MS]
    _fill_candles(arena, candles, start_bucket)
    for i in range(len(minutes)):
        _fill_minute(arena, minutes[i], start_bucket)
    arena[at.BUCKET] = start_bucket
    arena[at.CLOCK] = start_ms
    arena[at.UNKNOWN_UNTIL] = holes_until if holes_until >= start_bucket else -1
    return True
