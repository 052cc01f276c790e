"""Scores add up, weights are not inflated, and every crossing ends in exactly one state with its reason."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.codec import encode_value
from libs.contracts.signals import RefusalReason
from libs.indicators.features import FeatureRow
from libs.trading.factor import Situation
from libs.trading.scoring import Memory, judge, remember, short_score, signal_event
from libs.trading.strategy import Strategy, read_strategy
from tests.fakes.readings import FakeFeed
from tests.suites.factor_suite import EVALUATION_MS, LONG_INPUTS, feature_row, readings

FOLDER = Path(__file__).parents[3] / "strategies"


def strategy(name: str = "v51", **changes: Any) -> Strategy:
    data = json.loads((FOLDER / f"{name}.json").read_text()) | changes
    return read_strategy(json.dumps(data), name)


def changed(row: FeatureRow, **changes: Any) -> FeatureRow:
    return msgspec.structs.replace(row, **changes)


LONG = Situation(feature_row(1), readings(LONG_INPUTS))


@pytest.mark.parametrize("name", ["v51", "v52"])
@pytest.mark.parametrize(("lean", "direction"), [(1, "long"), (-1, "short")])
def test_a_strong_move_is_emitted_with_its_bracket(name: str, lean: int, direction: str) -> None:
    chosen = strategy(name)
    situation = Situation(feature_row(lean), readings(LONG_INPUTS) if lean == 1 else {})
    verdict = judge(chosen, situation, Memory())
    assert verdict.emitted
    assert verdict.direction == direction
    event = signal_event(chosen, situation, verdict)
    assert (event.state, event.reason) == ("emitted", None)
    exits = [event.stop_loss, event.price, event.take_profit_1, event.take_profit_2]
    assert exits == sorted(exits, reverse=lean < 0, key=lambda price: price or Decimal(0))
    assert (
        event.stop_loss == Decimal("60090.0") - Decimal("160.5") if lean > 0 else event.stop_loss == Decimal("60070.5")
    )
    assert event.hold_until_ms == EVALUATION_MS + 70 * 60_000
    assert encode_value(event) == encode_value(signal_event(chosen, situation, judge(chosen, situation, Memory())))


def test_a_signal_says_how_its_bracket_works_where_that_is_not_usual() -> None:
    usual = signal_event(strategy(), LONG, judge(strategy(), LONG, Memory()))
    unsaid = {usual.trailing_distance, usual.take_profit_type, usual.on_opposite_signal, usual.working_type}
    assert unsaid == {msgspec.UNSET}
    bracket = {"take_profit_1_atr": 1.5, "take_profit_2_atr": 3.0, "stop_loss_atr": 2.0}
    ways = {"trailing_atr": 1.5, "take_profit_type": "market", "on_opposite_signal": "close", "working_type": "mark"}
    chosen = strategy(bracket=bracket | ways)
    said = signal_event(chosen, LONG, judge(chosen, LONG, Memory()))
    # Two ATR to the stop are 160.5, so that one and a half are 120.375: on the price's decimal.
    assert (said.trailing_distance, said.take_profit_type, said.on_opposite_signal, said.working_type) == (
        Decimal("120.4"),
        "market",
        "close",
        "mark",
    )
    names = ("trailing_distance", "take_profit_type", "on_opposite_signal", "working_type")
    assert msgspec.structs.replace(said, **dict.fromkeys(names, msgspec.UNSET)) == usual


def test_contributions_add_up_to_the_score() -> None:
    for rank in (0.1, 0.3, 0.6):
        verdict = judge(strategy("v52"), Situation(feature_row(1, rank=rank), readings(LONG_INPUTS)), Memory())
        assert sum(part.contribution for part in verdict.contributions) * 100 == pytest.approx(verdict.score, abs=0.01)


def test_an_omitted_factor_counts_nothing_and_inflates_no_other() -> None:
    chosen = strategy("v52")
    with_all = {part.factor: part for part in judge(chosen, LONG, Memory()).contributions}
    verdict = judge(chosen, Situation(LONG.row, {}), Memory())
    assert set(verdict.omitted) == {
        "basis",
        "coinbase_premium",
        "funding_rate",
        "liquidation_pressure",
        "long_short_crowding",
        "open_interest_change",
    }
    for part in verdict.contributions:
        if part.factor in verdict.omitted:
            assert (part.value, part.contribution) == (0, 0)
            assert part.omitted
        elif part.factor != "atr_regime":
            assert part == with_all[part.factor]


def refusals() -> list[tuple[RefusalReason, Strategy, FeatureRow, Memory]]:
    row = feature_row(1)
    return [
        ("disabled", strategy(enabled=False), row, Memory()),
        ("coverage", strategy(threshold=1), feature_row(1, coverage=0.5), Memory()),
        ("warm_up", strategy(threshold=1), changed(row, atr=None), Memory()),
        ("warm_up", strategy(threshold=1), changed(row, price=None), Memory()),
        ("atr_regime", strategy(threshold=1), feature_row(1, rank=0.01), Memory()),
        ("direction_conflict", strategy(direction={"allow": "short"}), row, Memory()),
        ("cooldown", strategy(), row, Memory(EVALUATION_MS - 599_999, "long")),
    ]


@pytest.mark.parametrize(("reason", "chosen", "row", "memory"), refusals())
def test_each_gate_refuses_with_its_reason(
    reason: RefusalReason, chosen: Strategy, row: FeatureRow, memory: Memory
) -> None:
    partly = row if row.large_coverage == 1 else changed(row, large_coverage=1.0, size_coverage=1.0)
    situation = Situation(partly, {})
    verdict = judge(chosen, situation, memory)
    assert verdict.crossed
    assert verdict.reason == reason
    event = signal_event(chosen, situation, verdict)
    assert event.state == "refused"
    assert event.hold_until_ms is None
    assert "; refused because " in event.sentence
    assert remember(memory, verdict, EVALUATION_MS) == memory


def test_a_stale_input_that_the_strategy_insists_on_refuses() -> None:
    factors = json.loads((FOLDER / "v52.json").read_text())["factors"]
    factors["open_interest_change"]["when_missing"] = "refuse"
    inputs = readings(LONG_INPUTS) | readings({"open_interest_change_percent": "0.8"}, 1_000_000)
    situation = Situation(feature_row(1), inputs)
    chosen = strategy("v52", factors=factors)
    verdict = judge(chosen, situation, Memory())
    assert verdict.reason == "stale_input"
    assert signal_event(chosen, situation, verdict).sentence == (
        "Long BTCUSDT, score 73.26 of 45 needed: taker buying in all three windows, price above VWAP, large trades buying"
        " (without open interest change); refused because open interest change percent was 16 minutes old"
    )


def test_a_withdrawn_strategy_is_refused_as_disabled() -> None:
    assert judge(strategy(), LONG, Memory(), enabled=False).reason == "disabled"


def test_a_confirming_factor_must_point_the_same_way() -> None:
    row = feature_row(1)
    windows = tuple(msgspec.structs.replace(window, cvd=Decimal(0)) for window in row.windows)
    verdict = judge(strategy(threshold=10), Situation(changed(row, windows=windows), {}), Memory())
    assert verdict.reason == "direction_conflict"
    assert verdict.why == "cvd momentum did not confirm"


def test_the_cooldown_ends_exactly_on_time_and_is_remembered() -> None:
    chosen = strategy()
    verdict = judge(chosen, LONG, Memory(EVALUATION_MS - 600_000, "long"))
    assert verdict.emitted
    assert remember(Memory(), verdict, EVALUATION_MS) == Memory(EVALUATION_MS, "long")


def test_nothing_is_signalled_below_the_threshold() -> None:
    chosen = strategy(threshold=99)
    verdict = judge(chosen, LONG, Memory())
    assert (verdict.crossed, verdict.emitted, verdict.reason) == (False, False, None)
    assert short_score(chosen, verdict).score == verdict.score
    with pytest.raises(ValueError, match="no signal"):
        signal_event(chosen, LONG, verdict)


shares = st.floats(0, 1, allow_nan=False)


@settings(max_examples=200, deadline=None)
@given(lean=st.integers(-5, 5), coverage=shares, rank=st.none() | shares, threshold=st.integers(1, 100))
def test_every_crossing_has_exactly_one_state_and_needs_its_coverage(
    lean: int, coverage: float, rank: float | None, threshold: int
) -> None:
    row = feature_row(max(-1, min(1, lean)), coverage=coverage, rank=rank)
    windows = tuple(msgspec.structs.replace(window, cvd=Decimal(lean * 20)) for window in row.windows)
    situation = Situation(changed(row, windows=windows), readings(LONG_INPUTS))
    for name in ("v51", "v52"):
        chosen = strategy(name, threshold=threshold)
        verdict = judge(chosen, situation, Memory())
        assert 0 <= verdict.score <= 100
        assert verdict.crossed == (verdict.score >= threshold or verdict.ungated_score >= threshold)
        assert verdict.held_back == (verdict.crossed and verdict.score < threshold)
        assert not verdict.held_back or verdict.reason is not None
        assert verdict.emitted == (verdict.crossed and verdict.reason is None)
        if verdict.emitted:
            assert coverage >= 0.95
        if verdict.crossed:
            event = signal_event(chosen, situation, verdict)
            assert (event.state == "emitted") == (event.reason is None)


def test_a_window_below_the_least_coverage_refuses_whether_its_factor_counts_or_not() -> None:
    factors = {"cvd_momentum": {"weight": 0.1}, "basis": {"weight": 0.9}}
    chosen = strategy(threshold=1, factors=factors, direction={}, min_coverage=0.8)
    inputs = readings(LONG_INPUTS)
    verdict = judge(chosen, Situation(feature_row(1, coverage=0.79), inputs), Memory())
    assert (verdict.reason, verdict.why) == ("coverage", "coverage of 5m was 79% of 80% needed")
    assert judge(chosen, Situation(feature_row(1, coverage=0.8), inputs), Memory()).emitted
    row = changed(feature_row(1, coverage=0.9499), large_coverage=1.0)
    assert judge(strategy(threshold=1), Situation(row, {}), Memory()).why == "coverage of 5m was 94.9% of 95% needed"


@pytest.mark.parametrize(("age_ms", "coverage"), [(1_000, 0.9833), (6_000, 0.9), (6_001, 0.8999), (60_001, 0.0)])
def test_an_input_whose_feed_is_not_live_counts_with_what_is_left_of_its_limit(age_ms: int, coverage: float) -> None:
    """A limit of a minute: above a tenth of it, a strategy that wants 0.9 does without, or refuses."""
    for when_missing in ("omit", "refuse"):
        factors = {"cvd_momentum": {"weight": 0.9}, "basis": {"weight": 0.1, "when_missing": when_missing}}
        chosen = strategy(threshold=1, factors=factors, direction={}, min_coverage=0.9)
        silent = {"mark_price": FakeFeed("silent", 0)}
        situation = Situation(feature_row(1), readings(LONG_INPUTS, age_ms), silent)
        verdict = judge(chosen, situation, Memory())
        part = next(part for part in verdict.contributions if part.factor == "basis")
        assert part.coverage == pytest.approx(coverage, abs=1e-4)
        assert signal_event(chosen, situation, verdict).coverage["basis"] == part.coverage
        assert (part.omitted is None) == (coverage >= 0.9)
        assert verdict.emitted == (coverage >= 0.9 or when_missing == "omit")
        if age_ms == 6_001:
            assert part.omitted == "coverage of mark price (its feed was silent) was 89.9% of 90% needed"
        live = Situation(feature_row(1), readings(LONG_INPUTS, age_ms), {"mark_price": FakeFeed("live", 0)})
        found = next(part for part in judge(chosen, live, Memory()).contributions if part.factor == "basis")
        assert found.coverage == (1 if age_ms <= 60_000 else 0)


def test_a_memory_of_a_day_counts_with_what_its_factor_needs_of_it() -> None:
    row = changed(feature_row(1), size_coverage=0.02)
    parts = {part.factor: part for part in judge(strategy(), Situation(row, {}), Memory()).contributions}
    assert parts["large_trade_flow"].coverage == 0.5
    parts = {
        part.factor: part
        for part in judge(strategy(), Situation(changed(row, size_coverage=0.04), {}), Memory()).contributions
    }
    assert (parts["large_trade_flow"].coverage, parts["large_trade_flow"].omitted) == (1.0, None)


@pytest.mark.parametrize("state", ["starting", "silent", "stale", "halted", "down"])
def test_trades_that_nobody_brings_make_no_signal(state: str) -> None:
    feeds = {"trades": FakeFeed(state, EVALUATION_MS - 42_000)}
    verdict = judge(strategy(), Situation(feature_row(1), {}, feeds), Memory())
    assert (verdict.reason, verdict.why) == ("feed_not_live", f"the trade feed had been {state} for 42 seconds")
    assert judge(strategy(), Situation(feature_row(1), {}, {"trades": FakeFeed("live", 0)}), Memory()).emitted
