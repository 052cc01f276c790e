"""A signal that a gate kept below its threshold ends in a refusal too: scales, and the limits a strategy insists on."""

import json
from decimal import Decimal
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.codec import encode_value
from libs.contracts.signals import RefusalReason
from libs.indicators.features import FeatureRow
from libs.trading.factor import Situation
from libs.trading.scoring import Memory, judge, short_score, signal_event
from libs.trading.strategy import Strategy
from tests.fakes.readings import FakeFeed
from tests.libs.trading.test_scoring import FOLDER, changed, strategy
from tests.suites.factor_suite import EVALUATION_MS, LONG_INPUTS, feature_row, readings

# The votes of feature_row(1) in v51, by hand: 0.5 x (20/30 + 1 + 1)/3 + 0.3 x 90/80.25/1.5 + 0.2 x 0.8 = 0.82874.
VOTES = 82.87


def insisting(name: str, **uses: str) -> Strategy:
    """A strategy of the folder with other `when_missing`, and no more demands than that."""
    factors: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())["factors"]
    for factor, when_missing in uses.items():
        factors[factor]["when_missing"] = when_missing
    return strategy(name, factors=factors)


def test_a_scale_that_keeps_the_score_below_the_threshold_is_the_reason() -> None:
    situation = Situation(feature_row(1, rank=0.1), {})
    chosen = strategy(threshold=70)
    verdict = judge(chosen, situation, Memory())
    assert (verdict.score, verdict.ungated_score) == (62.16, VOTES)
    assert (verdict.crossed, verdict.held_back, verdict.reason) == (True, True, "atr_regime")
    event = signal_event(chosen, situation, verdict)
    assert (event.state, event.score, event.ungated_score, event.direction) == ("refused", 62.16, VOTES, "long")
    assert event.sentence == (
        "Long BTCUSDT, score 62.16 of 70 needed and 82.87 without its gates: taker buying in all three windows, "
        "price above VWAP, large trades buying; refused because volatility low (percentile 10) lowered the score "
        "from 82.87 to 62.16"
    )
    assert not judge(strategy(threshold=83), situation, Memory()).crossed, "the votes alone would not have reached it"
    assert b"ungated" not in encode_value(signal_event(strategy(), situation, judge(strategy(), situation, Memory())))


def test_a_scale_counts_after_everything_that_makes_a_score_meaningless() -> None:
    row = feature_row(1, rank=0.1)
    chosen = strategy(threshold=70)
    silent = {"trades": FakeFeed("silent", EVALUATION_MS - 1_000)}
    assert judge(chosen, Situation(row, {}, silent), Memory()).reason == "feed_not_live"
    assert judge(chosen, Situation(row, {}), Memory(), enabled=False).reason == "disabled"
    cooling = Memory(EVALUATION_MS - 1_000, "long")
    assert judge(chosen, Situation(row, {}), cooling).reason == "atr_regime", "nothing was left to cool down"


def test_coverage_that_the_strategy_insists_on_holds_back_what_would_have_crossed() -> None:
    """Without its two greatest factors v51 can reach 20: the crossing used to vanish without a row."""
    row = changed(feature_row(1, coverage=0.93), large_coverage=1.0, size_coverage=1.0, atr_coverage=1.0)
    situation = Situation(row, {})
    verdict = judge(strategy(), situation, Memory())
    assert (verdict.score, verdict.ungated_score, verdict.held_back) == (16.0, VOTES, True)
    assert (verdict.reason, verdict.why) == ("coverage", "coverage of 5m was 93% of 95% needed")
    low = changed(row, windows=tuple(msgspec.structs.replace(w, cvd=Decimal(1), vwap=w.vwap) for w in row.windows))
    assert not judge(strategy(), Situation(low, {}), Memory()).crossed, "it would not have crossed either"


def test_an_input_that_is_too_old_holds_back_what_it_would_have_completed() -> None:
    """0.9 of the weight on one slow input: 17 minutes old it is not counted, and what it said is still known."""
    factors = {"cvd_momentum": {"weight": 0.1}, "open_interest_change": {"weight": 0.9, "when_missing": "refuse"}}
    chosen = strategy(threshold=60, factors=factors, direction={})
    old = readings(LONG_INPUTS) | readings({"open_interest_change_percent": "0.8"}, 1_020_000)
    verdict = judge(chosen, Situation(feature_row(1), old), Memory())
    assert (verdict.score, verdict.ungated_score) == (8.89, 80.89)
    assert (verdict.reason, verdict.why) == ("stale_input", "open interest change percent was 17 minutes old")
    nothing = {name: value for name, value in old.items() if name != "open_interest_change_percent"}
    assert not judge(chosen, Situation(feature_row(1), nothing), Memory()).crossed, (
        "an input that is not there says nothing"
    )


