"""Figures of the account's daily returns, annualised by 365: this market has no closed days."""

import math

import msgspec
import numpy as np

from libs.kit.durations import DAY_MS
from services.backtester.metrics.figure import CENT, Figure, Floats, known, ratio, unknown
from services.backtester.result import EquityCurve, RunFacts

DAYS_A_YEAR = 365
_NO_DAYS = "needs two whole days"
_NOISE = 1e-30  # a variance that comes from rounding alone


class Moments(msgspec.Struct, frozen=True):
    """Mean, standard deviation (n - 1), skewness and kurtosis (3 for a normal distribution) of a sample."""

    mean: float
    deviation: float
    skewness: float
    kurtosis: float


def daily_closes(curve: EquityCurve, facts: RunFacts) -> Floats:
    """Equity (quote units) at the start and after each whole day of 24 h from the start; a rest of a day is left out.

    The curve counts as a step: its last value at or before a day's end. Source: definition.
    """
    ends = facts.start_ms + DAY_MS * np.arange((facts.end_ms - facts.start_ms) // DAY_MS + 1)
    place = np.searchsorted(curve.time_ms, ends, side="right") - 1
    values = np.concatenate(([facts.starting_balance], curve.equity))[place + 1]
    values[0] = facts.starting_balance
    return np.asarray(values, dtype=np.float64)


def daily_returns(closes: Floats) -> Floats:
    """r = close / close before - 1, as shares; nothing from the day on at whose start nothing is left. Source: definition."""
    lost = np.flatnonzero(closes < CENT)
    kept = closes[: lost[0] + 1] if lost.size else closes
    return np.asarray(kept[1:] / kept[:-1] - 1, dtype=np.float64)


def moments(values: Floats) -> Moments | None:
    """Moments of the sample, None where it does not vary. Skewness m3 / m2^1.5 and kurtosis m4 / m2^2, of central moments.

    Source: Bailey and Lopez de Prado (2012), "The Sharpe ratio efficient frontier", which uses them uncorrected.
    """
    if values.size < 2 or float(np.ptp(values)) == 0:
        return None
    mean = float(values.mean())
    away = values - mean
    second = float((away**2).mean())
    if second < _NOISE:
        return None
    third, fourth = float((away**3).mean()), float((away**4).mean())
    return Moments(mean, float(values.std(ddof=1)), third / second**1.5, fourth / second**2)


def volatility(returns: Floats) -> Figure:
    """Standard deviation of daily returns (n - 1) * sqrt(365), a share a year. Source: definition."""
    return known(float(returns.std(ddof=1)) * math.sqrt(DAYS_A_YEAR)) if returns.size >= 2 else unknown(_NO_DAYS)


def sharpe(returns: Floats) -> Figure:
    """mean(r) / sd(r) * sqrt(365), sd with n - 1, riskless rate 0; a ratio a year. Source: Sharpe (1994)."""
    if returns.size < 2:
        return unknown(_NO_DAYS)
    found = moments(returns)
    if found is None:
        return unknown("every day returned the same")
    return known(found.mean / found.deviation * math.sqrt(DAYS_A_YEAR))


def sortino(returns: Floats) -> Figure:
    """mean(r) / sqrt(mean(min(r, 0)^2)) * sqrt(365), target 0; a ratio a year. Source: Sortino and Price (1994)."""
    if returns.size < 2:
        return unknown(_NO_DAYS)
    downside = math.sqrt(float((np.minimum(returns, 0) ** 2).mean()))
    return ratio(float(returns.mean()) * math.sqrt(DAYS_A_YEAR), downside, "no losing day")


def cagr(first: float, last: float, days: float) -> Figure:
    """(last / first)^(365 / days) - 1, a share a year, over the exact length of the range. Source: definition."""
    if days < 1:
        return unknown("needs a whole day")
    if first < CENT or last < CENT:
        return unknown("nothing is left of the account")
    exponent = math.log(last / first) * DAYS_A_YEAR / days
    return known(math.expm1(exponent)) if exponent < 100 else unknown("too short a range for so large a return")


def calmar(growth: Figure, depth: float) -> Figure:
    """CAGR / greatest drawdown (share of the peak, of the curve at full resolution); a ratio a year. Source: Young (1991)."""
    if growth.value is None:
        return growth
    return ratio(growth.value, depth, "no drawdown")
