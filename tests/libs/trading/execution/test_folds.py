"""A document after facts: each once, in any order, and never back from an end."""

import itertools
from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.trading import OrderStatus
from libs.trading.execution.document import FINAL_ORDERS, CloseWish, OurOrder, Trade
from libs.trading.execution.facts import (
    AlgoSeen,
    AlgoStatus,
    Answered,
    Canceled,
    CancelRefused,
    CloseWished,
    Dropped,
    Ended,
    ExecutionSeen,
    Fact,
    FeeValued,
    Filled,
    FillsRead,
    FirstTargetReached,
    FundingPaid,
    Intended,
    NeverSent,
    NotFound,
    OrderSeen,
    PositionSeen,
    Refused,
    Restarted,
    Sending,
    StopMoved,
    Unclear,
    algo_status,
    order_status,
)
from libs.trading.execution.folds import fold, fold_all, is_seen_flat
from libs.trading.execution.sums import holding_of, profit_of_trade
from tests.libs.trading.execution.carrier import PRICE, START_MS, Carrier, a_trade
from tests.libs.trading.execution.model_venue import ModelVenue

QUANTITY = Decimal("0.010")
ONE_CENT = Decimal("0.01")
STATUSES: tuple[OrderStatus, ...] = ("new", "partially_filled", "filled", "canceled", "rejected", "expired", "unknown")
ALGO: tuple[AlgoStatus, ...] = ("waiting", "triggered", "finished", "canceled", "expired", "rejected")


def held() -> Trade:
    carrier = Carrier(ModelVenue(PRICE), a_trade())
    carrier.settle()
    return carrier.trade


HELD = held()
NAMES = (*(order.client_id for order in HELD.orders), "somebody-else")
names, times = st.sampled_from(NAMES), st.integers(START_MS, START_MS + 20_000)
quantities = st.sampled_from((Decimal(0), Decimal("0.004"), QUANTITY))
plain = st.builds(
    OrderSeen, names, st.integers(1, 9), st.just("SELL"), st.sampled_from(STATUSES), st.just(QUANTITY), quantities
)
algos = st.builds(
    AlgoSeen,
    names,
    st.integers(1, 9),
    st.just("SELL"),
    st.sampled_from(ALGO),
    st.just(QUANTITY),
    st.just(Decimal(90)),
    order_id=st.none() | st.integers(10, 19),
    executed=st.none() | quantities,
)
executions = st.builds(
    ExecutionSeen,
    trade_id=st.integers(1, 6),
    order_id=st.integers(1, 19),
    side=st.sampled_from(("BUY", "SELL")),
    price=st.just(PRICE),
    quantity=st.just(Decimal("0.001")),
    fee=st.just(Decimal("0.01")),
    fee_asset=st.sampled_from(("USDT", "BNB")),
    fee_quote=st.none() | st.just(Decimal("0.01")),
    realised=st.just(Decimal(0)),
    is_maker=st.booleans(),
    time_ms=times,
    client_id=names | st.just(""),
)
facts: st.SearchStrategy[Fact] = st.one_of(
    st.builds(Answered, names, plain | algos, times),
    st.builds(Sending, names, times, times),
    st.builds(NeverSent, names, times),
    st.builds(
        Refused,
        names,
        st.sampled_from(("retry", "duplicate", "price", "gone", "filter")),
        st.sampled_from((None, -2021, -4130)),
        st.just(""),
        times,
    ),
    st.builds(Unclear, names, times),
    st.builds(NotFound, names, times),
    st.builds(Canceled, names, times),
    st.builds(CancelRefused, names, st.just("gone"), st.just(""), times),
    st.builds(Dropped, names, st.just("not_wanted"), times),
    st.builds(Restarted, times),
    st.builds(Filled, executions, st.sampled_from(("executor", "guard", "person", "liquidation"))),
    st.builds(FillsRead, times),
    st.builds(FeeValued, st.integers(1, 6), st.just(Decimal("0.02"))),
    st.builds(FundingPaid, st.integers(1, 3), st.just(Decimal(1)), times),
    st.builds(CloseWished, st.builds(CloseWish, reason=st.sampled_from(("command", "guard")), since_ms=times)),
    st.builds(StopMoved, st.just(Decimal(95)), times),
    st.builds(FirstTargetReached, times),
    st.builds(PositionSeen, quantities, times),
    st.builds(Ended, st.none() | st.just("unexplained"), times),
    st.builds(Intended, st.sampled_from(HELD.orders), times),
)


