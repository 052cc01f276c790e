"""How a position is closed, by whom it may be, and when it is over."""

import itertools
from decimal import Decimal

import msgspec
import pytest

from libs.kit.durations import HOUR_MS
from libs.trading.execution.decision import SETTLED_MS, Ask, Fetch, Note, Place, next_moves
from libs.trading.execution.document import CloseWish, OurOrder
from libs.trading.execution.facts import (
    Answered,
    CloseWished,
    Filled,
    FundingPaid,
    Intended,
    NotFound,
    OrderSeen,
    PositionSeen,
    Sending,
    Unclear,
)
from libs.trading.execution.folds import fold, fold_all
from libs.trading.execution.folds_orders import READ_DELAY_MS
from tests.libs.trading.execution.carrier import ALLOWED, HOLD_MS, PRICE, START_MS, VALID_MS
from tests.libs.trading.execution.situations import (
    ONLY_STOPS,
    begun,
    held,
    moves,
    placed,
    standing,
    standing_id,
    stop_alone,
)


def test_a_position_is_closed_when_it_was_held_long_enough() -> None:
    carrier = held()
    carrier.venue.pass_time(HOLD_MS)
    carrier.run()
    assert (carrier.trade.state, carrier.trade.exit_reason) == ("closed", "hold_expired")
    assert carrier.venue.open_orders() == []


def test_a_close_keeps_the_stop_until_two_reads_say_that_nothing_is_held() -> None:
    carrier = held()
    carrier.hear(CloseWished(CloseWish(reason="command", since_ms=carrier.venue.now_ms)))
    carrier.settle(READ_DELAY_MS)
    assert carrier.venue.position == 0
    assert len(standing(carrier, "stop")) == 1
    carrier.run()
    assert carrier.venue.open_orders() == []
    assert (carrier.trade.state, carrier.trade.exit_reason) == ("closed", "command")


def test_a_part_is_closed_once_and_the_rest_stays_protected() -> None:
    carrier = held()
    wish = CloseWish(reason="command", since_ms=carrier.venue.now_ms, quantity=Decimal("0.0045"), wish_id="w")
    carrier.hear(CloseWished(wish))
    carrier.hear(CloseWished(wish))
    carrier.settle(3_000)
    assert carrier.venue.position == Decimal("0.006")
    targets = [
        one.quantity or Decimal(0) for leg in ("take_profit_1", "take_profit_2") for one in standing(carrier, leg)
    ]
    assert targets == [Decimal("0.003"), Decimal("0.003")], "half of what there is to sell"
    assert carrier.trade.state == "open"


def test_a_close_after_the_first_target_leaves_break_even_where_it_is() -> None:
    carrier = held()
    carrier.venue.trade_at(PRICE + 10)
    carrier.settle(2_000)
    assert standing(carrier, "break_even")
    wish = CloseWish(reason="command", since_ms=carrier.venue.now_ms, quantity=Decimal("0.004"), wish_id="w")
    carrier.hear(CloseWished(wish))
    carrier.settle(3_000)
    assert carrier.venue.position == Decimal("0.001")
    assert [one.quantity for one in standing(carrier, "take_profit_2")] == [Decimal("0.001")]
    assert standing(carrier, "break_even")
    assert not standing(carrier, "take_profit_1")


def test_a_large_position_is_closed_in_slices() -> None:
    carrier = held()
    rules = carrier.trade.rules
    assert rules is not None
    small = msgspec.structs.replace(rules, max_quantity=Decimal("0.004"))
    carrier.trade = msgspec.structs.replace(carrier.trade, rules=small)
    carrier.hear(CloseWished(CloseWish(reason="command", since_ms=carrier.venue.now_ms)))
    carrier.run()
    slices = [order.quantity for _, order in carrier.venue.sent if order.leg == "close"]
    assert slices == [Decimal("0.004"), Decimal("0.004"), Decimal("0.002")]


