"""Messages of a user stream: the published examples, forced orders, and whatever else may come."""

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.exchanges.binance.user_events import read_user_event
from libs.exchanges.errors import MalformedAnswer
from libs.exchanges.user_events import AccountTold, AlgoTold, OrderTold

# The shapes of reference facts 7, with values of our own.
ORDER: dict[str, Any] = {
    "e": "ORDER_TRADE_UPDATE", "T": 10, "E": 13,
    "o": {
        "s": "BTCUSDT", "c": "psx-1", "S": "BUY", "o": "MARKET", "f": "GTC", "q": "0.010", "p": "0", "ap": "91240.3", "sp": "0",
        "x": "TRADE", "X": "FILLED", "i": 81, "l": "0.004", "z": "0.010", "L": "91240.5", "n": "0.1", "N": "BNB", "T": 10,
        "t": 65, "b": "0", "a": "0", "m": False, "R": False, "wt": "CONTRACT_PRICE", "ot": "MARKET", "ps": "BOTH", "cp": False,
        "rp": "-1.5", "pP": False, "si": 0, "ss": 0, "V": "EXPIRE_MAKER", "pm": "NONE", "gtd": 0, "er": "0",
    },
}  # fmt: skip
ALGO: dict[str, Any] = {
    "e": "ALGO_UPDATE", "T": 20, "E": 27,
    "o": {
        "caid": "psx-s", "aid": 22, "at": "CONDITIONAL", "o": "STOP_MARKET", "s": "BTCUSDT", "S": "SELL", "ps": "BOTH",
        "f": "GTC", "q": "0.010", "X": "TRIGGERED", "ai": "812", "ap": "0", "aq": "0", "act": "MARKET", "tp": "89900.00",
        "p": "0", "V": "NONE", "wt": "MARK_PRICE", "pm": "NONE", "cp": False, "pP": True, "R": True, "tt": 19, "gtd": 0,
    },
}  # fmt: skip


def read(message: dict[str, Any]) -> Any:
    return read_user_event(json.dumps(message).encode())


def changed(message: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return message | {"o": {name: value for name, value in (message["o"] | fields).items() if value is not None}}


def test_a_fill_is_read_with_its_fee_in_its_own_asset() -> None:
    told = read(ORDER)
    assert isinstance(told, OrderTold)
    assert told.execution is not None
    fill = told.execution
    assert (fill.trade_id, fill.order_id, fill.quantity, fill.price) == (65, 81, Decimal("0.004"), Decimal("91240.5"))
    assert (fill.fee, fill.fee_asset, fill.realised) == (Decimal("0.1"), "BNB", Decimal("-1.5"))
    assert (told.order.executed, told.order.average_price, told.order.is_final) == (
        Decimal("0.010"),
        Decimal("91240.3"),
        True,
    )


def test_the_first_event_of_an_order_is_no_fill_with_or_without_a_fee() -> None:
    for fields in ({"n": None, "N": None}, {"n": "0", "N": "USDT"}):
        told = read(changed(ORDER, x="NEW", X="NEW", t=0, l="0", z="0", **fields))
        assert told.execution is None
        assert not told.order.is_final


@pytest.mark.parametrize("client_id", ["autoclose-1", "adl_autoclose", "settlement_autoclose-2"])
def test_orders_of_the_venue_itself_are_told_apart(client_id: str) -> None:
    assert read(changed(ORDER, c=client_id)).is_forced
    assert read(changed(ORDER, x="CALCULATED")).is_forced
    assert not read(ORDER).is_forced


def test_a_status_that_nobody_knows_is_no_end() -> None:
    assert not read(changed(ORDER, X="NEW_ADL")).order.is_final


def test_a_conditional_order_names_the_order_that_it_became() -> None:
    told = read(ALGO)
    assert isinstance(told, AlgoTold)
    assert (told.algo.order_id, told.algo.executed, told.algo.is_final) == (812, Decimal(0), False)
    before = read(changed(ALGO, X="TRIGGERING", ai="", ap=None, aq=None, act=None))
    assert (before.algo.order_id, before.algo.executed) == (None, None)
    assert read(changed(ALGO, X="REJECTED", rm="margin")).algo.reason == "margin"


def test_funding_has_wallets_only() -> None:
    told = read(
        {"e": "ACCOUNT_UPDATE", "T": 1, "E": 2, "a": {"m": "FUNDING_FEE", "B": [{"a": "USDT", "wb": "1.5", "cw": "1"}]}}
    )
    assert told == AccountTold("FUNDING_FEE", {"USDT": Decimal("1.5")}, (), 2)


def test_combined_streams_are_unwrapped_and_other_types_passed_over() -> None:
    assert read({"stream": "key", "data": ORDER}) == read(ORDER)
    for other in ({"e": "TRADE_LITE", "E": 1}, {"result": None, "id": 1}, {"e": "SOMETHING_NEW"}, {}):
        assert read(other) is None


@pytest.mark.parametrize("field", ["q", "ap", "l", "z", "L", "rp", "n"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "", "1,5", "x"])
def test_an_amount_that_is_none_is_malformed(field: str, value: str) -> None:
    with pytest.raises(MalformedAnswer):
        read(changed(ORDER, **{field: value}))


@given(st.binary(max_size=200))
def test_whatever_bytes_come_it_is_an_event_or_malformed(message: bytes) -> None:
    with suppress(MalformedAnswer):
        assert read_user_event(message) is None


@given(
    st.sampled_from(sorted(ORDER["o"])),
    st.none() | st.integers() | st.text(max_size=5) | st.booleans() | st.lists(st.none()),
)
def test_a_damaged_field_is_read_as_it_is_or_malformed(name: str, value: Any) -> None:
    with suppress(MalformedAnswer):
        assert isinstance(read(ORDER | {"o": ORDER["o"] | {name: value}}), OrderTold)
