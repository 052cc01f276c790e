"""The same figures from empyrical and scipy, which others have kept for years, over seeded returns.

Neither has the probabilistic and the deflated Sharpe ratio, capacity, or figures of trades in R: those have fixtures by hand.
"""

import empyrical
import numpy as np
import pytest
from scipy import stats

from services.backtester.metrics import returns, trades
from services.backtester.metrics.drawdown import drawdown
from services.backtester.result import EquityCurve
from tests.services.backtester.results import DAY_MS, START_MS, Shape, facts, make_result


@pytest.fixture(params=range(5))
def daily(request: pytest.FixtureRequest) -> np.ndarray:
    """A year of returns with fat tails."""
    return np.random.default_rng(request.param).standard_t(4, 365) * 0.012 + 0.001


def _curve(daily: np.ndarray) -> EquityCurve:
    equity = 10_000 * np.cumprod(1 + daily)
    times = START_MS + DAY_MS * np.arange(1, daily.size + 1)
    return EquityCurve(times, equity, np.zeros(daily.size, dtype=np.int64), np.zeros(daily.size))


def test_ratios_are_the_library_s(daily: np.ndarray) -> None:
    assert returns.sharpe(daily).value == pytest.approx(empyrical.sharpe_ratio(daily, annualization=365))
    assert returns.sortino(daily).value == pytest.approx(empyrical.sortino_ratio(daily, annualization=365))
    assert returns.volatility(daily).value == pytest.approx(empyrical.annual_volatility(daily, annualization=365))


def test_growth_and_drawdown_are_the_library_s(daily: np.ndarray) -> None:
    points, of = _curve(daily), facts(days=365)
    closes = returns.daily_closes(points, of)
    assert returns.daily_returns(closes) == pytest.approx(daily)
    growth = returns.cagr(closes[0], closes[-1], of.days)
    depth = drawdown(points, of).depth
    assert growth.value == pytest.approx(empyrical.cagr(daily, annualization=365))
    assert depth == pytest.approx(-empyrical.max_drawdown(daily))
    assert returns.calmar(growth, depth).value == pytest.approx(empyrical.calmar_ratio(daily, annualization=365))


def test_moments_are_the_library_s(daily: np.ndarray) -> None:
    found = returns.moments(daily)
    assert found is not None
    assert found.skewness == pytest.approx(stats.skew(daily))
    assert found.kurtosis == pytest.approx(stats.kurtosis(daily, fisher=False))


def test_rank_correlation_is_the_library_s() -> None:
    outcomes = make_result(Shape(days=5)).outcomes
    expected = stats.spearmanr([one.score for one in outcomes], [one.net_r for one in outcomes]).statistic
    assert trades.score_correlation(outcomes).value == pytest.approx(expected)
