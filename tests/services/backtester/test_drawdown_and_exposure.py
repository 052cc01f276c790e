"""Drawdown, exposure, turnover and capacity against figures worked out by hand."""

from decimal import Decimal

import numpy as np
import pytest

from services.backtester.metrics.drawdown import drawdown, underwater
from services.backtester.metrics.exposure import account, capacity, time_in_market, turnover
from tests.services.backtester.results import DAY_MS, MINUTE_MS, START_MS, curve, facts, outcome


def _day(number: float) -> int:
    return START_MS + round(number * DAY_MS)


def test_depth_and_length_of_two_falls() -> None:
    points = curve((1, 11_000), (2, 9_900), (3, 10_500), (4, 11_000), (5, 10_890))
    found = drawdown(points, facts(days=10))
    assert [found.depth, found.amount] == pytest.approx([0.1, 1_100])
    assert (found.peak_ms, found.trough_ms, found.recovered_ms) == (_day(1), _day(2), _day(4))
    assert found.longest_ms == 6 * DAY_MS  # from day 4 to the end, longer than day 1 to day 4
    assert found.under_water == pytest.approx(0.9)


def test_a_fall_of_one_point_lasts_from_peak_to_peak() -> None:
    found = drawdown(curve((1, 11_000), (2, 9_900), (3, 11_000)), facts(days=3))
    assert found.longest_ms == 2 * DAY_MS
    assert found.under_water == pytest.approx(2 / 3)


def test_a_fall_from_the_very_start_counts() -> None:
    found = drawdown(curve((1, 9_000), (2, 9_500)), facts(days=2))
    assert found.depth == pytest.approx(0.1)
    assert (found.peak_ms, found.recovered_ms) == (START_MS, None)
    assert found.longest_ms == 2 * DAY_MS


def test_the_deepest_share_and_the_greatest_amount_may_be_two_falls() -> None:
    found = drawdown(curve((1, 8_000), (2, 40_000), (3, 36_000)), facts(days=3))
    assert [found.depth, found.amount] == pytest.approx([0.2, 4_000])


@pytest.mark.parametrize("points", [curve(), curve((1, 10_500), (2, 11_000))])
def test_without_a_fall_there_is_none(points: object) -> None:
    found = drawdown(points, facts(days=2))  # type: ignore[arg-type]
    assert (found.depth, found.longest_ms, found.under_water) == (0, 0, 0)


def test_underwater_is_below_the_highest_so_far() -> None:
    assert underwater(np.array([9_000.0, 12_000.0, 9_000.0]), 10_000).tolist() == pytest.approx([-0.1, 0, -0.25])


def test_overlapping_positions_count_their_time_once() -> None:
    held = (
        outcome("1", entry_ms=START_MS, held_ms=10 * MINUTE_MS),
        outcome("1", entry_ms=START_MS + 5 * MINUTE_MS, held_ms=15 * MINUTE_MS),
        outcome("1", entry_ms=START_MS + 60 * MINUTE_MS, held_ms=10 * MINUTE_MS),
    )
    assert time_in_market(held, facts(days=1)) == pytest.approx(30 / 1440)


def test_means_are_weighted_by_time() -> None:
    found = account(curve((0.25, 10_000), (0.5, 12_000), exposure=(5_000, 0)), facts(days=1))
    assert found.mean_equity == pytest.approx(11_000)
    assert found.mean_exposure == pytest.approx(0.125)
    assert found.greatest_exposure == pytest.approx(0.5)


def test_turnover_counts_entries_and_exits() -> None:
    assert turnover((outcome("20"),), 11_000, 2).value == pytest.approx(220 / 11_000 / 2)
    assert turnover((outcome("20"),), 0, 2).reason == "nothing is left of the account"


def test_capacity_is_where_impact_eats_the_edge() -> None:
    """Gross 100 less 20 fees and 10 funding is twice the slippage of 35: four times the size, by the square root."""
    costs = {"fees": Decimal(20), "funding": Decimal(10), "slippage": Decimal(35)}
    assert capacity((outcome("35", gross=Decimal(100), **costs),)).value == pytest.approx(400)
    assert capacity((outcome("35"),)).reason == "no slippage was counted"
    assert capacity((outcome("-45", gross=Decimal(20), **costs),)).reason == "no edge before slippage"
    assert capacity(()).reason == "no trades"
