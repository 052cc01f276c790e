"""Closing a bucket: window sums take it in and let the expired one go, exactly, because integers are invertible."""

import numpy as np
from numpy.typing import NDArray

from libs.indicators import layout as at
from libs.indicators.kernel.candles import close_candle, complete_candles, forget_candles
from libs.indicators.kernel.compiler import Whole, compiled
from libs.indicators.kernel.sizes import Slot, bin_middle, expire_sizes, move_thresholds

Int64 = NDArray[np.int64]


@compiled
def _slide_flows(arena: Int64, bucket: Whole, known: Whole) -> None:
    """Signed quantity, quantity, notional and known buckets of the three windows."""
    flows, widest = arena[at.AT_FLOWS], arena[at.WINDOW_BUCKETS + 2]
    for window in range(3):
        leaving = flows + ((bucket - arena[at.WINDOW_BUCKETS + window]) % widest) * at.FLOW_FIELDS
        sums = at.SUMS + window * at.FLOW_FIELDS
        for part in range(3):
            arena[sums + part] += arena[at.OPEN_SIGNED + part] - arena[leaving + part]
        arena[sums + 3] += known - arena[leaving + 3]
    slot = flows + (bucket % widest) * at.FLOW_FIELDS
    for part in range(3):
        arena[slot + part] = arena[at.OPEN_SIGNED + part]
        arena[at.OPEN_SIGNED + part] = 0
    arena[slot + 3] = known


@compiled
def _slide_large(arena: Int64, bucket: Whole, known: Whole) -> None:
    """Notional of large trades over the shortest window."""
    slot = arena[at.AT_LARGE] + (bucket % arena[at.WINDOW_BUCKETS]) * at.LARGE_FIELDS
    for part in range(4):
        arena[at.LARGE_SUMS + part] += arena[at.OPEN_LARGE + part] - arena[slot + part]
        arena[slot + part] = arena[at.OPEN_LARGE + part]
        arena[at.OPEN_LARGE + part] = 0
    arena[at.LARGE_SUMS + 4] += known - arena[slot + 4]
    arena[slot + 4] = known


@compiled
def _slide_sizes(slot: Slot, bucket: Whole, known: Whole) -> None:
    """Trades per bucket over 24 h, each cell `count * 2 + known`: as many bins expire as the leaving bucket had trades."""
    arena = slot.arena
    counts = arena[arena[at.AT_COUNTS] : arena[at.AT_RANGES]].view(np.int32)
    cell = bucket % arena[at.SIZE_BUCKETS]
    leaving = np.int64(counts[cell])
    counts[cell] = arena[at.OPEN_COUNT] * 2 + known
    arena[at.OPEN_COUNT] = 0
    arena[at.SIZE_KNOWN] += known - (leaving & 1)
    if leaving > 1:
        expire_sizes(slot, leaving >> 1)


@compiled
def close_bucket(slot: Slot) -> None:
    """Close the open bucket and open the next one."""
    arena = slot.arena
    bucket = arena[at.BUCKET]
    known = np.int64(bucket > arena[at.UNKNOWN_UNTIL])
    if known:
        arena[at.UNKNOWN_UNTIL] = -1
    _slide_flows(arena, bucket, known)
    _slide_large(arena, bucket, known)
    _slide_sizes(slot, bucket, known)
    edge = bucket + 1
    arena[at.BUCKET] = edge
    arena[at.CLOCK] = edge * arena[at.BUCKET_MS]
    if edge % arena[at.THRESHOLD_BUCKETS] == 0:
        move_thresholds(arena)
    arena[at.CANDLE_KNOWN] += known
    if edge % arena[at.CANDLE_BUCKETS] == 0:
        close_candle(arena, edge // arena[at.CANDLE_BUCKETS] - 1)


@compiled
def write_evaluation(arena: Int64, row: Int64) -> None:
    """Fill one row of the evaluation table (all but symbol, place and release) and start counting faults anew."""
    row[at.E_TIME] = arena[at.BUCKET] * arena[at.BUCKET_MS]
    row[at.E_PRICE] = arena[at.LAST_PRICE]
    for part in range(3 * at.FLOW_FIELDS):
        row[at.E_WINDOWS + part] = arena[at.SUMS + part]
    row[at.E_P95] = bin_middle(arena[at.THRESHOLD_95]) if arena[at.THRESHOLD_95] < at.BINS else 0
    row[at.E_P99] = bin_middle(arena[at.THRESHOLD_99]) if arena[at.THRESHOLD_99] < at.BINS else 0
    if arena[at.BIN_DIVISOR] > 1:
        row[at.E_P95] *= arena[at.BIN_DIVISOR]
        row[at.E_P99] *= arena[at.BIN_DIVISOR]
    for part in range(at.LARGE_FIELDS):
        row[at.E_LARGE + part] = arena[at.LARGE_SUMS + part]
    row[at.E_SIZES] = arena[at.SIZES]
    row[at.E_SIZE_KNOWN] = arena[at.SIZE_KNOWN]
    row[at.E_ATR] = arena[at.ATR]
    row[at.E_RANK] = arena[at.RANK]
    row[at.E_RANKED] = arena[at.RANKED]
    row[at.E_CANDLES] = arena[at.CANDLES]
    row[at.E_COMPLETE] = complete_candles(arena)
    for part in range(6):
        row[at.E_CLOSED + part] = arena[at.CLOSED_END + part]
    row[at.E_LAST_ID] = arena[at.LAST_ID]
    for part in range(3):
        row[at.E_LATE + part] = arena[at.LATE + part]
        arena[at.LATE + part] = 0


@compiled
def forget_buckets(arena: Int64, first: Whole, last: Whole) -> None:
    """A hole reaches back: the closed ones among buckets first..last are not known any more."""
    current = arena[at.BUCKET]
    shortest, widest = arena[at.WINDOW_BUCKETS], arena[at.WINDOW_BUCKETS + 2]
    counts = arena[arena[at.AT_COUNTS] : arena[at.AT_RANGES]].view(np.int32)
    for bucket in range(max(first, current - arena[at.SIZE_BUCKETS], 0), min(last + 1, current)):
        slot = bucket % arena[at.SIZE_BUCKETS]
        arena[at.SIZE_KNOWN] -= np.int64(counts[slot] & 1)
        counts[slot] -= counts[slot] & 1
        if bucket >= current - shortest:
            cell = arena[at.AT_LARGE] + (bucket % shortest) * at.LARGE_FIELDS + 4
            arena[at.LARGE_SUMS + 4] -= arena[cell]
            arena[cell] = 0
        if bucket >= current - widest:
            cell = arena[at.AT_FLOWS] + (bucket % widest) * at.FLOW_FIELDS + 3
            for window in range(3):
                if bucket >= current - arena[at.WINDOW_BUCKETS + window]:
                    arena[at.SUMS + window * at.FLOW_FIELDS + 3] -= arena[cell]
            arena[cell] = 0
    forget_candles(arena, first // arena[at.CANDLE_BUCKETS], last // arena[at.CANDLE_BUCKETS])
    if first < current and last >= current - current % arena[at.CANDLE_BUCKETS]:
        arena[at.CANDLE_KNOWN] = 0
