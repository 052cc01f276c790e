"""Which forced orders become events."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from libs.exchanges import ForcedOrder
from libs.kit.errors import BadMessage
from services.liquidation_ingest.selection import LiquidationSelection

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


@pytest.mark.parametrize("number", ["", "x", "NaN", "0", "-1"])
def test_an_unreadable_number_or_none_at_all_is_a_bad_message(number: str) -> None:
    with pytest.raises(BadMessage, match="bad_liquidation"):
        LiquidationSelection(["ETHUSDT"]).select(replace(ORDER, filled_quantity=number))