def test_what_a_strategy_can_do_without_is_no_gate() -> None:
    row = changed(feature_row(1), large_coverage=0.5)
    omitting, insisted = strategy(threshold=70), insisting("v51", large_trade_flow="refuse")
    verdict = judge(omitting, Situation(row, {}), Memory())
    assert (verdict.score, verdict.ungated_score, verdict.crossed) == (66.87, 66.87, False)
    strict = insisted.model_copy(update={"threshold": 70})
    assert judge(strict, Situation(row, {}), Memory()).reason == "coverage"


def test_the_direction_is_that_of_the_signal_that_was_held_back() -> None:
    """Large trades buy, everything that was withheld sells: the refused signal is a short one, the score itself is long."""
    row = feature_row(-1, coverage=0.93)
    bought = changed(
        row,
        large_coverage=1.0,
        size_coverage=1.0,
        atr_coverage=1.0,
        large_buy_p95=row.large_sell_p95,
        large_sell_p95=row.large_buy_p95,
        large_buy_p99=row.large_sell_p99,
        large_sell_p99=row.large_buy_p99,
    )
    chosen, situation = strategy(threshold=40), Situation(bought, {})
    verdict = judge(chosen, situation, Memory())
    event = signal_event(chosen, situation, verdict)
    assert (verdict.direction, event.direction, event.ungated_score) == ("long", "short", 50.87)
    assert short_score(chosen, verdict).direction == "long"
    assert event.stop_loss is not None
    assert event.stop_loss > event.price


def test_the_short_score_keeps_what_each_factor_gave() -> None:
    chosen = strategy("v52")
    verdict = judge(chosen, Situation(feature_row(1, rank=0.3), {}), Memory())
    parts = short_score(chosen, verdict).contributions
    assert isinstance(parts, dict)
    assert set(parts) == {"cvd_momentum", "vwap_distance", "large_trade_flow", "atr_regime"}
    assert sum(parts.values()) * 100 == pytest.approx(verdict.score, abs=0.01)


def situations() -> list[tuple[RefusalReason, Strategy, Situation, Memory]]:
    """One evaluation for each reason that scoring gives."""
    row, old = feature_row(1), readings(LONG_INPUTS, 1_000_000)
    insisted = insisting("v52", open_interest_change="refuse")
    return [
        ("disabled", strategy(enabled=False), Situation(row, {}), Memory()),
        ("feed_not_live", strategy(), Situation(row, {}, {"trades": FakeFeed("down", 0)}), Memory()),
        ("warm_up", strategy(threshold=50), Situation(changed(row, atr=None), {}), Memory()),
        ("coverage", strategy(), Situation(feature_row(1, coverage=0.9), {}), Memory()),
        ("stale_input", insisted, Situation(row, old), Memory()),
        ("atr_regime", strategy(), Situation(feature_row(1, rank=0.01), {}), Memory()),
        ("direction_conflict", strategy(direction={"allow": "short"}), Situation(row, {}), Memory()),
        ("cooldown", strategy(), Situation(row, {}), Memory(EVALUATION_MS - 1, "long")),
    ]


@pytest.mark.parametrize(("reason", "chosen", "situation", "memory"), situations(), ids=lambda item: str(item)[:18])
def test_every_reason_of_scoring_can_occur(
    reason: RefusalReason, chosen: Strategy, situation: Situation, memory: Memory
) -> None:
    assert judge(chosen, situation, memory).reason == reason


def test_no_reason_of_the_contract_is_without_a_test() -> None:
    """`symbol_locked` is the traders': only they know of a position."""
    assert {reason for reason, *_ in situations()} == set(get_args(RefusalReason)) - {"symbol_locked"}


shares = st.floats(0, 1, allow_nan=False)


@settings(max_examples=200, deadline=None)
@given(
    market=st.tuples(st.integers(-1, 1), shares, st.none() | shares),
    threshold=st.integers(1, 100),
    age_ms=st.sampled_from((1_000, 70_000, 1_000_000)),
    insists=st.booleans(),
)
def test_whoever_is_held_back_has_one_reason_and_the_same_bytes_twice(
    market: tuple[int, float, float | None], threshold: int, age_ms: int, insists: bool
) -> None:
    lean, coverage, rank = market
    row: FeatureRow = feature_row(lean, coverage=coverage, rank=rank)
    situation = Situation(row, readings(LONG_INPUTS, age_ms))
    names = json.loads((FOLDER / "v52.json").read_text())["factors"]
    chosen = insisting("v52", **dict.fromkeys(names, "refuse" if insists else "omit"))
    chosen = chosen.model_copy(update={"threshold": float(threshold)})
    verdict = judge(chosen, situation, Memory())
    if verdict.held_back:
        assert verdict.reason in ("coverage", "stale_input", "warm_up", "atr_regime")
        assert verdict.score < threshold <= verdict.ungated_score
        event = signal_event(chosen, situation, verdict)
        assert event.state == "refused"
        assert encode_value(event) == encode_value(signal_event(chosen, situation, judge(chosen, situation, Memory())))
