"""Candles and Wilder's ATR in fixed point (2^-16 tick).

Wilder (New Concepts in Technical Trading Systems, 1978): the mean of the first 14 true ranges, then
ATR += (TR - ATR) / 14. Here the recursion is run over the last `memory_candles` true ranges at each candle: what lies before
weighs less than 10^-4 of it, and the ATR becomes a pure function of a finite past, so that a cold start ends in the same bits.
"""

import numpy as np
from numpy.typing import NDArray

from libs.indicators import layout as at
from libs.indicators.kernel.compiler import Whole, compiled

Int64 = NDArray[np.int64]


@compiled
def smoothed_range(arena: Int64, candle: Whole) -> Whole:
    """Wilder's ATR after `candle` in 2^-16 ticks from the remembered true ranges; 0 while there are too few.

    A remembered range is stored as `range * 2 + incomplete`.
    """
    remembered, period = arena[at.CANDLES], arena[at.ATR_PERIOD]
    if remembered < period:
        return 0
    memory, ranges = arena[at.MEMORY_CANDLES], arena[at.AT_RANGES]
    first = candle - remembered + 1
    total = 0
    for number in range(first, first + period):
        total += arena[ranges + number % memory] >> 1
    smoothed = (total << at.ATR_FRACTION_BITS) // period
    for number in range(first + period, candle + 1):
        smoothed += (((arena[ranges + number % memory] >> 1) << at.ATR_FRACTION_BITS) - smoothed) // period
    return smoothed


@compiled
def _rank_range(arena: Int64, candle: Whole) -> None:
    """Remember the ATR and count how many of the remembered ones lie at or below it."""
    smoothed, atrs = arena[at.ATR], arena[at.AT_ATRS]
    if smoothed == 0 and arena[at.CANDLES] < arena[at.ATR_PERIOD]:
        return
    arena[atrs + candle % arena[at.RANK_CANDLES]] = smoothed
    arena[at.RANKED] = min(arena[at.RANKED] + 1, arena[at.RANK_CANDLES])
    rank = np.int64(0)
    for number in range(candle - arena[at.RANKED] + 1, candle + 1):
        rank += np.int64(arena[atrs + number % arena[at.RANK_CANDLES]] <= smoothed)
    arena[at.RANK] = rank


@compiled
def close_candle(arena: Int64, candle: Whole) -> None:
    """Close candle number `candle` (time // length). Without a trade it is flat at the last price, as exchange klines are.

    Before the first price of a symbol there is no candle.
    """
    close = arena[at.LAST_PRICE]
    known = arena[at.CANDLE_KNOWN]
    traded = arena[at.CANDLE_COUNT] > 0
    arena[at.CANDLE_KNOWN] = 0
    arena[at.CANDLE_COUNT] = 0
    if close == 0:
        return
    opened = arena[at.CANDLE_OPEN] if traded else close
    high = arena[at.CANDLE_HIGH] if traded else close
    low = arena[at.CANDLE_LOW] if traded else close
    previous = arena[at.CLOSED_CLOSE]
    true_range = high - low
    if previous > 0:
        true_range = max(true_range, abs(high - previous), abs(low - previous))
    complete = np.int64(known == arena[at.CANDLE_BUCKETS])
    arena[arena[at.AT_RANGES] + candle % arena[at.MEMORY_CANDLES]] = true_range * 2 + (1 - complete)
    arena[at.CANDLES] = min(arena[at.CANDLES] + 1, arena[at.MEMORY_CANDLES])
    arena[at.CLOSED_END] = (candle + 1) * arena[at.CANDLE_BUCKETS] * arena[at.BUCKET_MS]
    arena[at.CLOSED_OPEN] = opened
    arena[at.CLOSED_HIGH] = high
    arena[at.CLOSED_LOW] = low
    arena[at.CLOSED_CLOSE] = close
    arena[at.CLOSED_COMPLETE] = complete
    for cell in (at.CANDLE_OPEN, at.CANDLE_HIGH, at.CANDLE_LOW):
        arena[cell] = 0
    arena[at.ATR] = smoothed_range(arena, candle)
    _rank_range(arena, candle)


@compiled
def complete_candles(arena: Int64) -> Whole:
    """How many of the last `atr_period` candles saw every one of their trades."""
    if arena[at.CANDLES] == 0:
        return 0
    last = arena[at.CLOSED_END] // (arena[at.CANDLE_BUCKETS] * arena[at.BUCKET_MS]) - 1
    complete = np.int64(0)
    for number in range(last - min(arena[at.CANDLES], arena[at.ATR_PERIOD]) + 1, last + 1):
        complete += 1 - (arena[arena[at.AT_RANGES] + number % arena[at.MEMORY_CANDLES]] & 1)
    return complete


@compiled
def forget_candles(arena: Int64, first: Whole, last: Whole) -> None:
    """A hole reaches back into closed candles: the remembered ones among first..last are incomplete."""
    if arena[at.CANDLES] == 0:
        return
    newest = arena[at.CLOSED_END] // (arena[at.CANDLE_BUCKETS] * arena[at.BUCKET_MS]) - 1
    for number in range(max(first, newest - arena[at.CANDLES] + 1), min(last, newest) + 1):
        arena[arena[at.AT_RANGES] + number % arena[at.MEMORY_CANDLES]] |= 1
    if first <= newest <= last:
        arena[at.CLOSED_COMPLETE] = 0
