"""Slow inputs: the newest instant wins, windows forget, and ignorance is not zero."""

from decimal import Decimal

import pytest

from libs.contracts.market import FeedState, FeedStatusChanged, LiquidationObserved
from services.signal_engine.slow_inputs import LIQUIDATION_WINDOW_MS, MINUTE_MS, SymbolInputs
from tests.services.signal_engine.timelines import mark_price, open_interest


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


def feed(name: str, state: FeedState) -> FeedStatusChanged:
    return FeedStatusChanged(
        event_id=name, event_time_ms=0, feed=name, symbol="BTCUSDT", state=state, detail="", last_event_time_ms=0
    )


def test_an_older_instant_that_arrives_later_changes_nothing() -> None:
    inputs = SymbolInputs()
    inputs.take_indicator(open_interest("BTCUSDT", 2_000, "7"))
    inputs.take_indicator(open_interest("BTCUSDT", 1_000, "5"))
    inputs.take_mark_price(mark_price("BTCUSDT", 2_000, 10_001))
    inputs.take_mark_price(mark_price("BTCUSDT", 1_000, 9_999))
    found = inputs.at(3_000)
    assert (found["open_interest"].value, found["mark_price"].value) == (Decimal(7), Decimal(10_001))


def test_open_interest_change_needs_half_an_hour_and_is_measured_over_it() -> None:
    inputs = SymbolInputs()
    for minute, value in ((0, "50"), (5, "100"), (20, "1"), (35, "110")):
        inputs.take_indicator(open_interest("BTCUSDT", minute * MINUTE_MS, value))
        change = inputs.at(minute * MINUTE_MS).get("open_interest_change_percent")
        assert (change is None) == (minute < 30)
    assert change is not None
    assert (change.value, change.as_of_ms) == (Decimal("10.00000000"), 35 * MINUTE_MS)


def test_liquidations_are_summed_by_side_and_leave_their_window() -> None:
    inputs = SymbolInputs()
    assert "long_liquidations" not in inputs.at(0)
    inputs.take_liquidation(liquidation(1_000, "long", 5))
    inputs.take_liquidation(liquidation(2_000, "short", 3))
    inputs.take_liquidation(liquidation(3_000, "long", 4))
    at_once = inputs.at(3_000)
    assert (at_once["long_liquidations"].value, at_once["short_liquidations"].value) == (Decimal(9), Decimal(3))
    later = inputs.at(LIQUIDATION_WINDOW_MS + 2_500)
    assert (later["long_liquidations"].value, later["short_liquidations"].value) == (Decimal(4), Decimal(0))


@pytest.mark.parametrize(("state", "known"), [("receiving", True), ("disconnected", False), ("silent", False)])
def test_no_liquidations_is_a_fact_only_while_the_feed_receives(state: FeedState, known: bool) -> None:
    inputs = SymbolInputs()
    inputs.take_feed(feed("liquidation", "receiving"))
    inputs.take_feed(feed("trades", "disconnected"))
    inputs.take_feed(feed("liquidation", state))
    assert ("long_liquidations" in inputs.at(0)) is known