@settings(deadline=None)  # the machine may be slow
@given(st.lists(facts, max_size=12))
def test_no_readable_fact_is_too_strange_and_no_end_goes_back(some: list[Fact]) -> None:
    trade = HELD
    for fact in some:
        after = fold(trade, fact)
        for old, new in zip(trade.orders, after.orders, strict=False):
            assert new.executed >= old.executed
            told = old.venue_id is not None and old.reason != "not_found"
            assert old.status not in FINAL_ORDERS or new.status == old.status or not told
        assert len(after.fills) >= len(trade.fills)
        assert len(after.history) - len(trade.history) <= 2
        assert msgspec.json.decode(msgspec.json.encode(after), type=Trade) == after
        trade = after


@settings(deadline=None)
@given(st.lists(facts, max_size=8), facts.filter(lambda fact: not isinstance(fact, NotFound)))
def test_the_same_fact_twice_is_once(some: list[Fact], fact: Fact) -> None:
    """All but questions, which are counted."""
    once = fold(fold_all(HELD, *some), fact)
    assert fold(once, fact) == once


@settings(deadline=None)
@given(st.lists(st.tuples(executions, st.sampled_from(NAMES)), max_size=5, unique_by=lambda one: one[0].trade_id))
def test_fills_may_be_heard_in_any_order(named: list[tuple[ExecutionSeen, str]]) -> None:
    """An order has one number at the venue, and its list of fills says no name."""
    some = [
        replace(one, order_id=1 + NAMES.index(name), client_id=name if one.client_id else "") for one, name in named
    ]
    found = {
        (profit_of_trade(trade), holding_of(trade))
        for order in itertools.islice(itertools.permutations(some), 6)
        if (trade := fold_all(HELD, *(Filled(one, "person") for one in order)))
    }
    assert len(found) == 1


def test_a_fill_that_was_heard_before_its_orders_number_is_that_orders() -> None:
    trade = a_trade()
    entry = trade.orders[0]
    execution = ExecutionSeen(
        5, 77, "BUY", PRICE, QUANTITY, Decimal(0), "USDT", Decimal(0), Decimal(0), False, START_MS
    )
    early = fold(trade, Filled(execution, "stranger"))
    assert early.fills[0].by == "stranger"
    seen = OrderSeen(entry.client_id, 77, "BUY", "filled", QUANTITY, QUANTITY)
    after = fold(early, Answered(entry.client_id, seen, START_MS))
    assert (after.fills[0].by, after.fills[0].leg, after.fills[0].client_id) == ("executor", "entry", entry.client_id)
    assert holding_of(after).entered == QUANTITY
    assert after.initial_risk == QUANTITY * 10


def test_what_an_order_executed_counts_before_its_fills_are_listed_and_not_twice_after() -> None:
    trade = a_trade()
    entry = trade.orders[0]
    seen = OrderSeen(entry.client_id, 77, "BUY", "filled", QUANTITY, QUANTITY)
    told = fold(trade, Answered(entry.client_id, seen, START_MS))
    assert (holding_of(told).left, holding_of(told).missing) == (QUANTITY, QUANTITY)
    execution = ExecutionSeen(
        5, 77, "BUY", PRICE, QUANTITY, Decimal(0), "USDT", Decimal(0), Decimal(0), False, START_MS
    )
    listed = fold(told, Filled(execution))
    assert (holding_of(listed).left, holding_of(listed).missing) == (QUANTITY, Decimal(0))


def test_r_is_fixed_when_the_entry_is_complete_and_a_moved_stop_does_not_change_it() -> None:
    assert HELD.initial_risk == Decimal("0.100")
    moved = fold(HELD, StopMoved(Decimal(95), START_MS + 9_000))
    assert moved.initial_risk == HELD.initial_risk
    assert moved.bracket is not None
    assert moved.bracket.stop == Decimal(95)


def test_a_guards_fill_and_a_liquidation_are_booked_as_theirs() -> None:
    names_of = {"guard": "g1-aaaa-bbbbbb-cccccccccccc-cl-0", "liquidation": "autoclose-1"}
    for number, (by, name) in enumerate(names_of.items()):
        execution = ExecutionSeen(
            50 + number,
            90 + number,
            "SELL",
            PRICE,
            QUANTITY,
            Decimal(0),
            "USDT",
            Decimal(0),
            Decimal(0),
            False,
            START_MS + 9_000,
        )
        after = fold(HELD, Filled(replace(execution, client_id=name), by))  # type: ignore[arg-type]
        assert after.fills[-1].by == by
        assert after.fills[-1].leg == ("close" if by == "guard" else None)
        assert (after.state, holding_of(after).left) == ("closing", Decimal(0))


def test_funding_and_a_fee_in_another_asset_count_once_each() -> None:
    paid = FundingPaid(1, Decimal("0.5"), START_MS)
    trade = fold_all(HELD, paid, paid, FundingPaid(2, Decimal("-0.2"), START_MS))
    assert profit_of_trade(trade).funding == Decimal("0.3")
    execution = ExecutionSeen(
        60, 99, "SELL", PRICE, QUANTITY, Decimal("0.001"), "BNB", None, Decimal(0), False, START_MS
    )
    unvalued = fold(HELD, Filled(execution, "person"))
    before = profit_of_trade(unvalued).fees
    valued = fold_all(unvalued, FeeValued(60, Decimal("0.6")), FeeValued(60, Decimal("0.9")))
    assert profit_of_trade(valued).fees == before + Decimal("0.6")


