"""Probabilities against their papers' examples, and bands against theory and against themselves."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from services.backtester.metrics import luck
from services.backtester.metrics.bootstrap import (
    band,
    block_length,
    luck_of_trades,
    quantile,
    resampled,
    trade_statistics,
)
from services.backtester.metrics.figure import Floats
from services.backtester.metrics.figures import figures
from services.backtester.metrics.returns import Moments
from tests.services.backtester.results import Shape, curve, facts, make_result, outcome, plain_result

# The example of Bailey and Lopez de Prado (2014): a Sharpe ratio of 2.5 a year over 1250 days, skewness -3, kurtosis 10,
# the best of 100 whose yearly ratios have a variance of 1/2. Everything is a day's here: a year has 250.
PAPER = Moments(mean=2.5 / math.sqrt(250), deviation=1.0, skewness=-3, kurtosis=10)


def _means(sample: Floats) -> Floats:
    return np.asarray(sample[0].mean(axis=1))


def test_the_deflated_sharpe_ratio_of_the_paper() -> None:
    benchmark = luck.expected_maximum(100, 0.5 / 250)
    assert benchmark == pytest.approx(0.1132, abs=5e-5)
    assert luck.probability_above(PAPER, 1250, benchmark) == pytest.approx(0.9004, abs=5e-5)


def test_for_normal_returns_the_variance_is_the_known_one() -> None:
    """(1 + SR^2 / 2) / (n - 1), Lo (2002)."""
    normal = Moments(mean=0.1, deviation=1.0, skewness=0, kurtosis=3)
    assert luck.sharpe_variance(normal, 101) == pytest.approx((1 + 0.1**2 / 2) / 100)
    assert luck.probability_above(normal, 101, 0.1) == pytest.approx(0.5)


def test_one_configuration_deflates_nothing_and_more_deflate_more() -> None:
    returns = np.array([0.01, -0.004, 0.006, 0.002, -0.001, 0.007, 0.003, -0.002, 0.004, 0.005, 0.001])
    values = [luck.deflated_sharpe(returns, count).value for count in (1, 10, 1000)]
    assert values[0] == luck.probabilistic_sharpe(returns).value
    assert values == sorted((value for value in values if value is not None), reverse=True)
    assert len(set(values)) == 3


def test_few_days_give_no_probability() -> None:
    assert luck.probabilistic_sharpe(np.full(9, 0.01)).reason == "needs 10 whole days"
    assert luck.deflated_sharpe(np.full(20, 0.01), 5).reason == "every day returned the same"


def test_luck_of_trades_by_hand() -> None:
    """Means that spread by 0.1 around 0.2: two standard errors; twenty tried make 2.3 % into 37 %."""
    drawn = np.array([0.1, 0.3] * 500)
    single = 1 - NormalDist().cdf(2)
    assert luck_of_trades(0.2, drawn, 1).value == pytest.approx(single)
    assert luck_of_trades(0.2, drawn, 20).value == pytest.approx(1 - (1 - single) ** 20)
    assert luck_of_trades(0.2, np.full(10, 0.2), 1).reason == "every trade made the same"


def test_blocks_grow_with_the_cube_root() -> None:
    assert [block_length(count) for count in (1, 7, 8, 26, 27, 1000)] == [1, 1, 2, 2, 3, 10]


def test_places_follow_each_other_in_blocks() -> None:
    places = resampled(np.arange(1000.0)[np.newaxis], {"all": lambda sample: sample[0]}, draws=200)["all"]
    assert places.shape == (200, 1000)
    following = (np.diff(places, axis=1) % 1000 == 1).mean()
    assert following == pytest.approx(1 - 1 / block_length(1000), abs=0.01)
    assert places.mean() == pytest.approx(499.5, abs=8)


def test_a_band_is_as_wide_as_theory_says() -> None:
    sample = np.random.default_rng(3).normal(0, 1, 400)
    low, high = band(resampled(sample[np.newaxis], {"mean": _means})["mean"])
    assert low is not None
    assert high is not None
    assert low < sample.mean() < high
    assert high - low == pytest.approx(2 * 1.645 / 20, rel=0.15)


def test_bands_depend_on_the_data_alone() -> None:
    sample = np.random.default_rng(4).normal(0, 1, 50)[np.newaxis]
    first, again = (resampled(sample, {"mean": _means})["mean"] for _ in range(2))
    assert first.tolist() == again.tolist()
    other = resampled(sample + 1e-9, {"mean": _means})["mean"]
    assert np.abs(other - first).max() > 0.01  # other places were drawn, not the same ones with other values


def test_an_open_end_and_missing_draws() -> None:
    assert band(np.array([1.0] * 50 + [math.inf] * 50)) == (1.0, None)
    assert band(np.array([math.nan, 2.0, 2.0])) == (2.0, 2.0)
    assert band(np.array([math.nan])) == (None, None)
    assert quantile(np.arange(101.0), 0.95) == 95


def test_statistics_of_one_draw_by_hand() -> None:
    sample = np.array([[[20.0, -10.0, -10.0, 30.0]], [[2.0, -1.0, -1.0, 3.0]]])
    found = {name: float(take(sample)[0]) for name, take in trade_statistics(100.0).items()}
    assert found == {
        "net": 30,
        "expectancy": 7.5,
        "expectancy_r": 0.75,
        "win_rate": 0.5,
        "profit_factor": 2.5,
        "drawdown": pytest.approx(20 / 120),
    }


def test_a_strong_edge_is_hardly_luck_and_none_may_be() -> None:
    strong, none = (figures(make_result(Shape(edge=edge))) for edge in (0.4, 0.24))
    assert strong.luck.value is not None
    assert none.luck.value is not None
    assert strong.luck.value < 0.01 < 0.3 < none.luck.value
    picked = figures(make_result(Shape(edge=0.4, configurations=10_000)))
    assert picked.luck.value is not None
    assert picked.luck.value > strong.luck.value


@pytest.mark.parametrize("count", [0, 1, 9])
def test_few_trades_have_no_bands(count: int) -> None:
    found = figures(plain_result(tuple(outcome("5") for _ in range(count)), curve((1, 10_005)), facts(days=5)))
    assert found.net.value == 5 * count
    assert (found.net.low, found.net.high) == (None, None)
    assert found.luck.reason == "needs 10 trades"
    assert found.drawdown_expected.reason == "needs 10 trades"


def test_all_won_has_an_open_profit_factor() -> None:
    found = figures(plain_result(tuple(outcome(str(net)) for net in range(1, 21)), curve((1, 10_210))))
    assert (found.profit_factor.value, found.profit_factor.reason) == (None, "no losing trade")
    assert found.win_rate.low == found.win_rate.high == 1


def test_all_lost_has_a_profit_factor_of_nothing() -> None:
    found = figures(plain_result(tuple(outcome(str(-net)) for net in range(1, 21)), curve((1, 9_790))))
    assert found.profit_factor.value == 0
    assert found.luck.value == pytest.approx(1, abs=1e-6)
