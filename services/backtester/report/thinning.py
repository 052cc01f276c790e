"""Fewer points for screens and pages, chosen so that nothing a person looks for is lost: extremes stay."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.backtester.metrics.figure import Floats
from services.backtester.result import Candles

_SECONDS = (1, 5, 15, 30)
_MINUTES = (1, 2, 3, 5, 10, 15, 30, 60, 120, 240, 720, 1440)
LADDER_MS = (*(1_000 * seconds for seconds in _SECONDS), *(60_000 * minutes for minutes in _MINUTES))


def extremes(values: Floats, most: int) -> NDArray[np.int64]:
    """Places of at most about `most` points: the lowest and the highest of equal stretches, and both ends, in order."""
    if values.size <= most:
        return np.arange(values.size, dtype=np.int64)
    places = {0, values.size - 1}
    for part in np.array_split(np.arange(values.size), max(1, most // 2 - 1)):
        places |= {int(part[values[part].argmin()]), int(part[values[part].argmax()])}
    return np.array(sorted(places), dtype=np.int64)


def chart_interval(candles: dict[str, Candles], most: int) -> int:
    """The shortest interval of the ladder (ms) at which all symbols together have at most so many bars; else the longest."""
    for interval in LADDER_MS:
        if all(interval >= bars.interval_ms for bars in candles.values()):
            bars = sum(np.unique(one.time_ms // interval).size for one in candles.values())
            if bars <= most:
                return interval
    return LADDER_MS[-1]


def merged(candles: Candles, interval_ms: int) -> Candles:
    """Bars of that longer interval, on its grid: first open, highest, lowest, last close."""
    if not candles.time_ms.size or interval_ms <= candles.interval_ms:
        return candles
    starts = candles.time_ms // interval_ms * interval_ms
    first = np.flatnonzero(np.concatenate(([True], starts[1:] != starts[:-1])))
    last = np.append(first[1:], starts.size) - 1
    return Candles(
        interval_ms=interval_ms,
        time_ms=starts[first],
        open=candles.open[first],
        high=np.maximum.reduceat(candles.high, first),
        low=np.minimum.reduceat(candles.low, first),
        close=candles.close[last],
    )


class PackedBars(msgspec.Struct, frozen=True, kw_only=True):
    """Bars as few bytes of JSON: bar number since `start`, and prices times 10^`decimals` as differences: open from the close
    before, the others from their open. `start` and `interval` in seconds."""

    start: int
    interval: int
    decimals: int
    number: list[int]
    open: list[int]
    high: list[int]
    low: list[int]
    close: list[int]


def packed(candles: Candles) -> PackedBars:
    """The bars for a page; bar numbers are differences too, so that a gap is a number above 1."""
    decimals = _decimals(candles.close)
    scaled = [
        np.rint(column * 10**decimals).astype(np.int64)
        for column in (candles.open, candles.high, candles.low, candles.close)
    ]
    open_, high, low, close = scaled
    begin = int(candles.time_ms[0]) if candles.time_ms.size else 0
    return PackedBars(
        start=begin // 1000,
        interval=candles.interval_ms // 1000,
        decimals=decimals,
        number=np.diff((candles.time_ms - begin) // candles.interval_ms, prepend=0).tolist(),
        open=(open_ - _before(close)).tolist(),
        high=(high - open_).tolist(),
        low=(low - open_).tolist(),
        close=(close - open_).tolist(),
    )


def _before(close: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate((np.zeros(1, dtype=np.int64), close[:-1]))


def _decimals(prices: Floats) -> int:
    """Decimals that show every price as it is, at most eight."""
    sample = prices[:: max(1, prices.size // 500)]
    for decimals in range(8):
        if np.allclose(sample, np.round(sample, decimals), rtol=0, atol=1e-9):
            return decimals
    return 8
