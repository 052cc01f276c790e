"""Slow inputs: the newest instant up to the evaluation wins, windows forget, and ignorance is not zero."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.market import FeedState, FeedStatusChanged, LiquidationObserved
from libs.indicators.settings import KernelSettings
from libs.trading.engine.slow_inputs import LIQUIDATION_WINDOW_MS, MINUTE_MS, SymbolInputs
from services.signal_engine.core import EngineCore
from services.signal_engine.snapshot import dump, load
from tests.services.signal_engine.timelines import mark_price, open_interest

T0_MS = 1_717_977_600_000


def liquidation(time_ms: int, side: str, notional: int) -> LiquidationObserved:
    return LiquidationObserved(
        event_id=f"{time_ms}:{side}",
        event_time_ms=time_ms,
        symbol="BTCUSDT",
        side="SELL" if side == "long" else "BUY",
        quantity=Decimal(notional),
        average_price=Decimal(1),
        order_price=Decimal(1),
        last_filled_quantity=Decimal(notional),
        trade_time_ms=time_ms,
        status="FILLED",
    )


def feed(name: str, state: FeedState, at_ms: int = 0) -> FeedStatusChanged:
    return FeedStatusChanged(
        event_id=f"{name}:{state}:{at_ms}",
        event_time_ms=at_ms,
        feed=name,
        symbol="BTCUSDT",
        state=state,
        detail="",
        last_event_time_ms=0,
    )


def knows_liquidations(inputs: SymbolInputs, evaluation_ms: int) -> bool:
    """Whether both sums are stated; they stand or fall together."""
    stated = {"long_liquidations", "short_liquidations"} & set(inputs.at(evaluation_ms))
    assert len(stated) != 1
    return bool(stated)


def test_an_older_instant_that_arrives_later_changes_nothing() -> None:
    inputs = SymbolInputs()
    inputs.take_indicator(open_interest("BTCUSDT", 2_000, "7"))
    inputs.take_indicator(open_interest("BTCUSDT", 1_000, "5"))
    inputs.take_mark_price(mark_price("BTCUSDT", 2_000, 10_001))
    inputs.take_mark_price(mark_price("BTCUSDT", 1_000, 9_999))
    found = inputs.at(3_000)
    assert (found["open_interest"].value, found["mark_price"].value) == (Decimal(7), Decimal(10_001))


@given(st.lists(st.tuples(st.integers(-8_640, -1), st.integers(1, 90)), max_size=80))
def test_history_that_is_fetched_behind_live_values_moves_no_later_evaluation(history: list[tuple[int, int]]) -> None:
    """Values of periods before the live ones, in any number and at any place of the log."""
    plain, filled = SymbolInputs(), SymbolInputs()
    for minute in range(90):
        value = open_interest("BTCUSDT", T0_MS + minute * MINUTE_MS, str(100 + minute % 7))
        plain.take_indicator(value)
        filled.take_indicator(value)
        for period, at in history:
            if at == minute:
                filled.take_indicator(open_interest("BTCUSDT", T0_MS + period * 5 * MINUTE_MS, "1"))
        evaluation = T0_MS + minute * MINUTE_MS + 15_000
        found = filled.at(evaluation)
        if minute < 30:  # what happened before our start is known now
            found.pop("open_interest_change_percent", None)
        assert found == plain.at(evaluation)


def test_open_interest_change_needs_half_an_hour_and_is_measured_over_it() -> None:
    inputs = SymbolInputs()
    for minute, value in ((0, "50"), (5, "100"), (20, "1"), (35, "110")):
        inputs.take_indicator(open_interest("BTCUSDT", minute * MINUTE_MS, value))
        change = inputs.at(minute * MINUTE_MS).get("open_interest_change_percent")
        assert (change is None) == (minute < 30)
    assert change is not None
    assert (change.value, change.as_of_ms) == (Decimal("10.00000000"), 35 * MINUTE_MS)


def test_a_change_that_no_decimal_can_state_is_none() -> None:
    inputs = SymbolInputs()
    inputs.take_indicator(open_interest("BTCUSDT", 0, "1e-30"))
    inputs.take_indicator(open_interest("BTCUSDT", 30 * MINUTE_MS, "1e30"))
    assert set(inputs.at(30 * MINUTE_MS)) == {"open_interest"}


def test_liquidations_are_summed_by_side_and_leave_their_window() -> None:
    inputs = SymbolInputs()
    assert not knows_liquidations(inputs, 0)
    inputs.take_feed(feed("liquidations", "live", 3_000 - LIQUIDATION_WINDOW_MS))
    inputs.take_liquidation(liquidation(1_000, "long", 5))
    inputs.take_liquidation(liquidation(2_000, "short", 3))
    inputs.take_liquidation(liquidation(3_000, "long", 4))
    sums = [
        (found["long_liquidations"].value, found["short_liquidations"].value)
        for found in (
            inputs.at(at) for at in (3_000, 3_001, LIQUIDATION_WINDOW_MS + 2_000, LIQUIDATION_WINDOW_MS + 2_500)
        )
    ]
    assert [(int(longs), int(shorts)) for longs, shorts in sums] == [(5, 3), (9, 3), (4, 3), (4, 0)]


def test_liquidations_are_known_once_the_feed_received_for_the_whole_window() -> None:
    inputs = SymbolInputs()
    inputs.take_feed(feed("liquidations", "starting", T0_MS - 500))
    inputs.take_feed(feed("liquidations", "live", T0_MS))
    inputs.take_liquidation(liquidation(T0_MS + 500, "long", 5))
    full = T0_MS + LIQUIDATION_WINDOW_MS
    assert [knows_liquidations(inputs, at) for at in (T0_MS + 1_000, full - 1, full)] == [False, False, True]
    assert inputs.at(full)["long_liquidations"].value == Decimal(5)


def test_a_repeated_report_of_receiving_does_not_start_the_window_again() -> None:
    inputs = SymbolInputs()
    inputs.take_feed(feed("liquidations", "live", T0_MS))
    inputs.take_feed(feed("liquidations", "live", T0_MS + MINUTE_MS))
    assert knows_liquidations(inputs, T0_MS + LIQUIDATION_WINDOW_MS)


def test_a_reconnect_starts_the_window_again() -> None:
    inputs = SymbolInputs()
    again = T0_MS + 2 * LIQUIDATION_WINDOW_MS
    inputs.take_feed(feed("liquidations", "live", T0_MS))
    inputs.take_feed(feed("liquidations", "down", again - 1_000))
    inputs.take_feed(feed("liquidations", "live", again))
    full = again + LIQUIDATION_WINDOW_MS
    assert [knows_liquidations(inputs, at) for at in (again + 1_000, full - 1, full)] == [False, False, True]


@pytest.mark.parametrize(("state", "known"), [("live", True), ("starting", False), ("down", False), ("silent", False)])
def test_sums_are_a_fact_only_while_the_feed_receives_whatever_is_held(state: FeedState, known: bool) -> None:
    inputs, now = SymbolInputs(), T0_MS + 2 * LIQUIDATION_WINDOW_MS
    inputs.take_feed(feed("liquidations", "live", T0_MS))
    inputs.take_liquidation(liquidation(now - 1_000, "long", 5))
    inputs.take_feed(feed("trades", "down", now))
    inputs.take_feed(feed("liquidations", state, now))
    assert knows_liquidations(inputs, now) is known


def test_a_snapshot_keeps_since_when_the_feed_receives() -> None:
    core = EngineCore(KernelSettings())
    core.engine.symbol_inputs("BTCUSDT").take_feed(feed("liquidations", "live", T0_MS))
    core.engine.symbol_inputs("ETHUSDT").take_feed(feed("liquidations", "down", T0_MS))
    restored = load(dump(core), KernelSettings(), 0)
    assert restored.engine.inputs == core.engine.inputs
    full = T0_MS + LIQUIDATION_WINDOW_MS
    assert [knows_liquidations(restored.engine.inputs["BTCUSDT"], at) for at in (full - 1, full)] == [False, True]
    assert not knows_liquidations(restored.engine.inputs["ETHUSDT"], full)
