"""How deep and how long the account was below its highest value."""

import msgspec
import numpy as np

from services.backtester.metrics.figure import Floats, stable
from services.backtester.result import EquityCurve, RunFacts


class Drawdown(msgspec.Struct, frozen=True, kw_only=True):
    """The deepest fall: `depth` as share of the peak (0 or above), `amount` in quote units, its peak and trough (ms), and when
    the peak was reached again (None: not yet). `longest_ms`: the longest time from a peak until it was reached again or the
    range ended; `under_water`: share of the range below a peak."""

    depth: float
    amount: float
    peak_ms: int
    trough_ms: int
    recovered_ms: int | None
    longest_ms: int
    under_water: float


def underwater(equity: Floats, start: float) -> Floats:
    """equity / highest so far - 1 (0 or below), the highest at least `start`. Source: definition."""
    peaks = np.maximum(np.maximum.accumulate(equity), start) if equity.size else equity
    return np.asarray(equity / peaks - 1, dtype=np.float64)


def drawdown(curve: EquityCurve, facts: RunFacts) -> Drawdown:
    """depth = max((peak - equity) / peak) over the curve at full resolution, open positions at market value; the start of
    the range with the starting balance is its first point. Source: Magdon-Ismail and Atiya (2004)."""
    times = np.concatenate(([facts.start_ms], curve.time_ms))
    equity = np.concatenate(([facts.starting_balance], curve.equity))
    peaks = np.maximum.accumulate(equity)
    falls = (peaks - equity) / peaks
    trough = int(falls.argmax())
    peak = int(np.flatnonzero(equity[: trough + 1] == peaks[trough])[-1])
    again = np.flatnonzero(equity[trough:] >= peaks[trough])
    lengths = _times_below(times, equity >= peaks, facts.end_ms)
    return Drawdown(
        depth=stable(float(falls[trough])),
        amount=stable(float((peaks - equity).max())),
        peak_ms=int(times[peak]),
        trough_ms=int(times[trough]),
        recovered_ms=int(times[trough + again[0]]) if again.size else None,
        longest_ms=int(lengths.max(initial=0)),
        under_water=stable(float(lengths.sum() / (facts.end_ms - facts.start_ms))),
    )


def _times_below(times: np.ndarray, at_peak: np.ndarray, end_ms: int) -> np.ndarray:
    """How long each fall lasted: from the last point at the peak until the next one, or the end."""
    tops = np.flatnonzero(at_peak)
    spans = np.diff(times[tops])[np.diff(tops) > 1]
    last = int(tops[-1])
    return spans if last == len(times) - 1 else np.append(spans, end_ms - times[last])
