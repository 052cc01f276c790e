"""What protects a position, one rule at a time, at the model venue."""

from decimal import Decimal

import msgspec
import pytest

from libs.trading.execution.decision import Ask, Cancel, Place, Wait, next_moves
from libs.trading.execution.facts import (
    Answered,
    FirstTargetReached,
    Intended,
    OrderSeen,
    Refused,
    Sending,
    StopMoved,
)
from libs.trading.execution.folds import fold, fold_all
from tests.libs.trading.execution.carrier import HOLD_MS, PRICE, START_MS, WINDOW_MS, Carrier
from tests.libs.trading.execution.model_venue import Fate
from tests.libs.trading.execution.situations import (
    begun,
    held,
    moves,
    placed,
    seen_as,
    standing,
    standing_id,
    stop_alone,
)


def test_the_stop_goes_first_and_alone() -> None:
    carrier = stop_alone()
    assert placed(moves(carrier)) == ["stop"]
    carrier.step()
    assert placed(moves(carrier)) == ["take_profit_1", "take_profit_2"]
    stop = standing(carrier, "stop")[0]
    assert (stop.quantity, stop.trigger, stop.reduce_only) == (None, Decimal(90), False)


def test_a_part_of_an_entry_has_its_stop_before_the_rest_is_known() -> None:
    carrier = begun()
    entry = carrier.trade.orders[0]
    seen = OrderSeen(entry.client_id, 7, "BUY", "partially_filled", Decimal("0.010"), Decimal("0.004"))
    carrier.trade = fold_all(
        carrier.trade, Sending(entry.client_id, START_MS + 1, START_MS), Answered(entry.client_id, seen, START_MS)
    )
    assert placed(moves(carrier)) == ["stop"]


def test_targets_rest_in_the_book_as_limit_orders_that_only_reduce() -> None:
    carrier = held()
    first, second = standing(carrier, "take_profit_1")[0], standing(carrier, "take_profit_2")[0]
    assert [(one.price, one.quantity, one.trigger, one.reduce_only) for one in (first, second)] == [
        (Decimal(110), Decimal("0.005"), None, True),
        (Decimal(120), Decimal("0.005"), None, True),
    ]
    assert moves(carrier) == (Wait(START_MS + HOLD_MS),)


def test_targets_at_market_wait_for_their_price() -> None:
    carrier = held(kind="market")
    first = standing(carrier, "take_profit_1")[0]
    assert (first.trigger, first.price) == (Decimal(110), None)


def test_a_target_whose_order_is_overdue_is_not_asked_for_a_second_time() -> None:
    carrier, later_ms = held(kind="market"), START_MS + 60_000
    first = standing_id(carrier, "take_profit_1")
    orders = (
        msgspec.structs.replace(one, triggered_ms=START_MS + 1_000) if one.client_id == first else one
        for one in carrier.trade.orders
    )
    trade = msgspec.structs.replace(carrier.trade, orders=tuple(orders))
    found = next_moves(trade, later_ms, carrier.permits)
    assert "take_profit_1" not in placed(found)
    assert [move.order.client_id for move in found if isinstance(move, Ask)] == [first]


def test_a_target_at_market_that_was_passed_already_is_asked_for_as_a_limit_order() -> None:
    carrier = begun(kind="market")
    carrier.step()
    carrier.venue.trade_at(Decimal(115))
    carrier.settle(2_000)
    assert carrier.trade.fills[-1].leg == "take_profit_1"
    assert carrier.trade.fills[-1].price >= Decimal(110)


def test_after_the_first_target_a_stop_for_the_rest_stands_above_the_entry_and_the_first_stop_stays() -> None:
    carrier = held()
    carrier.venue.trade_at(Decimal(110))
    carrier.settle(1_000)
    second = standing(carrier, "break_even")[0]
    assert second.quantity == Decimal("0.005")
    assert second.reduce_only
    assert second.trigger is not None
    costs = second.trigger * Decimal("0.0005") + PRICE * Decimal("0.0005")
    assert Decimal(0) <= second.trigger - PRICE - costs < Decimal("0.1")
    assert len(standing(carrier, "stop")) == 1


def test_a_position_too_small_to_split_has_one_target_and_its_break_even_stop_by_price_alone() -> None:
    carrier = held("0.03")
    assert [one.order.leg for one in carrier.venue.orders.values()] == ["entry", "stop", "take_profit_2"]
    carrier.venue.price = Decimal(111)
    carrier.hear(FirstTargetReached(carrier.venue.now_ms))
    carrier.settle(1_000)
    assert len(standing(carrier, "break_even")) == 1


def test_every_stop_of_a_trade_by_the_mark_price_says_so_and_nothing_else_does() -> None:
    carrier = begun(kind="market", trailing=Decimal(2))
    assert carrier.trade.bracket is not None
    by_mark = msgspec.structs.replace(carrier.trade.bracket, working_type="mark")
    carrier.trade = msgspec.structs.replace(carrier.trade, bracket=by_mark)
    carrier.settle()
    carrier.venue.trade_at(Decimal(110))
    carrier.settle()
    carrier.crash()
    carrier.hear(StopMoved(Decimal(95), carrier.venue.now_ms))
    carrier.settle()
    assert {order.leg: order.working_type for order in carrier.trade.orders} == {
        **dict.fromkeys(("stop", "bridge", "break_even", "trailing"), "mark"),
        **dict.fromkeys(("entry", "take_profit_1", "take_profit_2"), "last"),
    }