def test_during_a_break_nothing_but_a_missing_stop_is_sent_and_the_guards_fills_are_booked() -> None:
    carrier = stop_alone()
    carrier.permits = ONLY_STOPS
    carrier.hear(CloseWished(CloseWish(reason="command", since_ms=START_MS)))
    carrier.settle(1_000)
    assert [order.leg for _, order in carrier.venue.sent] == ["entry", "stop"]
    carrier.venue.somebody("guard", "SELL", Decimal("0.010"))
    carrier.settle(10_000)
    assert (carrier.trade.state, carrier.trade.exit_reason) == ("closed", "risk_guard")
    assert carrier.venue.open_orders() == []


def test_a_close_that_was_meant_before_a_break_and_never_sent_keeps_no_trade_open() -> None:
    carrier = stop_alone()
    carrier.permits = ONLY_STOPS
    wish = CloseWish(reason="stop_failed", since_ms=START_MS, wish_id="w")
    close = OurOrder(
        client_id="cl-0",
        leg="close",
        generation=0,
        side="SELL",
        quantity=Decimal("0.010"),
        status="intended",
        reduce_only=True,
        wish_id="w",
        intended_ms=START_MS,
    )
    carrier.hear(CloseWished(wish))
    carrier.hear(Intended(close, START_MS))
    carrier.venue.somebody("guard", "SELL", Decimal("0.010"))
    carrier.settle(10_000)
    assert (carrier.trade.state, carrier.trade.exit_reason) == ("closed", "risk_guard")
    assert "close" not in [order.leg for _, order in carrier.venue.sent]


def test_a_liquidation_is_recorded_as_what_it_is() -> None:
    carrier = held()
    carrier.venue.somebody("liquidation", "SELL", Decimal("0.010"))
    carrier.settle(10_000)
    assert (carrier.trade.state, carrier.trade.exit_reason) == ("closed", "liquidation")
    assert carrier.trade.fills[-1].leg is None


def test_a_position_that_is_gone_without_a_fill_ends_unexplained_after_the_fills_were_read() -> None:
    carrier = held()
    carrier.venue.position = Decimal(0)
    carrier.venue.positions.append((carrier.venue.now_ms, Decimal(0)))
    carrier.venue.pass_time(READ_DELAY_MS)
    carrier.hear(PositionSeen(Decimal(0), carrier.venue.now_ms))
    carrier.run()
    assert any(isinstance(move, Fetch) and move.subject == "fills" for move in carrier.done)
    assert (carrier.trade.state, carrier.trade.exit_reason) == ("closed", "unexplained")
    assert carrier.venue.open_orders() == []


def test_a_trade_that_a_settlement_has_met_ends_with_its_funding() -> None:
    carrier = held()
    bracket = carrier.trade.bracket
    assert bracket is not None
    later = msgspec.structs.replace(bracket, hold_until_ms=2 * HOUR_MS)
    carrier.trade = msgspec.structs.replace(carrier.trade, bracket=later)
    carrier.venue.pass_time(HOUR_MS + 2_000 - carrier.venue.now_ms)
    carrier.venue.fundings = [
        FundingPaid(1, Decimal("0.05"), HOUR_MS),
        # Of whoever held the symbol after us.
        FundingPaid(2, Decimal("0.70"), HOUR_MS + 40_000),
    ]
    carrier.hear(CloseWished(CloseWish(reason="command", since_ms=carrier.venue.now_ms)))
    carrier.run()
    assert (carrier.trade.state, carrier.trade.funding) == ("closed", Decimal("0.05"))
    # The venue takes its time to write them down.
    assert carrier.venue.now_ms >= HOUR_MS + SETTLED_MS


def test_a_line_that_is_read_before_the_fill_that_ended_the_trade_is_the_strangers_after_it() -> None:
    carrier = held()
    sold_ms = carrier.venue.now_ms + 1_000
    carrier.hear(FundingPaid(1, Decimal("0.70"), sold_ms + 5_000))
    assert carrier.trade.funding == Decimal("0.70")
    carrier.venue.pass_time(1_000)
    carrier.venue.somebody("liquidation", "SELL", Decimal("0.010"))
    carrier.hear_all()
    assert carrier.trade.funding == 0
    assert carrier.trade.funding_ids == ()


