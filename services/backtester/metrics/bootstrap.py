"""Confidence bands by the stationary bootstrap, seeded by the data itself: the same result has the same bands everywhere.

Blocks keep what neighbouring trades and days share; the raw bits of PCG64 are the same in every version of numpy, what numpy
makes of them need not be. Source: Politis and Romano (1994), "The stationary bootstrap".
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from services.backtester.metrics.figure import Figure, Floats, known, unknown
from services.backtester.metrics.returns import DAYS_A_YEAR

DRAWS = 1000
CONFIDENCE = 0.90
Statistic = Callable[[Floats], Floats]
"""From resampled columns (column, draw, place) to one number a draw; NaN where a draw has none, infinite for an open end."""
_CELLS = 200_000
_HALF = np.uint64(32)
_ROOT_TWO = math.sqrt(2)


def block_length(count: int) -> int:
    """Mean length of a block: count^(1/3), the rate at which the error shrinks fastest. Source: Politis and White (2004)."""
    length = 1
    while (length + 1) ** 3 <= count:
        length += 1
    return length


def resampled(columns: Floats, statistics: Mapping[str, Statistic], draws: int = DRAWS) -> dict[str, Floats]:
    """Each statistic of each draw; `columns` (column, place) are resampled together."""
    parts: dict[str, list[Floats]] = {name: [] for name in statistics}
    for places in _places(columns, draws):
        sample = columns[:, places]
        for name, statistic in statistics.items():
            parts[name].append(statistic(sample))
    return {name: np.concatenate(found) for name, found in parts.items()}


def _places(columns: Floats, draws: int) -> Iterator[NDArray[np.int64]]:
    """Places (draw, n) to take, in portions that fit into memory: each goes on to the next place, round the end, or jumps."""
    count = columns.shape[1]
    seed = int.from_bytes(hashlib.sha256(np.ascontiguousarray(columns, dtype="<f8").tobytes()).digest()[:16], "little")
    bits = np.random.PCG64(seed)
    limit = np.uint64(2**32 // block_length(count))
    steps = np.arange(count)
    for first in range(0, draws, max(1, _CELLS // count)):
        rows = min(draws - first, max(1, _CELLS // count))
        raw = np.asarray(bits.random_raw(rows * count), dtype=np.uint64).reshape(rows, count)
        starts = ((raw >> _HALF) * np.uint64(count) >> _HALF).astype(np.int64)
        jumps = (raw & np.uint64(2**32 - 1)) < limit
        jumps[:, 0] = True
        since = np.maximum.accumulate(np.where(jumps, steps, 0), axis=1)
        yield (np.take_along_axis(starts, since, axis=1) + steps - since) % count


def band(values: Floats) -> tuple[float | None, float | None]:
    """The middle 90 % of the draws that have a value, as order statistics; an end that is infinite is open."""
    sorted_ = np.sort(values[~np.isnan(values)])
    if not sorted_.size:
        return None, None
    tail = (1 - CONFIDENCE) / 2
    low = float(sorted_[int(tail * (sorted_.size - 1))])
    high = float(sorted_[math.ceil((1 - tail) * (sorted_.size - 1))])
    return low if math.isfinite(low) else None, high if math.isfinite(high) else None


def quantile(values: Floats, share: float) -> float:
    """The order statistic at or above that share of the draws."""
    return float(np.sort(values)[math.ceil(share * (values.size - 1))])


def luck_of_trades(mean: float, drawn_means: Floats, configurations: int) -> Figure:
    """Probability that trades without an edge, picked as the best of N configurations, had at least this mean R.

    p = Phi(-mean / standard error), the error from the drawn means; 1 - (1 - p)^N for N tried. Source: Sidak (1967) for the
    second part; N configurations count as independent, which errs to the side of luck.
    """
    error = float(drawn_means.std())
    if error < 1e-12:
        return unknown("every trade made the same")
    single = 0.5 * math.erfc(mean / error / _ROOT_TWO)
    return known(1.0 if single >= 1 else -math.expm1(max(1, configurations) * math.log1p(-single)))


def trade_statistics(start: float) -> dict[str, Statistic]:
    """Of columns net (quote units) and R: what the trades' bands need. `start`: the balance the drawdown is measured from."""
    return {
        "net": lambda sample: np.asarray(sample[0].sum(axis=1)),
        "expectancy": lambda sample: np.asarray(sample[0].mean(axis=1)),
        "expectancy_r": lambda sample: np.asarray(sample[1].mean(axis=1)),
        "win_rate": lambda sample: np.asarray((sample[0] > 0).mean(axis=1)),
        "profit_factor": _profit_factors,
        "drawdown": lambda sample: _depths(np.cumsum(sample[0], axis=1) + start, start),
    }


def day_statistics() -> dict[str, Statistic]:
    """Of one column of daily returns: the bands of the yearly ratios."""
    return {"sharpe": _sharpes, "sortino": _sortinos, "volatility": _volatilities, "cagr": _growths}


def _profit_factors(sample: Floats) -> Floats:
    won, lost = np.maximum(sample[0], 0).sum(axis=1), -np.minimum(sample[0], 0).sum(axis=1)
    return _divided(won, lost, np.where(won > 0, np.inf, np.nan))


def _depths(equity: Floats, start: float) -> Floats:
    peaks = np.maximum(np.maximum.accumulate(equity, axis=1), start)
    return np.asarray(((peaks - equity) / peaks).max(axis=1))


def _sharpes(sample: Floats) -> Floats:
    return _divided(sample[0].mean(axis=1), sample[0].std(axis=1, ddof=1)) * math.sqrt(DAYS_A_YEAR)


def _sortinos(sample: Floats) -> Floats:
    downside = np.sqrt((np.minimum(sample[0], 0) ** 2).mean(axis=1))
    return _divided(sample[0].mean(axis=1), downside, np.full(downside.shape, np.inf)) * math.sqrt(DAYS_A_YEAR)


def _volatilities(sample: Floats) -> Floats:
    return np.asarray(sample[0].std(axis=1, ddof=1) * math.sqrt(DAYS_A_YEAR))


def _growths(sample: Floats) -> Floats:
    logs = np.log(np.maximum(1 + sample[0], 1e-300)).mean(axis=1) * DAYS_A_YEAR
    return np.asarray(np.expm1(np.minimum(logs, 100.0)))


def _divided(above: Floats, below: Floats, otherwise: Floats | None = None) -> Floats:
    out = np.full(below.shape, np.nan) if otherwise is None else otherwise
    return np.asarray(np.divide(above, below, out=out, where=below > 1e-15))