def test_a_trailing_stop_stands_beside_the_others_after_the_first_target() -> None:
    carrier = held(trailing=Decimal(2))
    assert standing(carrier, "trailing") == []
    carrier.venue.trade_at(Decimal(110))
    carrier.settle(1_000)
    trailing = standing(carrier, "trailing")[0]
    assert (trailing.callback_percent, trailing.quantity, trailing.trigger) == (Decimal(2), Decimal("0.005"), None)
    assert len(standing(carrier, "break_even")) == 1


def test_a_stop_whose_price_was_passed_closes_the_position_at_market() -> None:
    carrier = stop_alone()
    carrier.venue.trade_at(Decimal(89))
    carrier.run()
    assert (carrier.trade.state, carrier.trade.exit_reason) == ("closed", "stop_failed")
    assert [fill.leg for fill in carrier.trade.fills] == ["entry", "close"]


def test_three_failures_of_a_stop_within_two_seconds_close_the_position() -> None:
    carrier = stop_alone()
    carrier.fates = ["retry", "retry", "retry"]
    carrier.run()
    assert (carrier.trade.state, carrier.trade.exit_reason) == ("closed", "stop_failed")


def test_three_failures_over_a_longer_time_are_tried_again() -> None:
    carrier = stop_alone()
    for _ in range(3):
        carrier.fates = ["retry"]
        while carrier.fates:
            carrier.step()
        carrier.venue.pass_time(2_500)
    carrier.settle(2_000)
    assert carrier.trade.closes == ()
    assert len(standing(carrier, "stop")) == 1


@pytest.mark.parametrize("fate", ["lost", "lost_done", "lost_late"])
def test_a_stop_of_which_nobody_knows_stands_again_within_a_moment(fate: Fate) -> None:
    carrier = stop_alone()
    carrier.fates = [fate]
    carrier.settle(1_500)
    assert len(standing(carrier, "stop")) == 1
    carrier.settle(8_000)
    assert len(standing(carrier, "stop")) == 1
    assert carrier.trade.closes == ()


def test_beside_a_closing_stop_that_is_not_ours_one_with_a_quantity_stands() -> None:
    carrier = stop_alone()
    stop = next(move.order for move in moves(carrier) if isinstance(move, Place))
    carrier.hear(Intended(stop, START_MS))
    carrier.hear(Sending(stop.client_id, START_MS + WINDOW_MS, START_MS))
    carrier.hear(Refused(stop.client_id, "duplicate", -4130, "", START_MS))
    found = [move.order for move in moves(carrier) if isinstance(move, Place)]
    assert [(one.leg, one.quantity, one.trigger) for one in found] == [("bridge", Decimal("0.010"), Decimal(90))]


def test_a_stop_that_was_triggered_is_followed_before_anything_is_protected_again() -> None:
    carrier = held()
    carrier.venue.next_fill = "none"
    carrier.venue.trade_at(Decimal(90))
    name = carrier.venue.orders[standing_id(carrier, "stop")]
    answer = carrier.venue.ask(name.order)
    assert answer is not None
    carrier.hear(answer)
    found = moves(carrier)
    assert placed(found) == []
    assert any(isinstance(move, Ask | Wait) for move in found)
    carrier.run()
    assert (carrier.trade.state, carrier.trade.exit_reason) == ("closed", "stop_failed")


def test_a_stop_that_was_filled_in_part_leaves_no_rest_without_an_end() -> None:
    carrier = held()
    carrier.venue.next_fill = "partly"
    carrier.venue.trade_at(Decimal(90))
    carrier.settle(10_000)
    assert carrier.trade.state == "closed"
    assert carrier.venue.position == 0


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_stop_with_a_fill_is_believed_to_wait_by_no_old_read(is_lost: bool) -> None:
    carrier = held()
    carrier.venue.next_fill = "partly"
    carrier.venue.trade_at(Decimal(90))
    carrier.venue.told.clear()  # Nobody was there, and what is read of the stop is of a moment before its trigger.
    if is_lost:
        carrier.crash()
    carrier.age_ms = 1
    carrier.look()
    carrier.age_ms = 0
    carrier.settle(1_000)
    assert [fill.leg for fill in carrier.trade.fills] == ["entry", "stop", "close"]
    assert carrier.venue.position == 0


def silent(price: int, *, counts: bool) -> Carrier:
    """Its stop says that it was triggered, and no more; the price is there, or went back."""
    carrier = held()
    carrier.venue.next_fill, carrier.venue.silent_counts = "silent", counts
    carrier.venue.trade_at(Decimal(90))
    carrier.venue.trade_at(Decimal(price))
    return carrier


