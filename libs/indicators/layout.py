"""Where each integer of a symbol's state lies in its arena row, and the columns of the evaluation table.

Cells are int64. The row is self-describing (its own lengths and offsets are in the header), so a copy of it is a snapshot
and equality of two kernels is equality of bytes. Nothing here depends on how rows were batched or how long a run has lasted.
"""

import numpy as np

# Kinds of log rows. 0 and 1 are trades: the venue's "buyer is maker" flag (1: the taker sold).
TRADE_BUY = 0
TRADE_SELL = 1
WATERMARK = 2
HOLE = 3
RESCALE = 4

# A notional falls into a bin by its exponent and the top MANTISSA_BITS of its fraction: relative width 2^-7.
MANTISSA_BITS = 7
BINS = 64 << MANTISSA_BITS
ATR_FRACTION_BITS = 16
# What a symbol may carry in its widest window, and what a price may be, in the integers of its scale: see `kernel/bounds.py`.
SUM_LIMIT = 1 << 62
PRICE_LIMIT = 1 << 43

# Header: where the log stands.
(LAST_ID, CLOCK, BUCKET, UNKNOWN_UNTIL, HAS_TRADES, LAST_PRICE) = range(6)
# The open bucket: signed quantity, quantity, notional; then notional of large trades; then the number of trades.
(OPEN_SIGNED, OPEN_QUANTITY, OPEN_NOTIONAL, OPEN_LARGE) = range(6, 10)
OPEN_COUNT = OPEN_LARGE + 4
# Window sums: FLOW_FIELDS (signed, quantity, notional, known buckets) for each of three windows.
FLOW_FIELDS = 4
SUMS = OPEN_COUNT + 1
# Large-trade sums of the shortest window: total and sold notional from P95, the same from P99, known buckets.
LARGE_FIELDS = 5
LARGE_SUMS = SUMS + 3 * FLOW_FIELDS
SIZE_KNOWN = LARGE_SUMS + LARGE_FIELDS
# The 24 h distribution: trades in it, and per percentile its bin and the count below; thresholds in force.
(SIZES, BIN_95, BELOW_95, BIN_99, BELOW_99, THRESHOLD_95, THRESHOLD_99) = range(SIZE_KNOWN + 1, SIZE_KNOWN + 8)
# The open candle, the last closed one, and Wilder's ATR.
(CANDLE_OPEN, CANDLE_HIGH, CANDLE_LOW, CANDLE_COUNT, CANDLE_KNOWN) = range(THRESHOLD_99 + 1, THRESHOLD_99 + 6)
(CLOSED_END, CLOSED_OPEN, CLOSED_HIGH, CLOSED_LOW, CLOSED_CLOSE, CLOSED_COMPLETE) = range(
    CANDLE_KNOWN + 1, CANDLE_KNOWN + 7
)
(CANDLES, ATR, RANKED, RANK) = range(CLOSED_COMPLETE + 1, CLOSED_COMPLETE + 5)
# What went wrong since the previous evaluation.
(LATE, DROPPED, MISSING) = range(RANK + 1, RANK + 4)
BIN_DIVISOR = MISSING + 1
# Lengths and offsets.
(BUCKET_MS, WINDOW_BUCKETS) = range(BIN_DIVISOR + 1, BIN_DIVISOR + 3)
(SIZE_BUCKETS, EVALUATION_BUCKETS, THRESHOLD_BUCKETS, CANDLE_BUCKETS) = range(WINDOW_BUCKETS + 3, WINDOW_BUCKETS + 7)
(ATR_PERIOD, MEMORY_CANDLES, RANK_CANDLES, RESTART_MS) = range(CANDLE_BUCKETS + 1, CANDLE_BUCKETS + 5)
(AT_FLOWS, AT_LARGE, AT_COUNTS, AT_RANGES, AT_ATRS, AT_HISTOGRAM) = range(RESTART_MS + 1, RESTART_MS + 7)
HEADER_CELLS = 96

# The evaluation table.
EVALUATION_COLUMNS = (
    "symbol",
    "place",
    "evaluation_time_ms",
    "released_by_ms",
    "price",
    "signed_1",
    "quantity_1",
    "notional_1",
    "known_1",
    "signed_2",
    "quantity_2",
    "notional_2",
    "known_2",
    "signed_3",
    "quantity_3",
    "notional_3",
    "known_3",
    "p95",
    "p99",
    "large_95",
    "large_sell_95",
    "large_99",
    "large_sell_99",
    "large_known",
    "sizes",
    "size_known",
    "atr",
    "atr_rank",
    "atr_ranked",
    "candles",
    "candles_complete",
    "candle_end_ms",
    "candle_open",
    "candle_high",
    "candle_low",
    "candle_close",
    "candle_complete",
    "last_id",
    "late",
    "dropped",
    "missing",
)
"""One evaluation: windows shortest first; `known_*` in buckets; `p95`/`p99` notional (0: no trade in 24 h); `large_*` notional
of the shortest window at or above the threshold, in total and sold by takers; `atr` in 2^-16 ticks (0: not yet); `atr_rank` of
`atr_ranked` remembered ATRs lie at or below it; `candles_complete` of the last `atr_period`; `late`, `dropped`, `missing` count
since the previous evaluation; `place` is the index of the log row that released it, `released_by_ms` the watermark it proved."""

EVALUATION = np.dtype([(name, np.int64) for name in EVALUATION_COLUMNS])
(
    E_SYMBOL,
    E_PLACE,
    E_TIME,
    E_RELEASED,
    E_PRICE,
    E_WINDOWS,
) = range(6)
(E_P95, E_P99, E_LARGE, E_SIZES, E_SIZE_KNOWN) = (17, 18, 19, 24, 25)
(E_ATR, E_RANK, E_RANKED, E_CANDLES, E_COMPLETE, E_CLOSED) = range(26, 32)
(E_LAST_ID, E_LATE, E_DROPPED, E_MISSING) = range(37, 41)
