"""Rescoring says what `judge` says, bit for bit, whatever the situations and the strategies."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.signals import WindowFeatures
from libs.indicators.features import WINDOW_NAMES, FeatureRow, WindowName
from libs.trading.factor import Situation
from libs.trading.factors import all_factors
from libs.trading.inputs import FEED_OF_INPUT, TRADE_FEED
from libs.trading.opinions import OpinionBuilder, Opinions
from libs.trading.rescoring import REASONS, Crossings, least_totals, rescore, totals_by_step
from libs.trading.scoring import Memory, judge, remember
from libs.trading.strategy import Strategy, read_strategy
from tests.fakes.readings import FakeFeed, FakeReading
from tests.suites.factor_suite import EVALUATION_MS, LONG_INPUTS, feature_row, readings

GRID_MS = 15_000
START_MS = EVALUATION_MS // GRID_MS * GRID_MS
VOTES = [name for name, factor in all_factors().items() if factor.role == "vote"]
SCALES = [name for name, factor in all_factors().items() if factor.role == "scale"]
Row = tuple[str, int, float, str, str | None]


shares = st.sampled_from([0.0, 0.5, 0.9, 0.95, 1.0, 1.0, 1.0, 1.0]) | st.floats(0, 1)
signed = st.integers(-40, 40).map(Decimal)


@st.composite
def _windows(draw: st.DrawFn, name: WindowName) -> WindowFeatures:
    """An empty window has no VWAP, any other has one."""
    volume = draw(st.sampled_from([0, 100, 100, 133]))
    return WindowFeatures(
        window=name,
        cvd=draw(signed),
        volume=Decimal(volume),
        notional=Decimal(draw(st.sampled_from([0, 6_000_000])) if volume else 0),
        vwap=Decimal(draw(st.integers(59_900, 60_100))) if volume else None,
        coverage=draw(shares),
    )


@st.composite
def feature_rows(draw: st.DrawFn, symbol: str, time_ms: int) -> FeatureRow:
    windows = tuple(draw(_windows(name)) for name in WINDOW_NAMES)
    bought, sold = draw(st.integers(0, 9_000)), draw(st.integers(0, 9_000))
    return msgspec.structs.replace(
        feature_row(),
        symbol=symbol,
        evaluation_time_ms=time_ms,
        price=draw(st.none() | st.integers(599_000, 601_000).map(lambda ticks: Decimal(ticks).scaleb(-1))),
        windows=windows,
        large_p95=draw(st.none() | st.just(Decimal(50_000))),
        large_buy_p95=Decimal(bought),
        large_sell_p95=Decimal(sold),
        large_buy_p99=Decimal(bought) // 2,
        large_sell_p99=Decimal(sold) // 3,
        size_coverage=draw(shares),
        large_coverage=draw(shares),
        atr=draw(st.sampled_from([None, Decimal(0), Decimal("80.25"), Decimal("33.33333")])),
        atr_percentile=draw(st.none() | shares | st.floats(0.2, 0.95)),
        atr_coverage=draw(shares),
        rank_coverage=draw(shares),
    )


@st.composite
def situations(draw: st.DrawFn, symbol: str, time_ms: int) -> Situation:
    # Mostly a market in which signals are possible: else hardly anything would come as far as the last gates.
    row = draw(feature_rows(symbol, time_ms)) if draw(st.integers(0, 3)) == 0 else _usual(draw, symbol, time_ms)
    inputs = {
        name: FakeReading(Decimal(draw(st.integers(-200, 200))) / 100 * scale, time_ms - draw(_ages))
        for name, scale in _SCALES_OF_INPUTS.items()
        if draw(st.integers(0, 9))
    }
    feeds = {
        name: FakeFeed(draw(st.sampled_from(["live"] * 8 + ["down"])), time_ms - 1_000)
        for name in sorted({TRADE_FEED, *FEED_OF_INPUT.values()})
        if draw(st.booleans())
    }
    return Situation(row, inputs, feeds)


_ages = st.sampled_from([0, 1_000, 6_001, 50_000, 61_000, 1_000_000])
_SCALES_OF_INPUTS = {name: Decimal("0.001" if "funding" in name else "1") for name in LONG_INPUTS}


def _usual(draw: st.DrawFn, symbol: str, time_ms: int) -> FeatureRow:
    row = feature_row(draw(st.sampled_from([-1, 1])), rank=draw(st.sampled_from([0.1, 0.3, 0.6])))
    windows = tuple(msgspec.structs.replace(window, cvd=draw(signed)) for window in row.windows)
    return msgspec.structs.replace(row, symbol=symbol, evaluation_time_ms=time_ms, windows=windows)


@st.composite
def tables(draw: st.DrawFn) -> list[Situation]:
    """Some symbols, each with its own evaluations; the market of one instant is that of all that have it."""
    found = []
    for symbol in draw(st.sampled_from([("BTCUSDT",), ("ETHUSDT", "BTCUSDT")])):
        steps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 40]), min_size=0, max_size=12))
        for step in np.cumsum(steps).tolist():
            fine = draw(st.sampled_from([0, 0, 0, 1_000]))
            found.append(draw(situations(symbol, START_MS + step * GRID_MS + fine)))
    return found


@st.composite
def strategies(draw: st.DrawFn) -> Strategy:
    votes = draw(st.lists(st.sampled_from(VOTES), min_size=1, max_size=len(VOTES), unique=True))
    raw = draw(st.lists(st.integers(1, 99), min_size=len(votes), max_size=len(votes)))
    weights = [each / sum(raw) for each in raw]
    names = votes + draw(st.lists(st.sampled_from(SCALES), max_size=len(SCALES), unique=True))
    weights += [draw(st.sampled_from([0.25, 0.7, 1.0])) for _ in names[len(votes) :]]
    band = sorted(draw(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.6, 0.95, 1.0]), min_size=2, max_size=2, unique=True)))
    definition: dict[str, Any] = {
        "name": "any",
        "version": 1,
        "enabled": draw(st.integers(0, 9)) > 0,
        "symbols": draw(st.sampled_from(["*", "*", ["BTCUSDT"], ["ETHUSDT", "XRPUSDT"]])),
        "evaluation_interval": draw(st.sampled_from(["15s", "15s", "1s"])),
        "threshold": draw(st.sampled_from([0.001, 1, 10, 25, 33.335]) | st.floats(0.01, 60)),
        "cooldown_seconds": draw(st.sampled_from([0, 15, 30, 600])),
        "min_coverage": draw(st.sampled_from([0.0, 0.5, 0.9, 1.0])),
        "direction": {
            "allow": draw(st.sampled_from(["both", "both", "long", "short"])),
            "confirmed_by": draw(st.lists(st.sampled_from(votes), max_size=2)) if draw(st.booleans()) else [],
        },
        "atr_percentile_band": {"low": band[0], "high": band[1]},
        "bracket": {"take_profit_1_atr": 1.0, "take_profit_2_atr": 2.0, "stop_loss_atr": 1.5},
        "factors": {
            name: {"weight": weight, "when_missing": draw(st.sampled_from(["omit", "omit", "refuse"]))}
            for name, weight in zip(names, weights, strict=True)
        },
    }
    return read_strategy(json.dumps(definition), "any")


def opinions_of(found: Sequence[Situation]) -> Opinions:
    builder = OpinionBuilder(tuple(all_factors()))
    for situation in found:
        builder.add(situation.row.symbol, situation.columns)
    return builder.build()


def judged(found: Sequence[Situation], strategy: Strategy) -> list[Row]:
    """The crossings as the engine finds them, one symbol after the other."""
    rows: list[Row] = []
    memory: dict[str, Memory] = {}
    for situation in sorted(found, key=lambda one: (one.row.symbol, one.row.evaluation_time_ms)):
        symbol, now_ms = situation.row.symbol, situation.row.evaluation_time_ms
        if now_ms % strategy.interval_ms or not strategy.covers(symbol):
            continue
        verdict = judge(strategy, situation, memory.get(symbol, Memory()))
        memory[symbol] = remember(memory.get(symbol, Memory()), verdict, now_ms)
        if verdict.crossed and not verdict.held_back:
            rows.append((symbol, now_ms, verdict.score, verdict.direction, verdict.reason))
    return rows


def rescored(opinions: Opinions, crossings: Crossings) -> list[Row]:
    return [
        (
            opinions.symbols[opinions.symbol[row]],
            int(opinions.time_ms[row]),
            score,
            "long" if side > 0 else "short",
            REASONS[reason - 1] if reason else None,
        )
        for row, score, side, reason in zip(
            crossings.row.tolist(),
            crossings.score.tolist(),
            crossings.side.tolist(),
            crossings.reason.tolist(),
            strict=True,
        )
    ]


@settings(max_examples=300, deadline=None)
@given(tables(), st.lists(strategies(), min_size=1, max_size=6))
def test_every_configuration_crosses_where_judge_says_with_the_same_bits(
    found: list[Situation], configured: list[Strategy]
) -> None:
    opinions = opinions_of(found)
    crossings = rescore(opinions, configured)
    for number, strategy in enumerate(configured):
        assert rescored(opinions, crossings.of(number)) == judged(found, strategy)


def test_a_long_table_is_scored_in_blocks_and_remembers_across_them() -> None:
    chance = np.random.default_rng(1)
    found = []
    for number in range(1_300):
        row = feature_row(int(chance.choice([-1, 1])))
        row = msgspec.structs.replace(row, evaluation_time_ms=START_MS + number * GRID_MS)
        found.append(Situation(row, readings(LONG_INPUTS)))
    definition = _definition(cooldown_seconds=45)
    opinions, strategy = opinions_of(found), read_strategy(json.dumps(definition), "any")
    several = rescore(opinions, [strategy] * 3)
    expected = judged(found, strategy)
    assert len(expected) > 512
    assert all(rescored(opinions, several.of(number)) == expected for number in range(3))


def _definition(**changes: Any) -> dict[str, Any]:
    return {
        "name": "any",
        "version": 1,
        "threshold": 10,
        "cooldown_seconds": 0,
        "atr_percentile_band": {"low": 0.0, "high": 1.0},
        "bracket": {"take_profit_1_atr": 1.0, "take_profit_2_atr": 2.0, "stop_loss_atr": 1.5},
        "factors": {"cvd_momentum": {"weight": 1.0}},
    } | changes


@settings(max_examples=500, deadline=None)
@given(st.floats(0.001, 100))
def test_the_least_total_is_the_first_whose_rounded_score_reaches_the_threshold(threshold: float) -> None:
    least = float(least_totals(np.array([threshold]))[0])
    assert round(min(100.0, least * 100), 2) >= threshold
    below = float(np.nextafter(least, 0))
    assert round(min(100.0, below * 100), 2) < threshold


def test_the_totals_of_all_scores_rise_and_halves_round_as_scores_do() -> None:
    steps = totals_by_step()
    assert len(steps) == 10_001
    assert bool(np.all(np.diff(steps) > 0))
    assert steps[0] == 0
    for step in (1, 13, 2_500, 5_001, 10_000):
        assert round(min(100.0, float(steps[step]) * 100), 2) == step / 100


def test_a_factor_that_was_not_asked_is_an_error() -> None:
    builder = OpinionBuilder(("basis",))
    builder.add("BTCUSDT", Situation(feature_row(), {}).columns)
    with pytest.raises(ValueError, match="cvd_momentum was not asked"):
        rescore(builder.build(), [read_strategy(json.dumps(_definition()), "any")])


def test_an_evaluation_that_came_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="came twice"):
        opinions_of([Situation(feature_row(), {})] * 2)


def test_nothing_evaluated_and_nothing_configured_cross_nowhere() -> None:
    strategy = read_strategy(json.dumps(_definition()), "any")
    assert len(rescore(opinions_of([]), [strategy]).row) == 0
    assert rescore(opinions_of([Situation(feature_row(), {})]), []).starts.tolist() == [0]