@pytest.mark.parametrize(
    ("amounts", "is_flat"),
    [
        (((Decimal(0), 0), (Decimal(0), 1_000)), True),
        (((Decimal(0), 0), (Decimal(0), 900)), False),
        (((Decimal(0), 0), (QUANTITY, 500), (Decimal(0), 1_000)), False),
        (((Decimal(0), 1_000), (Decimal(0), 0)), False),
        (((Decimal(0), -1_500), (Decimal(0), 0)), False),
    ],
)
def test_flat_is_two_reads_a_second_apart_that_are_newer_than_the_last_fill(
    amounts: tuple[tuple[Decimal, int], ...], is_flat: bool
) -> None:
    since = START_MS + 2_000 + 500
    trade = fold_all(HELD, *(PositionSeen(amount, since + at) for amount, at in amounts))
    assert is_seen_flat(trade) == is_flat


def test_a_read_while_an_order_is_in_doubt_proves_nothing() -> None:
    doubtful = fold(HELD, Unclear(HELD.orders[1].client_id, START_MS + 9_000))
    assert fold(doubtful, PositionSeen(Decimal(0), START_MS + 10_000)).flat_reads == ()


def test_words_of_the_venue_that_are_not_known_are_no_end() -> None:
    assert order_status("EXPIRED_IN_MATCH") == "expired"
    assert order_status("PENDING_NEW") == "unknown"
    assert algo_status("TRIGGERING") == "triggered"
    assert algo_status("SOMETHING") == "triggered"


def test_a_conditional_is_over_only_when_the_order_that_it_became_is() -> None:
    stop = HELD.orders[1]
    finished = AlgoSeen(stop.client_id, 3, "SELL", "finished", Decimal(0), Decimal(90), order_id=44)
    followed = fold(HELD, Answered(stop.client_id, finished, START_MS + 9_000))
    assert _of(followed, stop).status == "new"
    assert _of(followed, stop).triggered_ms == START_MS + 9_000
    became = OrderSeen(stop.client_id, 44, "SELL", "expired", QUANTITY, Decimal("0.004"))
    over = fold(followed, Answered(stop.client_id, became, START_MS + 9_100))
    assert (_of(over, stop).status, _of(over, stop).executed) == ("expired", Decimal("0.004"))
    old = AlgoSeen(stop.client_id, 3, "SELL", "waiting", Decimal(0), Decimal(90))
    assert _of(fold(over, Answered(stop.client_id, old, START_MS + 9_200)), stop).status == "expired"


def test_a_fill_of_a_conditional_says_that_it_was_triggered_and_what_it_became() -> None:
    stop = HELD.orders[1]
    sold = ExecutionSeen(
        77, 44, "SELL", Decimal(90), Decimal("0.004"), ONE_CENT, "USDT", ONE_CENT, Decimal(0), False, START_MS + 9_000
    )
    old = AlgoSeen(stop.client_id, 3, "SELL", "waiting", Decimal(0), Decimal(90))
    told: tuple[Fact, ...] = (
        Filled(replace(sold, client_id=stop.client_id)),
        Answered(stop.client_id, old, START_MS + 9_100),
    )
    for order in itertools.permutations(told):
        after = _of(fold_all(HELD, *order), stop)
        assert (after.order_id, after.triggered_ms, after.executed) == (44, START_MS + 9_000, Decimal("0.004"))
        assert after.status == "partially_filled"


def _of(trade: Trade, order: OurOrder) -> OurOrder:
    return next(one for one in trade.orders if one.client_id == order.client_id)


def test_a_refusal_after_the_order_was_heard_of_changes_nothing() -> None:
    stop = HELD.orders[1]
    assert fold(HELD, Refused(stop.client_id, "duplicate", -4116, "", START_MS + 9_000)) is HELD


def test_the_venue_proves_us_wrong_about_an_order_that_we_had_given_up() -> None:
    stop = HELD.orders[1]
    asked = (NotFound(stop.client_id, START_MS + 9_000 + 1_000 * number) for number in range(3))
    given_up = fold_all(HELD, Unclear(stop.client_id, START_MS + 9_000), *asked)
    assert _of(given_up, stop).status == "expired"
    seen = AlgoSeen(stop.client_id, 3, "SELL", "waiting", Decimal(0), Decimal(90))
    assert _of(fold(given_up, Answered(stop.client_id, seen, START_MS + 20_000)), stop).status == "new"
