"""One symbol's rows of the log, in log order: trades, watermarks, holes and changes of scale.

Clean stretches (ids rising, times not falling) are taken a bucket at a time by loops that the compiler vectorises; anything
else goes row by row. Both ways leave the same bytes.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.indicators import layout as at
from libs.indicators.kernel.bounds import carried, count_missing, scale_fits, trade_fits
from libs.indicators.kernel.buckets import close_bucket, forget_buckets, write_evaluation
from libs.indicators.kernel.compiler import Whole, compiled
from libs.indicators.kernel.sizes import (
    HEAD_BLOCK,
    HEAD_ROOM_USED,
    Slot,
    release_chain,
    size_bin,
)

Int64 = NDArray[np.int64]
(DONE, OUTPUT_FULL, POOL_EMPTY, OVERFLOW) = range(4)
STRETCH_ROWS = 8192
# Floating point estimates of what a run adds are compared with half of what fits, so that rounding cannot matter.
SURELY_FITS = 2.0**61
ALREADY_FITS = 2.0**64


class LogRows(NamedTuple):
    """Rows of the log in columns of equal length. `kind` says what a row is (see `layout`):

    trade: aggregate id, effective time (ms), price, quantity; watermark: time; hole: last missing id, from (time, ms), to
    (price, ms), number of missing trades (quantity); rescale: factors in price and quantity.
    """

    symbol: NDArray[np.int32]
    agg_id: Int64
    time: Int64
    price: Int64
    quantity: Int64
    kind: NDArray[np.uint8]


@compiled
def stretch_end(rows: LogRows, start: Whole, stop: Whole) -> Whole:
    """The end of the trade rows that begin at `start`, at most STRETCH_ROWS further; looked for 64 at a time."""
    kinds = rows.kind[start : min(stop, start + STRETCH_ROWS)]
    found = np.int64(0)
    while found < len(kinds):
        part = kinds[found : found + 64]
        others = np.int64(0)
        for i in range(len(part)):
            others += np.int64(part[i] > at.TRADE_SELL)
        if others > 0:
            break
        found += len(part)
    while found < len(kinds) and kinds[found] <= at.TRADE_SELL:
        found += 1
    return start + found


@compiled
def is_clean(ids: Int64, times: Int64, last_id: Whole, clock: Whole) -> bool:
    """Whether no row would be dropped or clamped."""
    if len(ids) == 0 or ids[0] <= last_id or times[0] < clock:
        return False
    next_ids, next_times = ids[1:], times[1:]
    faults = np.int64(0)
    for i in range(len(next_ids)):
        faults += np.int64(next_ids[i] <= ids[i]) | np.int64(next_times[i] < times[i])
    return bool(faults == 0)


@compiled
def first_at_or_after(times: Int64, bound: Whole) -> Whole:
    """How many of the ascending `times` lie before `bound`: 64 are skipped at a time, the last ones counted without a branch."""
    found = np.int64(0)
    while found + 64 <= len(times) and times[found + 63] < bound:
        found += 64
    part = times[found : found + 64]
    before = np.int64(0)
    for i in range(len(part)):
        before += np.int64(part[i] < bound)
    return found + before


@compiled
def _touch_candle(arena: Int64, prices: Int64, high: Whole, low: Whole) -> None:
    if arena[at.CANDLE_COUNT] == 0:
        arena[at.CANDLE_OPEN] = prices[0]
        arena[at.CANDLE_HIGH] = high
        arena[at.CANDLE_LOW] = low
    arena[at.CANDLE_HIGH] = max(arena[at.CANDLE_HIGH], high)
    arena[at.CANDLE_LOW] = min(arena[at.CANDLE_LOW], low)
    arena[at.CANDLE_COUNT] += len(prices)
    arena[at.LAST_PRICE] = prices[-1]


@compiled
def _add_flows(slot: Slot, prices: Int64, quantities: Int64, kinds: NDArray[np.uint8], limit: float) -> bool:
    """Sums of a run; false and nothing changed when a value is not positive or the symbol could carry `limit` after it."""
    arena, notionals = slot.arena, slot.pool.notional[: len(prices)]
    signed, quantity, notional = 0, 0, 0
    high, low, most, least = prices[0], prices[0], quantities[0], quantities[0]
    for i in range(len(notionals)):
        q = quantities[i]
        value = prices[i] * q
        notionals[i] = value
        sign = -np.int64(kinds[i])
        signed += (q ^ sign) - sign
        quantity += q
        notional += value
        high = max(high, prices[i])
        low = min(low, prices[i])
        most = max(most, q)
        least = min(least, q)
    if (
        low <= 0
        or least <= 0
        or high >= at.PRICE_LIMIT
        or np.float64(high) * np.float64(most) * len(prices) + np.float64(carried(arena)) >= limit
    ):
        return False
    arena[at.OPEN_SIGNED] += signed
    arena[at.OPEN_QUANTITY] += quantity
    arena[at.OPEN_NOTIONAL] += notional
    _touch_candle(arena, prices, high, low)
    return True


@compiled
def _add_large(arena: Int64, entries: NDArray[np.uint16], notionals: Int64, kinds: NDArray[np.uint8]) -> None:
    """Notional of the large trades of a run, and the counts below the percentiles' bins.

    While thresholds are in force they are the percentiles' bins, so what is not large lies below; otherwise nothing does.
    """
    from_95, from_99 = arena[at.THRESHOLD_95], arena[at.THRESHOLD_99]
    if from_95 == at.BINS:
        return
    large_95, sold_95, large_99, sold_99 = 0, 0, 0, 0
    below_95, below_99 = np.int64(len(entries)), np.int64(len(entries))
    for i in range(len(entries)):
        value = np.int64(entries[i])
        sold = -np.int64(kinds[i])
        mask_95 = -np.int64(value >= from_95)
        mask_99 = -np.int64(value >= from_99)
        over_95 = notionals[i] & mask_95
        over_99 = notionals[i] & mask_99
        large_95 += over_95
        sold_95 += over_95 & sold
        large_99 += over_99
        sold_99 += over_99 & sold
        below_95 += mask_95
        below_99 += mask_99
    arena[at.OPEN_LARGE] += large_95
    arena[at.OPEN_LARGE + 1] += sold_95
    arena[at.OPEN_LARGE + 2] += large_99
    arena[at.OPEN_LARGE + 3] += sold_99
    arena[at.BELOW_95] += below_95
    arena[at.BELOW_99] += below_99


@compiled
def _add_sizes(arena: Int64, entries: NDArray[np.uint16], notionals: Int64) -> None:
    """Bins of a run and their histogram."""
    divisor = arena[at.BIN_DIVISOR]
    if divisor == 1:
        for i in range(len(entries)):
            entries[i] = size_bin(notionals[i])
    else:
        for i in range(len(entries)):
            entries[i] = size_bin(max(1, notionals[i] // divisor))
    histogram = arena[arena[at.AT_HISTOGRAM] :].view(np.int32)
    for i in range(len(entries)):
        histogram[entries[i]] += 1
    arena[at.OPEN_COUNT] += len(entries)
    arena[at.SIZES] += len(entries)


@compiled
def add_run(slot: Slot, rows: LogRows, start: Whole, stop: Whole, limit: float) -> bool:
    """Trades [start, stop), all of the open bucket and fitting the head block; false when they need a closer look.

    `limit`: `SURELY_FITS`, or `ALREADY_FITS` for what is known to fit.
    """
    arena, chain, pool = slot.arena, slot.chain, slot.pool
    prices, quantities, kinds = rows.price[start:stop], rows.quantity[start:stop], rows.kind[start:stop]
    if not _add_flows(slot, prices, quantities, kinds, limit):
        return False
    used, notionals = chain[HEAD_ROOM_USED], pool.notional[: stop - start]
    entries = pool.entries[chain[HEAD_BLOCK], used : used + stop - start]
    _add_sizes(arena, entries, notionals)
    _add_large(arena, entries, notionals, kinds)
    chain[HEAD_ROOM_USED] = used + stop - start
    arena[at.LAST_ID] = rows.agg_id[stop - 1]
    arena[at.CLOCK] = rows.time[stop - 1]
    arena[at.HAS_TRADES] = 1
    return True


@compiled
def add_row(slot: Slot, rows: LogRows, row: Whole) -> Whole:
    """One trade of the open bucket, whatever its id, time and size.

    One that does not fit is missing, and the symbol starts cold at it: what it held could hold no more, and is not believed.
    """
    arena = slot.arena
    price, quantity = rows.price[row], rows.quantity[row]
    if rows.agg_id[row] <= arena[at.LAST_ID] or price <= 0 or quantity <= 0:
        arena[at.DROPPED] += 1
        return DONE
    clock = arena[at.CLOCK]
    if not trade_fits(arena, price, quantity):
        arena[at.LAST_ID] = rows.agg_id[row]
        arena[at.HAS_TRADES] = 1
        count_missing(arena, 1)
        start_cold(slot, max(clock, rows.time[row]))
        return OVERFLOW
    add_run(slot, rows, row, row + 1, ALREADY_FITS)
    if rows.time[row] < clock:
        arena[at.LATE] += 1
        arena[at.CLOCK] = clock
    return DONE


@compiled
def apply_hole(arena: Int64, rows: LogRows, row: Whole) -> None:
    """Every bucket that the hole touches is unknown, closed ones too."""
    bucket_ms = arena[at.BUCKET_MS]
    from_ms, to_ms = rows.time[row], rows.price[row]
    arena[at.LAST_ID] = max(arena[at.LAST_ID], rows.agg_id[row])
    count_missing(arena, rows.quantity[row])
    arena[at.UNKNOWN_UNTIL] = max(arena[at.UNKNOWN_UNTIL], to_ms // bucket_ms)
    if arena[at.BUCKET] >= 0:
        forget_buckets(arena, from_ms // bucket_ms, to_ms // bucket_ms)


@compiled
def rescale(slot: Slot, price_factor: Whole, quantity_factor: Whole) -> Whole:
    """Multiply everything that is measured in ticks or steps; trade sizes keep their bins by dividing later notionals.

    What does not fit in the finer scale is forgotten: the symbol starts cold. Returns a code.
    """
    arena = slot.arena
    notional_factor = price_factor * quantity_factor
    arena[at.BIN_DIVISOR] *= notional_factor
    if not scale_fits(arena, price_factor, notional_factor):
        start_cold(slot, arena[at.CLOCK])
        return OVERFLOW
    for cell in (at.LAST_PRICE, at.CANDLE_OPEN, at.CANDLE_HIGH, at.CANDLE_LOW, at.ATR):
        arena[cell] *= price_factor
    for cell in range(at.CLOSED_OPEN, at.CLOSED_CLOSE + 1):
        arena[cell] *= price_factor
    for cell in range(arena[at.AT_RANGES], arena[at.AT_ATRS]):
        arena[cell] = (arena[cell] >> 1) * price_factor * 2 + (arena[cell] & 1)
    for cell in range(arena[at.AT_ATRS], arena[at.AT_HISTOGRAM]):
        arena[cell] *= price_factor
    flows = arena[arena[at.AT_FLOWS] : arena[at.AT_LARGE]]
    for part in (arena[at.SUMS : at.LARGE_SUMS], flows):
        for cell in range(0, len(part), at.FLOW_FIELDS):
            part[cell] *= quantity_factor
            part[cell + 1] *= quantity_factor
            part[cell + 2] *= notional_factor
    large = arena[arena[at.AT_LARGE] : arena[at.AT_COUNTS]]
    for part in (arena[at.LARGE_SUMS : at.SIZE_KNOWN], large):
        for cell in range(len(part)):
            if cell % at.LARGE_FIELDS < 4:
                part[cell] *= notional_factor
    arena[at.OPEN_SIGNED] *= quantity_factor
    arena[at.OPEN_QUANTITY] *= quantity_factor
    for cell in range(at.OPEN_NOTIONAL, at.OPEN_COUNT):
        arena[cell] *= notional_factor
    return DONE


@compiled
def clear(slot: Slot) -> None:
    """Forget everything but the last id, the scale, the lengths and the fault counters."""
    arena = slot.arena
    release_chain(slot.chain, slot.pool)
    last_id, has_trades = arena[at.LAST_ID], arena[at.HAS_TRADES]
    arena[at.CLOCK : at.LATE] = 0
    arena[at.HEADER_CELLS :] = 0
    arena[at.LAST_ID] = last_id
    arena[at.HAS_TRADES] = has_trades
    arena[at.BUCKET] = -1
    arena[at.UNKNOWN_UNTIL] = -1
    arena[at.THRESHOLD_95] = at.BINS
    arena[at.THRESHOLD_99] = at.BINS


@compiled
def open_first_bucket(arena: Int64, time_ms: Whole, is_trade: bool) -> None:
    """Start cold. The first bucket counts as known only if it is known to be whole."""
    bucket = time_ms // arena[at.BUCKET_MS]
    arena[at.BUCKET] = bucket
    arena[at.CLOCK] = time_ms
    if is_trade or time_ms % arena[at.BUCKET_MS] != 0:
        arena[at.UNKNOWN_UNTIL] = max(arena[at.UNKNOWN_UNTIL], bucket)


@compiled
def start_cold(slot: Slot, time_ms: Whole) -> None:
    """Begin anew within the open bucket, in the middle of the log: only what a hole says about later buckets is kept."""
    until = slot.arena[at.UNKNOWN_UNTIL]
    clear(slot)
    slot.arena[at.UNKNOWN_UNTIL] = until
    open_first_bucket(slot.arena, time_ms, True)


class Sink(NamedTuple):
    """Where evaluations go: the table, how many rows it holds (one cell), and the place in the log of each row (may be empty)."""

    table: NDArray[np.int64]
    filled: Int64
    order: Int64


class Release(NamedTuple):
    """What lets evaluations go: a row of a symbol, and the watermark (ms) that it proves."""

    symbol: Whole
    row: Whole
    proof_ms: Whole


@compiled
def advance(slot: Slot, sink: Sink, target: Whole, release: Release) -> Whole:
    """Close buckets up to bucket number `target`, writing an evaluation at each grid edge. Returns a code."""
    arena = slot.arena
    while arena[at.BUCKET] < target:
        on_grid = (arena[at.BUCKET] + 1) % arena[at.EVALUATION_BUCKETS] == 0
        if on_grid and sink.filled[0] >= len(sink.table):
            return OUTPUT_FULL
        close_bucket(slot)
        if on_grid:
            line = sink.table[sink.filled[0]]
            line[at.E_SYMBOL] = release.symbol
            line[at.E_PLACE] = sink.order[release.row] if len(sink.order) else release.row
            line[at.E_RELEASED] = release.proof_ms
            write_evaluation(arena, line)
            sink.filled[0] += 1
    return DONE
