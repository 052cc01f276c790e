"""What a document adds up to, and what others are told of it: each thing once, under an id that is made of what it says."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.trading.execution.document import CloseWish, Trade
from libs.trading.execution.facts import CloseWished, ExecutionSeen, Filled, FundingPaid, StopMoved
from libs.trading.execution.folds import fold
from libs.trading.execution.levels import levels_of, trailing_of
from libs.trading.execution.sums import exit_reason_of, profit_of_trade, r_multiple, slippage_bps, unvalued_fees
from libs.trading.execution.tellings import told, trade_event
from libs.trading.execution.wish import refusal, refused_wish
from libs.trading.profit import Traded, profit_of
from tests.libs.trading.execution.carrier import PRICE, START_MS, Carrier, a_trade, a_wish
from tests.libs.trading.execution.model_venue import ModelVenue

QUANTITY = Decimal("0.010")


def carried(direction: str = "long") -> Carrier:
    carrier = Carrier(ModelVenue(PRICE), a_trade(direction))  # type: ignore[arg-type]
    carrier.settle()
    return carrier


def closed(direction: str = "long") -> Trade:
    """The first target, then the stop at break-even."""
    carrier = carried(direction)
    sign = 1 if direction == "long" else -1
    carrier.venue.trade_at(PRICE + sign * 10)
    carrier.settle(1_000)
    carrier.venue.trade_at(PRICE)
    carrier.settle(10_000)
    return carrier.trade


def somebodys(quantity: Decimal, price: Decimal = PRICE, trade_id: int = 900) -> ExecutionSeen:
    return ExecutionSeen(
        trade_id, 901, "SELL", price, quantity, Decimal(0), "USDT", Decimal(0), Decimal(0), False, START_MS + 9_000
    )


@pytest.mark.parametrize("direction", ["long", "short"])
def test_profit_is_what_exits_made_less_all_fees(direction: str) -> None:
    trade = closed(direction)
    profit = profit_of_trade(trade)
    fees = sum((fill.fee for fill in trade.fills), Decimal(0))
    assert profit.gross == Decimal("0.005") * 10
    assert (profit.fees, profit.net, profit.left) == (fees, profit.gross - fees, Decimal(0))
    assert r_multiple(trade, profit.net) == (profit.net / Decimal("0.1")).quantize(Decimal("0.00000001"))


def test_funding_is_a_cost_of_its_own() -> None:
    trade = fold(closed(), FundingPaid(1, Decimal("0.02"), START_MS))
    assert profit_of_trade(trade).net == profit_of_trade(closed()).net - Decimal("0.02")


def test_what_is_open_has_made_nothing_but_its_fees() -> None:
    trade = carried().trade
    profit = profit_of_trade(trade)
    assert (profit.gross, profit.entry_average, profit.exit_average) == (Decimal(0), PRICE, None)
    assert profit.net == -trade.fills[0].fee


def test_a_fee_that_nobody_has_valued_is_named() -> None:
    unvalued = replace(somebodys(Decimal("0.001")), fee=Decimal("0.1"), fee_asset="BNB", fee_quote=None)
    assert [fill.fee_asset for fill in unvalued_fees(fold(carried().trade, Filled(unvalued, "person")))] == ["BNB"]


@given(
    st.lists(
        st.tuples(
            st.booleans(), st.integers(1, 500).map(Decimal), st.integers(1, 40).map(lambda n: n * Decimal("0.001"))
        ),
        max_size=8,
    ),
    st.sampled_from(("long", "short")),
)
def test_a_position_that_is_all_out_made_exactly_what_went_through_the_wallet(
    some: list[tuple[bool, Decimal, Decimal]], direction: str
) -> None:
    fills = [Traded(*one, fee=Decimal("0.01")) for one in some]
    left = sum((one.quantity if one.is_entry else -one.quantity for one in fills), Decimal(0))
    fills.append(Traded(left < 0, Decimal(7), abs(left), Decimal(0)))
    flow = sum(((-1 if one.is_entry else 1) * one.price * one.quantity for one in fills), Decimal(0))
    profit = profit_of(direction, fills, Decimal(3))  # type: ignore[arg-type]
    assert profit.gross == (flow if direction == "long" else -flow)
    assert profit.net == profit.gross - profit.fees - 3


@pytest.mark.parametrize(
    ("direction", "paid", "bps"),
    [
        ("long", "100.1", "10.0000"),
        ("long", "99.9", "-10.0000"),
        ("short", "99.9", "10.0000"),
        ("short", "101", "-100.0000"),
    ],
)
def test_slippage_above_zero_is_worse(direction: str, paid: str, bps: str) -> None:
    trade = a_trade(direction)  # type: ignore[arg-type]
    assert slippage_bps(trade, Decimal(paid)) == Decimal(bps)
    assert slippage_bps(trade, None) is None


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        ("guard", "risk_guard"),
        ("direct", "flatten_direct"),
        ("liquidation", "liquidation"),
        ("adl", "adl"),
        ("person", "person"),
        ("settlement", "settlement"),
    ],
)
def test_why_a_trade_was_left_says_whose_the_last_fill_was(by: str, reason: str) -> None:
    trade = fold(carried().trade, Filled(somebodys(QUANTITY), by))  # type: ignore[arg-type]
    assert exit_reason_of(trade) == reason


def test_a_trade_that_is_held_has_no_exit_reason() -> None:
    assert exit_reason_of(carried().trade) is None
    assert exit_reason_of(closed()) == "break_even_stop"


def test_a_trade_without_a_bracket_has_no_levels() -> None:
    carrier = carried()
    assert levels_of(carrier.trade, PRICE) is not None
    assert trailing_of(Decimal(2), PRICE) is not None
    assert trailing_of(Decimal(50), PRICE) is None


# --- tellings ------------------------------------------------------------------------------------------------------


def test_everything_is_told_once_and_the_same_again_after_a_restart() -> None:
    trade = carried().trade
    first = told(None, trade)
    assert [event.state for event in first.trades] == ["open"]
    assert [event.leg for event in first.orders] == ["entry", "stop", "take_profit_1", "take_profit_2"]
    assert [(event.quantity, event.protected) for event in first.positions] == [(QUANTITY, True)]
    assert told(None, trade) == first
    assert told(trade, trade) == type(first)()


def test_each_change_is_told_with_an_id_of_its_own() -> None:
    carrier = carried()
    before = carrier.trade
    carrier.hear(StopMoved(Decimal(95), START_MS + 9_000))
    moved = told(before, carrier.trade)
    assert [event.stop for event in moved.trades] == [Decimal(95)]
    assert trade_event(before).event_id != moved.trades[0].event_id


def test_a_step_of_an_order_is_told_and_the_others_are_not() -> None:
    carrier = carried()
    before = carrier.trade
    carrier.venue.trade_at(Decimal(110))
    carrier.hear_all()
    after = told(before, carrier.trade)
    assert [(event.leg, event.status) for event in after.orders] == [("take_profit_1", "filled")]
    assert after.trades[0].quantity_left == Decimal("0.005")
    assert after.positions[0].quantity == Decimal("0.005")


def test_a_short_position_is_below_zero() -> None:
    assert told(None, carried("short").trade).positions[0].quantity == -QUANTITY


def test_a_trade_that_is_over_holds_nothing_and_says_what_it_made() -> None:
    trade = closed()
    event = told(None, trade).trades[0]
    assert (event.state, event.reason, event.quantity_left) == ("closed", "break_even_stop", Decimal(0))
    assert event.pnl_quote == profit_of_trade(trade).net
    assert event.exit_price == Decimal(105)


def test_a_refused_wish_is_told_and_no_position_of_it() -> None:
    trade = refused_wish(a_wish(), "a", refusal("cooldown", "for 3 s more"), START_MS)
    found = told(None, trade)
    assert [(event.state, event.reason) for event in found.trades] == [("refused", "cooldown")]
    assert (found.orders, found.positions) == ((), ())


def test_people_are_alerted_once_of_a_stop_that_failed_and_of_forced_fills() -> None:
    before = carried().trade
    failed = fold(before, CloseWished(CloseWish(reason="stop_failed", since_ms=START_MS + 9_000)))
    assert [alert.severity for alert in told(before, failed).alerts] == ["critical"]
    assert told(failed, failed).alerts == ()
    forced = fold(failed, Filled(somebodys(QUANTITY), "liquidation"))
    assert [alert.title for alert in told(failed, forced).alerts] == ["Liquidated: BTCUSDT"]
