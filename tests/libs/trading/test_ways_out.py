"""Take-profits at market, stops that trail, and positions that an opposite signal closes, computed by hand."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.libs.trading.accounts import FEES_ONLY, MINUTE_MS, SHORT, Idea, Scene, Trade, exits, tape

D = Decimal
ENTRY: Trade = (60_250, "100.0")
LATE = FEES_ONLY.model_copy(update={"stop_latency_ms": 100})
LEVELS = FEES_ONLY.model_copy(update={"gaps": False})
TRAILS = Idea(trailing="1.0")
AT_MARKET = Idea(at_market=True)
AGAINST = replace(SHORT, at=75_000, closes=True)


def test_a_trailing_stop_follows_the_best_price_since_the_first_target() -> None:
    # 1.0 of 100.0 are 1 %: from 102.0 it stands at 100.98, after 103.5 at 102.465; a trade at 102.4 has come back that far.
    market = tape(ENTRY, (61_000, "102.1"), (62_000, "103.5"), (63_000, "102.6"), (64_000, "102.4"))
    outcome = Scene([market], [TRAILS]).only()
    assert exits(outcome) == [("take_profit_1", "102.0", "25.000"), ("trailing_stop", "102.4", "25.000")]


def test_a_short_position_trails_downwards() -> None:
    market = tape(ENTRY, (61_000, "97.9"), (62_000, "96.2"), (63_000, "97.1"), (64_000, "97.2"), (65_000, "97.2"))
    outcome = Scene([market], [replace(SHORT, trailing="1.0")]).only()
    assert exits(outcome) == [("take_profit_1", "98.0", "25.000"), ("trailing_stop", "97.2", "25.000")]
    assert outcome.exits[-1].time_ms % MINUTE_MS == 4_000


def test_a_stop_that_trails_far_behind_stays_at_break_even() -> None:
    market = tape(ENTRY, (61_000, "102.1"), (62_000, "103.0"), (63_000, "100.2"))
    assert exits(Scene([market], [Idea(trailing="5.0")]).only())[-1] == ("break_even_stop", "100.2", "25.000")


def test_nothing_trails_before_the_first_target() -> None:
    market = tape(ENTRY, (61_000, "102.0"), (62_000, "99.0"), (63_000, "98.0"))
    assert exits(Scene([market], [TRAILS]).only()) == [("stop_loss", "98.0", "50.000")]


def test_a_trailing_stop_skips_quiet_stretches_of_the_tape() -> None:
    quiet: list[Trade] = [(70_000 + k, "103.0" if k % 2 else "102.8") for k in range(3_000)]
    market = tape(ENTRY, (61_000, "102.1"), *quiet, (80_000, "103.4"), (81_000, "102.4"), (82_000, "102.3"))
    outcome = Scene([market], [TRAILS]).only()
    assert exits(outcome)[-1] == ("trailing_stop", "102.3", "25.000")  # 103.4 * 0.99 = 102.366


def test_a_distance_that_the_venue_does_not_take_is_not_traded() -> None:
    for distance in ("0.04", "10.06"):
        simulator = Scene([tape(ENTRY, (61_000, "102.1"))], [Idea(trailing=distance)]).play()
        assert [each.reason for each in simulator.not_taken] == ["not_supported"]


def test_take_profits_at_market_are_triggered_by_a_touch_and_pay_as_takers() -> None:
    market = tape(ENTRY, (61_000, "102.0"), (62_000, "104.3"))
    outcome = Scene([market], [AT_MARKET]).only()
    assert exits(outcome) == [("take_profit_1", "102.0", "25.000"), ("take_profit_2", "104.3", "25.000")]
    assert [fill.fee for fill in outcome.exits] == [D("1.275"), D("1.30375")]  # 25 * 102.0 and 104.3 * 0.0005


def test_take_profits_at_market_give_slippage_away() -> None:
    market = tape(ENTRY, (61_000, "102.0"), (62_000, "104.0"))
    slipping = FEES_ONLY.model_copy(update={"slippage": True, "impact_coefficient": D(0)})
    outcome = Scene([market], [AT_MARKET], costs=slipping).only()
    # Half a spread is a tick at least.
    assert exits(outcome) == [("take_profit_1", "101.9", "25.000"), ("take_profit_2", "103.9", "25.000")]
    assert [fill.slippage for fill in outcome.exits] == [D("2.5"), D("2.5")]


def test_without_gaps_they_fill_at_their_level() -> None:
    market = tape(ENTRY, (61_000, "103.0"), (62_000, "105.0"))
    outcome = Scene([market], [AT_MARKET], costs=LEVELS).only()
    assert exits(outcome) == [("take_profit_1", "102.0", "25.000"), ("take_profit_2", "104.0", "25.000")]


def test_a_take_profit_that_takes_its_time_meets_a_later_trade_and_the_position_goes_on() -> None:
    market = tape(ENTRY, (61_000, "102.0"), (61_050, "97.0"), (61_100, "101.5"), (62_000, "104.0"), (62_100, "103.0"))
    outcome = Scene([market], [AT_MARKET], costs=LATE).only()
    assert exits(outcome) == [("take_profit_1", "101.5", "25.000"), ("take_profit_2", "103.0", "25.000")]


def test_the_hold_still_ends_after_a_take_profit_that_took_its_time() -> None:
    over = MINUTE_MS + 70 * MINUTE_MS + 250
    market = tape(ENTRY, (61_000, "102.0"), (61_100, "101.5"), (over - 1, "101.0"), (over, "101.1"))
    outcome = Scene([market], [AT_MARKET], costs=LATE).only()
    assert exits(outcome)[-1] == ("hold_expired", "101.1", "25.000")


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (AGAINST, ("opposite_signal", "100.5", "50.000")),
        (replace(AGAINST, strategy="v52"), ("data_end", "100.6", "50.000")),
        (Idea(at=75_000, closes=True), ("data_end", "100.6", "50.000")),
    ],
)
def test_only_its_own_strategys_opposite_signal_closes_a_position(second: Idea, expected: tuple[str, str, str]) -> None:
    market = tape(ENTRY, (75_249, "100.4"), (75_250, "100.5"), (90_000, "100.6"))
    simulator = Scene([market], [Idea(), second]).play()
    assert [exits(each) for each in simulator.outcomes] == [[expected]]
    # It reverses nothing: the signal that closed the position finds the symbol locked.
    assert [each.reason for each in simulator.not_taken] == ["symbol_locked"]


def test_an_opposite_signal_is_ignored_unless_the_strategy_says_otherwise() -> None:
    market = tape(ENTRY, (75_250, "100.5"), (90_000, "100.6"))
    (outcome,) = Scene([market], [Idea(closes=True), replace(AGAINST, closes=False)]).play().outcomes
    assert exits(outcome) == [("data_end", "100.6", "50.000")]


def test_an_opposite_signal_closes_what_its_order_still_has_to_open() -> None:
    slow = FEES_ONLY.model_copy(update={"latency_ms": 20_000})
    market = tape((80_000, "100.0"), (94_999, "100.4"), (95_000, "100.5"))
    (outcome,) = Scene([market], [Idea(), AGAINST], costs=slow).play().outcomes
    assert exits(outcome) == [("opposite_signal", "100.5", "50.000")]


def test_the_bracket_works_until_the_closing_order_arrives() -> None:
    market = tape(ENTRY, (75_100, "97.5"), (75_250, "100.5"))
    (outcome,) = Scene([market], [Idea(), AGAINST]).play().outcomes
    assert exits(outcome) == [("stop_loss", "97.5", "50.000")]
