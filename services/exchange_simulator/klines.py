"""Klines from aggregate trades: the grid of every interval, and bars as sums over minutes."""

import datetime as dt
from collections.abc import Callable, Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from libs.kit.durations import DAY_MS
from services.exchange_simulator.market import Bar, Int64s, TradeColumns

MINUTE_MS = 60_000
_WEEK_OFFSET_MS = 4 * DAY_MS  # 1970-01-05 was a Monday; weekly klines open on Mondays
_FIXED = {
    "1m": 1,
    "3m": 3,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
    "6h": 360,
    "8h": 480,
    "12h": 720,
}
INTERVALS = (*_FIXED, "1d", "3d", "1w", "1M")

# Columns of a minute table: open, high, low, close, volume, quote, count, taker volume, taker quote, first id, last id.
MINUTE_COLUMNS = 11
OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE, COUNT, TAKER_VOLUME, TAKER_QUOTE, FIRST_ID, LAST_ID = range(MINUTE_COLUMNS)


def bar_open(time_ms: int, interval: str) -> int:
    """The open time (ms) of the kline that holds `time_ms`; KeyError for an unknown interval."""
    if interval == "1M":
        moment = dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC)
        return int(dt.datetime(moment.year, moment.month, 1, tzinfo=dt.UTC).timestamp()) * 1000
    if interval == "1w":
        return (time_ms - _WEEK_OFFSET_MS) // (7 * DAY_MS) * 7 * DAY_MS + _WEEK_OFFSET_MS
    length = {"1d": DAY_MS, "3d": 3 * DAY_MS}.get(interval) or _FIXED[interval] * MINUTE_MS
    return time_ms // length * length


def next_open(open_ms: int, interval: str) -> int:
    """The open time of the kline after the one that opens at `open_ms`."""
    if interval == "1M":
        return bar_open(open_ms + 32 * DAY_MS, interval)
    length = {"1d": DAY_MS, "3d": 3 * DAY_MS, "1w": 7 * DAY_MS}.get(interval) or _FIXED[interval] * MINUTE_MS
    return open_ms + length


def opens_between(start_ms: int, end_ms: int, interval: str, limit: int) -> list[int]:
    """Open times in [start, end], the first `limit` of them."""
    opens: list[int] = []
    current = bar_open(start_ms, interval)
    if current < start_ms:
        current = next_open(current, interval)
    while current <= end_ms and len(opens) < limit:
        opens.append(current)
        current = next_open(current, interval)
    return opens


def opens_before(end_ms: int, interval: str, limit: int) -> list[int]:
    """The last `limit` open times <= end, oldest first."""
    opens: list[int] = []
    current = bar_open(end_ms, interval)
    while len(opens) < limit and current >= 0:
        opens.append(current)
        current = bar_open(current - 1, interval)
    return opens[::-1]


@njit(cache=True, nogil=True)
def _summarise(
    prices: Int64s, quantities: Int64s, maker: NDArray[np.bool_], spans: NDArray[np.int64], row: Int64s
) -> None:
    row[0], row[3] = prices[0], prices[len(prices) - 1]
    row[1] = row[2] = prices[0]
    for i in range(len(prices)):
        price, quantity = prices[i], quantities[i]
        row[1], row[2] = max(row[1], price), min(row[2], price)
        row[4] += quantity
        row[5] += price * quantity
        row[6] += spans[i]
        if not maker[i]:
            row[7] += quantity
            row[8] += price * quantity


def summary_row(trades: TradeColumns) -> Int64s:
    """One row of minute columns over the given trades; all zero without trades. `n` counts single trades, as Binance does."""
    row = np.zeros(MINUTE_COLUMNS, np.int64)
    if len(trades):
        spans = trades.last_ids - trades.first_ids + 1
        _summarise(trades.prices, trades.quantities, trades.maker, spans, row)
        row[FIRST_ID], row[LAST_ID] = trades.first_ids[0], trades.last_ids[-1]
    return row


def fold(rows: NDArray[np.int64]) -> Int64s:
    """One row from several (n, 11), empty ones ignored."""
    rows = rows[rows[:, COUNT] > 0]
    folded = np.zeros(MINUTE_COLUMNS, np.int64)
    if len(rows):
        folded[:] = rows.sum(axis=0)
        folded[OPEN], folded[CLOSE] = rows[0, OPEN], rows[-1, CLOSE]
        folded[HIGH], folded[LOW] = rows[:, HIGH].max(), rows[:, LOW].min()
        folded[FIRST_ID], folded[LAST_ID] = rows[0, FIRST_ID], rows[-1, LAST_ID]
    return folded


Rows = Callable[[int, int], NDArray[np.int64]]


def bars_of(opens_ms: Sequence[int], interval: str, minute_rows: Rows, now_ms: int) -> list[Bar]:
    """Bars at the given opens. `minute_rows(first, stop)` gives the minute table; a bar without trades repeats the last close.

    A bar before the first trade is left out.
    """
    bars: list[Bar] = []
    previous: int | None = None
    for open_ms in opens_ms:
        end_ms = next_open(open_ms, interval)
        stop = min(end_ms, now_ms // MINUTE_MS * MINUTE_MS + MINUTE_MS) // MINUTE_MS
        row = fold(minute_rows(open_ms // MINUTE_MS, stop))
        if row[COUNT] == 0:
            if previous is None:
                continue
            row[OPEN] = row[HIGH] = row[LOW] = row[CLOSE] = previous
            row[FIRST_ID] = row[LAST_ID] = -1
        previous = int(row[CLOSE])
        bars.append(Bar(open_ms, end_ms - 1, *(int(value) for value in row)))
    return bars
