"""The gates of a signal are told in their order, and nothing is claimed of those behind the first that was shut."""

import pytest

from libs.contracts.signals import RefusalReason
from libs.trading.factor import Situation
from libs.trading.gates import GATES, gate_results
from libs.trading.scoring import Memory, judge, signal_event
from libs.trading.strategy import Strategy
from tests.libs.trading.test_held_back import insisting, situations
from tests.libs.trading.test_scoring import changed, strategy
from tests.suites.factor_suite import LONG_INPUTS, feature_row, readings

SHUT = {
    "disabled": "enabled",
    "feed_not_live": "trade feed",
    "warm_up": "price and ATR",
    "coverage": "factors it insists on",
    "stale_input": "factors it insists on",
    "atr_regime": "ATR regime",
    "direction_conflict": "direction",
    "cooldown": "cooldown",
}


@pytest.mark.parametrize(("reason", "chosen", "situation", "memory"), situations(), ids=lambda item: str(item)[:18])
def test_the_gate_that_was_shut_is_named_with_why(
    reason: RefusalReason, chosen: Strategy, situation: Situation, memory: Memory
) -> None:
    verdict = judge(chosen, situation, memory)
    signal = signal_event(chosen, situation, verdict)
    for known in (chosen, None):
        results = gate_results(signal, known)
        at = [gate.name for gate in GATES].index(SHUT[reason])
        assert [result.state for result in results] == ["passed"] * at + ["shut"] + ["not looked at"] * (
            len(GATES) - at - 1
        )
        assert results[at].words == verdict.why


def test_an_emitted_signal_passed_all_but_the_traders_gate_and_says_with_what() -> None:
    situation = Situation(feature_row(1), readings(LONG_INPUTS))
    chosen = strategy("v52")
    results = gate_results(signal_event(chosen, situation, judge(chosen, situation, Memory())), chosen)
    assert {result.state for result in results[:-1]} == {"passed"}
    assert results[-1].state == "not looked at"
    words = {result.name: result.words for result in results}
    assert words["ATR regime"] == "ATR percentile 60, allowed 5 to 98"
    assert words["windows"] == "30m 100%, 4h 100%, 5m 100%; at least 90%"
    assert words["direction"] == "both allowed, confirmed by cvd_momentum"
    assert words["factors it insists on"].startswith("cvd_momentum, vwap_distance")


def test_a_window_that_no_insisted_factor_misses_is_the_gate_of_windows() -> None:
    factors = {"cvd_momentum": {"weight": 0.1}, "basis": {"weight": 0.9}}
    chosen = strategy(threshold=1, factors=factors, direction={}, min_coverage=0.97)
    situation = Situation(feature_row(1, coverage=0.96), readings(LONG_INPUTS))
    signal = signal_event(chosen, situation, judge(chosen, situation, Memory()))
    assert [result.name for result in gate_results(signal, chosen) if result.state == "shut"] == ["windows"]


def test_a_factor_that_warms_up_is_told_from_a_price_that_is_not_known() -> None:
    situation = Situation(changed(feature_row(1), large_p95=None), {})
    chosen = insisting("v51", large_trade_flow="refuse").model_copy(update={"threshold": 50.0})
    signal = signal_event(chosen, situation, judge(chosen, situation, Memory()))
    assert signal.reason == "warm_up"
    assert [r.name for r in gate_results(signal, chosen) if r.state == "shut"] == ["factors it insists on"]