@pytest.mark.parametrize("counts", [True, False])
def test_a_triggered_stop_of_which_no_order_comes_is_replaced_within_five_seconds(counts: bool) -> None:
    carrier = silent(95, counts=counts)
    carrier.settle(2_500)
    assert carrier.venue.bare_since is not None, "an order may still come of it"
    carrier.settle(1_000)
    assert carrier.venue.bare_since is None
    leg = "bridge" if counts else "stop"
    assert [(one.trigger, one.quantity) for one in standing(carrier, leg)] == [
        (Decimal(90), Decimal("0.010") if counts else None)
    ]
    asked = [move for move in carrier.done if isinstance(move, Ask)]
    carrier.settle(30_000)
    assert carrier.venue.bare_since is None
    later = [move for move in carrier.done if isinstance(move, Ask)]
    assert 0 < len(later) - len(asked) <= 10, "asked for as long as it says nothing, and not too often"


@pytest.mark.parametrize("counts", [True, False])
def test_a_triggered_stop_of_which_no_order_comes_is_a_close_where_its_price_was_passed(counts: bool) -> None:
    carrier = silent(88, counts=counts)
    carrier.settle(10_000)
    assert (carrier.trade.state, carrier.trade.exit_reason) == ("closed", "stop_failed")
    assert [fill.leg for fill in carrier.trade.fills] == ["entry", "close"]
    assert carrier.venue.open_orders() == []


def test_where_a_triggered_stop_says_no_more_it_is_looked_whether_the_position_is_still_there() -> None:
    carrier = silent(95, counts=False)
    carrier.hear_all()
    carrier.venue.somebody("stranger", "SELL", Decimal("0.010"))
    carrier.venue.told.clear()
    carrier.settle(8_000)
    assert carrier.trade.state == "closed"
    assert carrier.venue.open_orders() == []


def test_the_order_that_comes_of_a_stop_late_is_the_stops_and_closes_no_more_than_is_held() -> None:
    carrier = silent(95, counts=True)
    carrier.settle(5_000)
    late = carrier.venue.orders[standing_id(carrier, "stop")]
    late.is_silent = False
    carrier.venue.trade_at(Decimal(90))
    carrier.settle(6_000)
    assert carrier.trade.state == "closed"
    assert [fill.leg for fill in carrier.trade.fills] == ["entry", "stop"]
    assert carrier.venue.open_orders() == []


def test_a_persons_stop_goes_over_a_bridge() -> None:
    carrier = held()
    carrier.hear(StopMoved(Decimal(95), carrier.venue.now_ms))
    carrier.settle(1_000)
    legs = [(type(move).__name__, move.order.leg) for move in carrier.done if isinstance(move, Place | Cancel)]
    assert legs == [("Place", "bridge"), ("Cancel", "stop"), ("Place", "stop"), ("Cancel", "bridge")]
    assert [one.trigger for one in standing(carrier, "stop")] == [Decimal(95)]
    assert carrier.venue.bare_since is None


def test_a_persons_stop_beyond_the_price_leaves_the_old_one() -> None:
    carrier = held()
    carrier.hear(StopMoved(Decimal(105), carrier.venue.now_ms))
    carrier.settle(1_000)
    assert [one.trigger for one in standing(carrier, "stop")] == [Decimal(90)]
    assert carrier.trade.bracket is not None
    assert carrier.trade.bracket.stop == Decimal(90)


def test_an_exit_that_keeps_failing_is_tried_ever_more_seldom() -> None:
    carrier = held()
    target = standing_id(carrier, "take_profit_2")
    trade = carrier.trade
    waits = []
    for _ in range(4):
        order = next(one for one in reversed(trade.orders) if one.leg == "take_profit_2")
        now_ms = order.updated_ms
        trade = fold(trade, Answered(order.client_id, seen_as(order, "expired"), now_ms))
        trade_moves = next_moves(trade, now_ms, carrier.permits)
        assert placed(trade_moves) == []
        until = trade_moves[-1]
        assert isinstance(until, Wait)
        waits.append(until.until_ms - now_ms)
        again = next(
            move.order for move in next_moves(trade, until.until_ms, carrier.permits) if isinstance(move, Place)
        )
        trade = fold(trade, Intended(again, until.until_ms))
    assert waits == [250, 500, 1_000, 2_000]
    assert target != again.client_id


def test_a_break_even_stop_for_more_than_is_left_stays_as_it_only_reduces() -> None:
    carrier = held()
    carrier.venue.trade_at(Decimal(110))
    carrier.settle(1_000)
    second = standing(carrier, "break_even")
    target = carrier.venue.orders[standing_id(carrier, "take_profit_2")].order
    seen = OrderSeen(target.client_id, 99, "SELL", "partially_filled", Decimal("0.005"), Decimal("0.002"))
    carrier.hear(Answered(target.client_id, seen, carrier.venue.now_ms))
    assert placed(moves(carrier)) == []
    assert not any(isinstance(move, Cancel) for move in moves(carrier))
    assert standing(carrier, "break_even") == second
