"""How likely the edge is luck: the probabilistic and the deflated Sharpe ratio."""

import math
from statistics import NormalDist

from services.backtester.metrics.figure import Figure, Floats, known, unknown
from services.backtester.metrics.returns import Moments, moments

LEAST_SAMPLE = 10
"""Days or trades below which neither a band nor a probability is given: it would only look like one."""
_EULER = 0.5772156649015329
_NORMAL = NormalDist()


def sharpe_variance(found: Moments, count: int) -> float:
    """Variance of the estimate of a Sharpe ratio a period: (1 - skew * SR + (kurtosis - 1) / 4 * SR^2) / (n - 1).

    Source: Mertens (2002); Bailey and Lopez de Prado (2012), eq. 4.
    """
    ratio = found.mean / found.deviation
    # By the inequality kurtosis >= skew^2 + 1 it is never below 0; rounding may say so.
    return max(1 - found.skewness * ratio + (found.kurtosis - 1) / 4 * ratio * ratio, 1e-12) / (count - 1)


def probability_above(found: Moments, count: int, benchmark: float) -> float:
    """Probabilistic Sharpe ratio: Phi((SR - benchmark) / sqrt(variance of SR)), Sharpe ratios a period; a probability.

    Source: Bailey and Lopez de Prado (2012), "The Sharpe ratio efficient frontier".
    """
    ratio = found.mean / found.deviation
    return _NORMAL.cdf((ratio - benchmark) / math.sqrt(sharpe_variance(found, count)))


def expected_maximum(configurations: int, variance: float) -> float:
    """The Sharpe ratio a period that the best of N configurations without skill is expected to show.

    sqrt(V) * ((1 - g) * Phi^-1(1 - 1/N) + g * Phi^-1(1 - 1/(N e))), g = 0.5772 (Euler-Mascheroni), V the variance of the Sharpe
    ratios over the configurations; 0 for one. Source: Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio".
    """
    if configurations <= 1:
        return 0.0
    first = _NORMAL.inv_cdf(1 - 1 / configurations)
    second = _NORMAL.inv_cdf(1 - 1 / (configurations * math.e))
    return math.sqrt(variance) * ((1 - _EULER) * first + _EULER * second)


def probabilistic_sharpe(returns: Floats) -> Figure:
    """Probability that the true Sharpe ratio of these daily returns is above 0. Source: `probability_above`."""
    found = moments(returns)
    reason = _too_little(returns, found)
    return unknown(reason) if found is None or reason else known(probability_above(found, returns.size, 0.0))


def deflated_sharpe(returns: Floats, configurations: int, trial_variance: float | None = None) -> Figure:
    """Probability that the true Sharpe ratio is above what the best of so many configurations shows by luck.

    `trial_variance`: of the daily Sharpe ratios over the configurations, where a sweep knows it; else the variance of this
    estimate itself, which is how far configurations without skill spread. Source: Bailey and Lopez de Prado (2014).
    """
    found = moments(returns)
    reason = _too_little(returns, found)
    if found is None or reason:
        return unknown(reason)
    variance = sharpe_variance(found, returns.size) if trial_variance is None else trial_variance
    return known(probability_above(found, returns.size, expected_maximum(configurations, variance)))


def _too_little(returns: Floats, found: Moments | None) -> str:
    if returns.size < LEAST_SAMPLE:
        return f"needs {LEAST_SAMPLE} whole days"
    return "every day returned the same" if found is None else ""
