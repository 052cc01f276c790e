"""Every factor that discovery finds passes the shared suite."""

import dataclasses
from collections.abc import Callable
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from libs.contracts.signals import WindowFeatures
from libs.indicators.features import FeatureRow
from libs.trading.factor import Factor, Situation, columns_of_situations, opinion, spoken_age, values_of
from libs.trading.factors import all_factors
from tests.suites.factor_suite import LONG_INPUTS, SUITE, feature_row, readings


@pytest.mark.parametrize("check", SUITE, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", list(all_factors()))
def test_suite(name: str, check: Callable[[str, Factor], None]) -> None:
    check(name, all_factors()[name])


def test_the_first_factors_are_found() -> None:
    assert set(all_factors()) >= {"cvd_momentum", "vwap_distance", "atr_regime", "liquidation_pressure", "basis"}


def test_cvd_counts_a_third_when_one_window_disagrees() -> None:
    factor, row = all_factors()["cvd_momentum"], feature_row(1)
    full = opinion(factor, Situation(row, {}))
    against = feature_row(-1).windows[0]
    mixed = opinion(factor, Situation(_with_first_window(row, against), {}))
    assert isinstance(full, float)
    assert isinstance(mixed, float)
    assert full == pytest.approx((20 / 30 + 1 + 1) / 3)
    assert mixed == pytest.approx((-20 / 30 + 1 + 1) / 3 / 3)


def _with_first_window(row: FeatureRow, window: WindowFeatures) -> FeatureRow:
    return msgspec.structs.replace(row, windows=(window, *row.windows[1:]))


def test_falling_open_interest_argues_against_the_move() -> None:
    inputs = readings(LONG_INPUTS | {"open_interest_change_percent": "-2"})
    value = opinion(all_factors()["open_interest_change"], Situation(feature_row(1), inputs))
    assert value == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("age_ms", "words"), [(1_000, "1 second"), (90_000, "90 seconds"), (240_000, "4 minutes"), (7_200_000, "2 hours")]
)
def test_ages_are_said_as_people_say_them(age_ms: int, words: str) -> None:
    assert spoken_age(age_ms) == words


def test_cvd_divergence_is_what_takers_are_ahead_of_the_price() -> None:
    # Taken: 20 of 100 bought net, a full vote; moved: 90 of 80.25 * 1.5.
    value = opinion(all_factors()["cvd_divergence"], Situation(feature_row(1), {}))
    assert value == pytest.approx(1 - 90 / 80.25 / 1.5)


@pytest.mark.parametrize(
    ("price", "vote"), [("60080.25", 0.5), ("60160.5", 1.0), ("60240.75", 0.5), ("60401.25", -0.5), ("59759.25", -0.5)]
)
def test_vwap_bands_ride_up_to_two_atr_and_fade_beyond(price: str, vote: float) -> None:
    row = msgspec.structs.replace(feature_row(1), price=Decimal(price))
    assert opinion(all_factors()["vwap_bands"], Situation(row, {})) == pytest.approx(vote)


def test_a_rise_on_falling_open_interest_counts_half_against_it() -> None:
    inputs = readings(LONG_INPUTS | {"open_interest_change_percent": "-2"})
    value = opinion(all_factors()["open_interest_price"], Situation(feature_row(1), inputs))
    assert value == pytest.approx(-0.5 * 90 / 80.25 / 1.5)


def test_infinity_is_no_opinion_for_one_situation_and_for_many() -> None:
    known = all_factors()["cvd_momentum"]
    endless = dataclasses.replace(known, compute=lambda columns: columns.window("5m").cvd / np.zeros(1))
    situations = [Situation(feature_row(1), {}), Situation(feature_row(-1), {})]
    assert opinion(endless, situations[0]) == known.unknown
    assert np.isnan(values_of(endless, columns_of_situations(situations))).all()
