"""Every factor that discovery finds passes the shared suite."""

import dataclasses
from collections.abc import Callable
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from libs.contracts.signals import WindowFeatures
from libs.indicators.features import FeatureRow, WindowName
from libs.trading.columns import Columns, Values, clipped, share
from libs.trading.factor import Factor, Situation, columns_of_situations, either, opinion, spoken_age, values_of
from libs.trading.factors import all_factors
from tests.suites.factor_suite import LONG_INPUTS, SUITE, a_vote_follows_its_side, feature_row, readings


@pytest.mark.parametrize("check", SUITE, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", list(all_factors()))
def test_suite(name: str, check: Callable[[str, Factor], None]) -> None:
    check(name, all_factors()[name])


def a_factor(compute: Callable[[Columns], Values], **changes: object) -> Factor:
    """A vote that is right in everything but what the changes say."""
    given: dict[str, object] = {
        "name": "mine",
        "formula": "a formula",
        "units": "share",
        "source": "this test",
        "compute": compute,
        "words": either("more bought lately", "more sold lately"),
        "needs_coverage": {"5m": 0.95, "4h": 0.9},
    }
    return Factor(**(given | changes))  # type: ignore[arg-type]


def _taken(seen: Columns, name: WindowName) -> Values:
    return share(seen.window(name).cvd, seen.window(name).volume)


def _speeding_up(seen: Columns) -> Values:
    """Takers lean more in the last five minutes than in the last four hours."""
    return clipped(_taken(seen, "5m") - _taken(seen, "4h"))


def _slowing_down(seen: Columns) -> Values:
    return -_speeding_up(seen)


def test_a_difference_of_windows_has_a_side() -> None:
    for check in SUITE:
        check("mine", a_factor(_speeding_up))


def test_a_contrarian_factor_says_so() -> None:
    with pytest.raises(AssertionError, match="contrarian=True if it is to bet against it"):
        a_vote_follows_its_side("mine", a_factor(_slowing_down))
    for check in SUITE:
        check("mine", a_factor(_slowing_down, contrarian=True))
    with pytest.raises(AssertionError, match="it is to vote against it, as it is contrarian"):
        a_vote_follows_its_side("mine", a_factor(_speeding_up, contrarian=True))


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (a_factor(_speeding_up, name="other"), "mine.py defines the factor other"),
        (a_factor(_speeding_up, source=""), "mine: source says nothing"),
        (a_factor(_speeding_up, needs_coverage={}), "mine needs nothing"),
        (a_factor(lambda seen: seen.price), "mine says .*: a vote lies in -1 to 1"),
        (a_factor(_speeding_up, words=either("up", "up")), "mine: its words have 2 characters"),
        (a_factor(_speeding_up, role="scale", contrarian=True), "only a vote has a side"),
        (a_factor(lambda seen: _speeding_up(seen) / len(seen)), "alone and among others differ in value"),
    ],
)
def test_the_suite_says_what_is_wrong(factor: Factor, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        _check_all(factor)


def _check_all(factor: Factor) -> None:
    for check in SUITE:
        check("mine", factor)


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
