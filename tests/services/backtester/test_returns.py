"""Ratios of daily returns against figures worked out by hand."""

import math

import numpy as np
import pytest

from services.backtester.metrics import returns
from services.backtester.metrics.figure import Figure, known
from tests.services.backtester.results import curve, facts

# Mean 0.005; squares around it 0.000025, 0.000625, 0.000625, 0.000025; squares below zero 0.0004.
DAYS = np.array([0.01, -0.02, 0.03, 0.0])
YEAR = math.sqrt(365)


def test_ratios_of_four_days() -> None:
    deviation = math.sqrt(0.0013 / 3)
    assert returns.sharpe(DAYS).value == pytest.approx(0.005 / deviation * YEAR)
    assert returns.sharpe(DAYS).value == pytest.approx(4.588859, abs=1e-5)
    assert returns.sortino(DAYS).value == pytest.approx(0.005 / 0.01 * YEAR)
    assert returns.volatility(DAYS).value == pytest.approx(deviation * YEAR)


def test_moments_of_four_days() -> None:
    found = returns.moments(DAYS)
    assert found is not None
    assert found.mean == pytest.approx(0.005)
    assert found.skewness == pytest.approx(0, abs=1e-12)
    assert found.kurtosis == pytest.approx(1.95625e-7 / 1.05625e-7)


def test_growth_a_year() -> None:
    assert returns.cagr(10_000, 10_100, 36.5).value == pytest.approx(0.104622125)
    assert returns.calmar(known(0.2), 0.1).value == pytest.approx(2)


def test_days_are_steps_of_the_curve_and_a_rest_is_left_out() -> None:
    points = curve((0.5, 10_050), (1.0, 10_100), (1.9, 10_300), (2.2, 9_999))
    closes = returns.daily_closes(points, facts(days=2.5))
    assert closes.tolist() == [10_000, 10_100, 10_300]
    assert returns.daily_returns(closes).tolist() == pytest.approx([0.01, 10_300 / 10_100 - 1])


def test_no_return_is_counted_after_everything_was_lost() -> None:
    assert returns.daily_returns(np.array([100.0, 50.0, 0.0, 20.0])).tolist() == [-0.5, -1.0]


@pytest.mark.parametrize(
    ("figure", "reason"),
    [
        (returns.sharpe(DAYS[:1]), "needs two whole days"),
        (returns.sortino(DAYS[:0]), "needs two whole days"),
        (returns.volatility(DAYS[:1]), "needs two whole days"),
        (returns.sharpe(np.array([0.001, 0.001, 0.001])), "every day returned the same"),
        (returns.sortino(np.array([0.01, 0.02])), "no losing day"),
        (returns.cagr(10_000, 10_100, 0.5), "needs a whole day"),
        (returns.cagr(10_000, -5, 30), "nothing is left of the account"),
        (returns.calmar(known(0.2), 0.0), "no drawdown"),
        (returns.calmar(returns.cagr(10_000, 10_100, 0.5), 0.1), "needs a whole day"),
    ],
)
def test_what_cannot_be_known_says_why(figure: Figure, reason: str) -> None:
    assert figure.value is None
    assert figure.reason == reason