@pytest.mark.parametrize("theirs", [Decimal("0.005"), Decimal("-0.020")])
def test_what_a_stranger_holds_keeps_no_trade_from_its_end(theirs: Decimal) -> None:
    carrier = held()
    carrier.hear(CloseWished(CloseWish(reason="command", since_ms=carrier.venue.now_ms)))
    carrier.settle(100)
    assert carrier.venue.position == 0
    carrier.venue.position = theirs
    carrier.venue.positions.append((carrier.venue.now_ms, theirs))
    carrier.run()
    assert (carrier.trade.state, carrier.trade.exit_reason) == ("closed", "command")
    assert carrier.venue.open_orders() == []
    assert carrier.venue.position == theirs


def test_reads_from_before_the_entry_prove_nothing() -> None:
    carrier = held()
    filled_ms = carrier.trade.fills[0].time_ms
    trade = fold_all(
        carrier.trade, PositionSeen(Decimal(0), filled_ms + 100), PositionSeen(Decimal(0), filled_ms + 1_900)
    )
    assert trade.flat_reads == ()


def test_fills_that_the_venue_has_counted_and_not_listed_are_fetched() -> None:
    carrier = stop_alone()
    carrier.settle(2_000)
    bare = begun()
    entry = bare.trade.orders[0]
    seen = OrderSeen(entry.client_id, 7, "BUY", "filled", Decimal("0.010"), Decimal("0.010"))
    bare.hear(Answered(entry.client_id, seen, START_MS))
    found = moves(bare)
    assert placed(found) == ["stop"]
    assert Fetch("fills") in found


def test_a_trade_that_is_over_asks_for_nothing() -> None:
    carrier = held()
    carrier.hear(CloseWished(CloseWish(reason="command", since_ms=carrier.venue.now_ms)))
    carrier.run()
    assert moves(carrier) == ()
    assert carrier.trade.times.flat_ms


def test_notes_come_alone() -> None:
    carrier = held()
    carrier.venue.pass_time(HOLD_MS)
    assert all(isinstance(move, Note) for move in moves(carrier))


def test_an_order_that_was_there_and_is_not_found_any_more_is_over_after_three_questions() -> None:
    carrier = held()
    name = standing_id(carrier, "take_profit_1")
    now_ms = carrier.venue.now_ms + 10_000
    trade = fold(carrier.trade, Unclear(name, now_ms))
    for number in range(3):
        assert not next(one for one in trade.orders if one.client_id == name).is_final
        trade = fold(trade, NotFound(name, now_ms + number * 1_000))
    assert next(one for one in trade.orders if one.client_id == name).is_final


def test_a_late_fill_of_an_entry_that_was_given_up_opens_the_trade_again() -> None:
    carrier = begun()
    carrier.venue.pass_time(VALID_MS - 2_000)
    carrier.fates = ["lost"]
    carrier.run()
    assert carrier.trade.state == "not_entered"
    carrier.venue.place(carrier.trade.orders[0])
    seen, by, _ = carrier.venue.fills[0]
    reopened = fold(carrier.trade, Filled(seen, by))
    assert reopened.state == "open"
    carrier.trade = reopened
    carrier.settle(2_000)
    assert len(standing(carrier, "stop")) == 1


def test_in_a_long_trouble_closes_are_sent_ever_more_seldom_and_asked_for_in_turns() -> None:
    carrier = held()
    trade, start_ms = carrier.trade, carrier.venue.now_ms
    trade = fold(trade, CloseWished(CloseWish(reason="command", since_ms=start_ms)))
    asked = 0
    for now_ms in range(start_ms, start_ms + 600_000, 250):
        found = next_moves(trade, now_ms, ALLOWED)
        asked = max(asked, sum(isinstance(move, Ask) for move in found))
        for move in found:
            if isinstance(move, Place):
                sending = Sending(move.order.client_id, now_ms + 2_000, now_ms)
                trade = fold_all(
                    trade, Intended(move.order, now_ms), sending, Unclear(move.order.client_id, now_ms + 100)
                )
    closes = [order.intended_ms for order in trade.orders if order.leg == "close"]
    assert 100 < len(closes) < 200, "a leg has a thousand generations"
    assert max(after - before for before, after in itertools.pairwise(closes)) <= 4_250
    assert asked <= 5
