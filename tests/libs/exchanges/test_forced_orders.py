"""Which forced orders become events."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.exchanges import ForcedOrder
from libs.exchanges.forced_orders import LiquidationSelection
from libs.kit.errors import BadMessage

ORDER = ForcedOrder(
    symbol="ETHUSDT",
    side="SELL",
    price="2801.11",
    average_price="2809.87",
    filled_quantity="12.340",
    last_filled_quantity="0.540",
    status="FILLED",
    trade_time=1763712003448,
    event_time=1763712003456,
    product="linear",
)


def test_size_is_what_was_filled_in_all_and_the_copy_of_a_second_connection_is_dropped() -> None:
    selection = LiquidationSelection(["ETHUSDT"])
    event = selection.select(ORDER)
    assert event is not None
    assert (event.quantity, event.average_price, event.last_filled_quantity) == (
        Decimal("12.340"),
        Decimal("2809.87"),
        Decimal("0.540"),
    )
    assert event.event_time_ms == event.trade_time_ms == 1763712003448
    assert selection.select(ORDER) is None
    assert selection.duplicates == 1
    assert selection.select(replace(ORDER, trade_time=ORDER.trade_time + 1)) is not None
    assert LiquidationSelection(["ETHUSDT"], [event.event_id]).select(ORDER) is None, "known from the topic's end"


def test_other_symbols_and_inverse_contracts_are_left_out() -> None:
    selection = LiquidationSelection(["BTCUSDT"])
    assert selection.select(ORDER) is None
    assert LiquidationSelection(["ETHUSDT"]).select(replace(ORDER, product="inverse")) is None


@given(st.lists(st.integers(0, 40), max_size=120))
def test_two_sockets_and_late_rows_give_each_order_once_whatever_their_order(seconds: list[int]) -> None:
    selection, passed = LiquidationSelection(["ETHUSDT"]), []
    for second in seconds:
        order = replace(ORDER, trade_time=ORDER.trade_time + 1_000 * second)
        # The copy of another connection, and of another of the two wire variants, is the same order.
        for copy in (order, replace(order, event_time=order.event_time + 7)):
            if (event := selection.select(copy)) is not None:
                passed.append((event.trade_time_ms - ORDER.trade_time) // 1_000)
    assert passed == list(dict.fromkeys(seconds)), "in the order of arrival, late ones too"
    assert selection.duplicates == 2 * len(seconds) - len(passed)


def test_only_what_is_the_same_in_all_five_is_a_copy() -> None:
    selection = LiquidationSelection(["ETHUSDT", "BTCUSDT"])
    others: list[dict[str, object]] = [
        {},
        {"symbol": "BTCUSDT"},
        {"side": "BUY"},
        {"trade_time": ORDER.trade_time + 1},
        {"filled_quantity": "12.341"},
        {"average_price": "2809.88"},
    ]
    assert all(selection.select(replace(ORDER, **change)) is not None for change in others)
    assert selection.select(replace(ORDER, price="1", last_filled_quantity="1", status="x")) is None


@pytest.mark.parametrize("number", ["", "x", "NaN", "0", "-1"])
def test_an_unreadable_number_or_none_at_all_is_a_bad_message(number: str) -> None:
    with pytest.raises(BadMessage, match="bad_liquidation"):
        LiquidationSelection(["ETHUSDT"]).select(replace(ORDER, filled_quantity=number))


@pytest.mark.parametrize(
    "change",
    [
        {"price": "-1"},
        {"average_price": "1e60"},
        {"trade_time": -5},
        {"trade_time": 10**30},
        {"status": "x" * 2_000_000},
    ],
)
def test_what_no_reader_would_take_is_a_bad_message_and_leaves_no_trace(change: dict[str, object]) -> None:
    selection = LiquidationSelection(["ETHUSDT"])
    with pytest.raises(BadMessage):
        selection.select(replace(ORDER, **change))
    assert selection.select(ORDER) is not None
