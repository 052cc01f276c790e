"""An entry: once, and never again where it may have been carried out."""

from dataclasses import replace
from decimal import Decimal

import pytest

from libs.trading.execution.admission import EntryMarket, Quote
from libs.trading.execution.decision import Ask, Note, Permits, Wait, next_moves
from libs.trading.execution.document import CloseWish
from libs.trading.execution.facts import (
    CloseWished,
    Dropped,
    RefusalVerdict,
    Refused,
    Sending,
)
from libs.trading.execution.folds_orders import READ_DELAY_MS
from tests.libs.trading.execution.carrier import START_MS, VALID_MS, WINDOW_MS
from tests.libs.trading.execution.situations import BLOCKED, ONLY_STOPS, begun, moves, placed


def test_an_entry_is_sent_at_once_and_not_again_while_its_outcome_is_unknown() -> None:
    carrier = begun()
    carrier.fates = ["lost_late"]
    assert placed(moves(carrier)) == ["entry"]
    carrier.step()
    assert not placed(moves(carrier))
    carrier.settle(10_000)
    assert sum(carrier.venue.entries.values()) == 1
    assert carrier.trade.state == "open"


def test_an_entry_that_never_arrived_is_sent_again_under_the_same_id_while_its_signal_is_valid() -> None:
    carrier = begun()
    carrier.fates = ["lost"]
    carrier.settle(VALID_MS - 1_000)
    entries = [order for _, order in carrier.venue.sent if order.leg == "entry"]
    assert [order.client_id for order in entries] == [carrier.trade.orders[0].client_id]
    questions = [move for move in carrier.done if isinstance(move, Ask) and move.order.leg == "entry"]
    assert len(questions) >= 3, "asked too seldom"
    assert carrier.trade.times.sent_ms == START_MS
    assert carrier.venue.sent[0][0] > START_MS + WINDOW_MS + READ_DELAY_MS


def test_an_entry_that_never_arrived_is_not_sent_again_after_its_signal_has_expired() -> None:
    carrier = begun()
    carrier.venue.pass_time(VALID_MS - 2_000)
    carrier.fates = ["lost"]
    carrier.run()
    assert (carrier.trade.state, carrier.trade.reason) == ("not_entered", "expired")
    assert carrier.venue.sent == []


@pytest.mark.parametrize(
    ("permits", "after_ms", "reason"),
    [(BLOCKED, 0, "risk_blocked"), (ONLY_STOPS, 0, "risk_blocked"), (Permits(entries=True), VALID_MS, "expired")],
)
def test_an_entry_that_may_not_be_sent_is_dropped(permits: Permits, after_ms: int, reason: str) -> None:
    carrier = begun()
    carrier.permits = permits
    carrier.venue.pass_time(after_ms)
    carrier.run()
    assert (carrier.trade.state, carrier.trade.reason) == ("not_entered", reason)
    assert carrier.venue.sent == []


def test_a_close_before_the_entry_was_sent_cancels_it() -> None:
    carrier = begun()
    carrier.hear(CloseWished(CloseWish(reason="command", since_ms=START_MS)))
    carrier.run()
    assert (carrier.trade.state, carrier.trade.reason) == ("not_entered", "cancelled")


@pytest.mark.parametrize("verdict", ["margin", "filter", "price", "market_state", "access", "account"])
def test_an_entry_that_the_venue_refuses_is_not_tried_again(verdict: RefusalVerdict) -> None:
    carrier = begun()
    entry = carrier.trade.orders[0]
    carrier.hear(Refused(entry.client_id, verdict, -1, "", START_MS))
    assert (carrier.trade.state, carrier.trade.reason) == ("not_entered", f"{verdict} -1")
    assert moves(carrier) == ()


def test_an_entry_that_the_venue_did_not_carry_out_is_tried_again_a_moment_later() -> None:
    carrier = begun()
    carrier.fates = ["retry"]
    carrier.step()
    found = moves(carrier)
    assert len(found) == 1
    assert isinstance(found[0], Wait)
    carrier.settle()
    assert sum(carrier.venue.entries.values()) == 1


def test_an_id_that_is_taken_already_is_asked_for() -> None:
    carrier = begun()
    entry = carrier.trade.orders[0]
    carrier.venue.place(entry)
    carrier.hear(Sending(entry.client_id, START_MS + WINDOW_MS, START_MS))
    carrier.hear(Refused(entry.client_id, "duplicate", -4116, "", START_MS))
    carrier.settle()
    assert carrier.trade.state == "open"
    assert sum(carrier.venue.entries.values()) == 1


def test_a_restart_asks_for_what_was_being_sent_before_anything_is_sent() -> None:
    carrier = begun()
    carrier.dies_at = 2  # After the venue has it, before its answer is known.
    carrier.step()
    assert carrier.trade.orders[0].status == "unknown"
    carrier.settle()
    assert sum(carrier.venue.entries.values()) == 1
    assert carrier.trade.state == "open"


@pytest.mark.parametrize("reason", ["not_ready", "guard_silent"])
def test_an_entry_waits_for_what_passes_by_itself_while_its_signal_is_valid(reason: str) -> None:
    carrier = begun()
    carrier.permits = Permits(entries=False, why_not=reason)
    carrier.settle(2_000)
    assert (carrier.trade.state, carrier.venue.sent) == ("entering", [])
    late = next_moves(carrier.trade, START_MS + VALID_MS, carrier.permits)
    assert late == (Note(Dropped(carrier.trade.orders[0].client_id, "expired", START_MS + VALID_MS)),)
    carrier.permits = Permits(entries=True)
    carrier.settle(1_000)
    assert carrier.trade.state == "open"


def market(price: str = "100", age_ms: int = 0, *strategies: str) -> EntryMarket:
    """The order venue's price at the start, `age_ms` old, and strategies that may trade."""
    return EntryMarket(Quote(Decimal(price), START_MS - age_ms), Decimal(100), strategies or (begun().trade.strategy,))


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (market("101.01"), "price_gap"),
        (market("98.99"), "price_gap"),
        (market("100", 0, "another"), "not_enabled"),
        (replace(market("50"), most_gap_bps=Decimal(10_000)), "stop_passed"),
    ],
    ids=["gone up", "gone down", "switched off", "beyond its stop"],
)
def test_an_entry_is_compared_with_the_market_before_each_time_that_it_is_sent(now: EntryMarket, reason: str) -> None:
    carrier = begun()
    carrier.fates = ["lost"]
    carrier.step()
    carrier.permits = Permits(entries=True, market=now)
    carrier.settle(WINDOW_MS + READ_DELAY_MS + 2_000)
    assert (carrier.trade.state, carrier.trade.reason) == ("not_entered", reason)
    assert carrier.venue.sent == []


def test_an_entry_waits_for_a_price_that_is_not_told_yet() -> None:
    carrier = begun()
    for quote in (None, Quote(Decimal(100), START_MS - 60_000)):
        carrier.permits = Permits(entries=True, market=EntryMarket(quote, Decimal(100), (carrier.trade.strategy,)))
        assert [type(move) for move in moves(carrier)] == [Wait]
    carrier.permits = Permits(entries=True, market=market())
    assert placed(moves(carrier)) == ["entry"]
