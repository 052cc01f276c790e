"""A rescored signal is traded with the bracket that the engine's event would have carried, to the last tick."""

import json
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.signals import SignalScored
from libs.trading.factor import Situation
from libs.trading.filters import SymbolFilters
from libs.trading.opinions import OpinionBuilder
from libs.trading.rescored_signals import rescored_signals
from libs.trading.rescoring import rescore
from libs.trading.scoring import Memory, judge, remember, signal_event
from libs.trading.signal_columns import signal_columns
from libs.trading.strategy import Strategy, read_strategy
from tests.suites.factor_suite import EVALUATION_MS, feature_row

SCALES = {"BTCUSDT": (1, 3), "ETHUSDT": (2, 3), "XRPUSDT": (4, 0)}
START_MS = EVALUATION_MS // 15_000 * 15_000
multiples = st.sampled_from([0.0005, 0.1, 1.0, 1.25, 2.5, 24.0]) | st.floats(0.001, 24).map(
    lambda value: float(f"{value:.6g}")
)


def strategy(near: float, far: float, stop: float, hold: int, ways: dict[str, object] | None = None) -> Strategy:
    definition = {
        "name": "any",
        "version": 1,
        "threshold": 1,
        "cooldown_seconds": 15,
        "atr_percentile_band": {"low": 0.0, "high": 1.0},
        "bracket": {"take_profit_1_atr": near, "take_profit_2_atr": near + far, "stop_loss_atr": stop, **(ways or {})},
        "hold_minutes": hold,
        "factors": {"cvd_momentum": {"weight": 1.0}},
    }
    return read_strategy(json.dumps(definition), "any")


ways_out = st.fixed_dictionaries(
    {},
    optional={
        "trailing_atr": multiples,
        "take_profit_type": st.sampled_from(["limit", "market"]),
        "on_opposite_signal": st.sampled_from(["ignore", "close"]),
        "working_type": st.sampled_from(["last", "mark"]),
    },
)
strategies = st.builds(strategy, multiples, multiples, multiples, st.integers(1, 200), ways_out)


@st.composite
def markets(draw: st.DrawFn) -> list[Situation]:
    found = []
    for symbol in ("ETHUSDT", "BTCUSDT"):
        decimals = SCALES[symbol][0]
        for step in range(draw(st.integers(0, 4))):
            row = msgspec.structs.replace(
                feature_row(draw(st.sampled_from([-1, 1]))),
                symbol=symbol,
                evaluation_time_ms=START_MS + step * 15_000,
                price=Decimal(draw(st.integers(1, 9_000_000))).scaleb(-decimals),
                atr=Decimal(draw(st.integers(1, 90_000_000))).scaleb(-decimals - 4),
            )
            found.append(Situation(row, {}))
    return found


def events(found: list[Situation], chosen: Strategy) -> list[SignalScored]:
    emitted, memory = [], dict[str, Memory]()
    for situation in sorted(found, key=lambda one: (one.row.evaluation_time_ms, one.row.symbol)):
        known = memory.get(situation.row.symbol, Memory())
        verdict = judge(chosen, situation, known)
        memory[situation.row.symbol] = remember(known, verdict, situation.row.evaluation_time_ms)
        if verdict.emitted:
            emitted.append(signal_event(chosen, situation, verdict))
    return emitted


@settings(max_examples=300, deadline=None)
@given(markets(), strategies, st.booleans())
def test_levels_are_those_of_the_event(found: list[Situation], chosen: Strategy, filtered: bool) -> None:
    filters = {
        "BTCUSDT": SymbolFilters("BTCUSDT", Decimal("0.5"), Decimal("0.001")),
        "ETHUSDT": SymbolFilters("ETHUSDT", Decimal("0.03"), Decimal("0.001")),
    }
    used = filters if filtered else {}
    expected = signal_columns(events(found, chosen), SCALES, used)
    builder = OpinionBuilder(("cvd_momentum",))
    for situation in found:
        builder.add(situation.row.symbol, situation.columns)
    opinions = builder.build()
    signals = rescored_signals(opinions, rescore(opinions, [chosen]).of(0), chosen, SCALES, used)
    for name, column in expected._asdict().items():
        if name != "number":
            np.testing.assert_array_equal(getattr(signals, name), column, name)


def test_prices_in_other_decimals_than_the_tape_are_an_error() -> None:
    builder = OpinionBuilder(("cvd_momentum",))
    builder.add("BTCUSDT", Situation(feature_row(), {}).columns)
    opinions, chosen = builder.build(), strategy(1, 1, 1, 70)
    crossings = rescore(opinions, [chosen]).of(0)
    with pytest.raises(ValueError, match="1 decimals, the tape's have 2"):
        rescored_signals(opinions, crossings, chosen, {"BTCUSDT": (2, 3)}, {})
    with pytest.raises(ValueError, match="trades are not there"):
        rescored_signals(opinions, crossings, chosen, {"ETHUSDT": (2, 3)}, {})
