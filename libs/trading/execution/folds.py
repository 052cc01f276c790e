"""What a document is after a fact: the same fact twice is once, in any order, and a strange one is written down, never raised."""

from collections.abc import Callable
from typing import Any

import msgspec

from libs.trading.execution.client_ids import read_client_id
from libs.trading.execution.document import (
    ZERO,
    CloseWish,
    Fill,
    OurOrder,
    StateChange,
    Times,
    Trade,
    TradeState,
)
from libs.trading.execution.facts import (
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
    FundingRead,
    Intended,
    NeverSent,
    NotFound,
    PositionSeen,
    Refused,
    Restarted,
    Sending,
    StopMoved,
    Unclear,
)
from libs.trading.execution.folds_orders import (
    READ_DELAY_MS,
    fold_fill,
    fold_order,
    in_doubt,
    is_followed,
    is_given_up,
    is_overdue,
    is_second_stop,
    may_move,
)
from libs.trading.execution.funding import with_funding, with_line, with_reading
from libs.trading.execution.sums import exit_reason_of, holding_of, initial_risk_of, last_trade_ms, profit_of_trade

TWO_READS_MS = 1_000
"""So far apart are two reads of a position that agree that there is none."""
STOP_FAILURES, STOP_FAILURES_MS = 3, 2_000
"""So many failures of a stop within so long: the position is closed at market."""
TRIGGERS_AT_ONCE = -2021


def fold(trade: Trade, fact: Fact) -> Trade:
    """The document after the fact; the very same object where nothing is new.

    Never raises for a fact that can be read: what does not concern the trade leaves it as it is, what contradicts it is kept
    beside it (a late fill of a trade that is over opens it again).
    """
    after = _FOLDS[type(fact)](trade, fact)
    if after == trade:
        return trade
    return _advanced(trade, after, _time_of(fact))


def fold_all(trade: Trade, *facts: Fact) -> Trade:
    """The document after each of the facts, in their order."""
    for fact in facts:
        trade = fold(trade, fact)
    return trade


def is_seen_flat(trade: Trade) -> bool:
    """Whether two reads far enough apart, both newer than the last fill, found nothing held."""
    reads = trade.flat_reads
    return len(reads) > 1 and reads[-1] - reads[0] >= TWO_READS_MS


def _changed(trade: Trade, **changes: Any) -> Trade:
    return msgspec.structs.replace(trade, **changes)


# --- orders --------------------------------------------------------------------------------------------------------


def _of_order(trade: Trade, fact: Any) -> Trade:
    """A fact about one order of ours; of no other."""
    found = next((order for order in trade.orders if order.client_id == fact.client_id), None)
    if found is None:
        return trade
    after = fold_order(found, fact)
    if after == found:
        return trade
    changed = _with_order(trade, after)
    return _timed(_attributed(changed, after), found, after)


def _with_order(trade: Trade, after: OurOrder) -> Trade:
    return _changed(trade, orders=tuple(after if one.client_id == after.client_id else one for one in trade.orders))


def _attributed(trade: Trade, order: OurOrder) -> Trade:
    """Fills that were heard before it was known whose order's number they bear."""
    number = order.order_id if order.is_conditional else order.venue_id
    if number is None or all(one.client_id == order.client_id or one.order_id != number for one in trade.fills):
        return trade
    fills = (
        msgspec.structs.replace(one, client_id=order.client_id, leg=order.leg, by="executor")
        if one.order_id == number
        else one
        for one in trade.fills
    )
    return _changed(trade, fills=tuple(fills))


def _timed(trade: Trade, before: OurOrder, after: OurOrder) -> Trade:
    """When the entry was sent and answered, when the stop was sent and stood, and when the targets stood."""
    times, at_ms = trade.times, after.updated_ms
    is_sent = after.attempts > before.attempts
    stands = before.venue_id is None and after.venue_id is not None
    found: dict[str, int] = {}
    if after.leg == "entry" and is_sent:
        found["sent_ms"] = at_ms
    if after.leg == "entry" and stands:
        found["answered_ms"] = at_ms
    if after.leg == "stop" and is_sent:
        found["stop_sent_ms"] = at_ms
    if after.leg == "stop" and stands:
        found["protected_ms"] = at_ms
    if after.leg == "take_profit_2" and stands:
        found["targets_ms"] = at_ms
    fresh = {name: value for name, value in found.items() if not getattr(times, name)}
    return _changed(trade, times=msgspec.structs.replace(times, **fresh)) if fresh else trade


def _intended(trade: Trade, fact: Intended) -> Trade:
    if trade.is_final or any(order.client_id == fact.order.client_id for order in trade.orders):
        return trade
    return _changed(trade, orders=(*trade.orders, fact.order))


def _refused(trade: Trade, fact: Refused) -> Trade:
    """The order, and what it means for the position when it was to protect it."""
    before = next((order for order in trade.orders if order.client_id == fact.client_id), None)
    after = _of_order(trade, fact)
    if before is None or after is trade:
        return trade
    is_past = fact.code == TRIGGERS_AT_ONCE
    if before.leg == "stop" and is_second_stop(fact):
        return _asked_again(after)
    if before.leg == "stop":
        return _stop_failed(after, fact.at_ms, at_once=is_past)
    if before.leg == "bridge":
        return _bridge_failed(after, fact.at_ms) if is_past else after
    if before.leg == "break_even" and is_past:
        return _wished(after, CloseWish(reason="break_even_passed", since_ms=fact.at_ms, wish_id="break_even_passed"))
    return after


def _asked_again(trade: Trade) -> Trade:
    """Something closes the position already: perhaps a stop of ours that we had given up."""
    orders = (
        msgspec.structs.replace(order, status="unknown", asked=0)
        if order.leg == "stop" and is_given_up(order) and order.reason == "not_found"
        else order
        for order in trade.orders
    )
    return _changed(trade, orders=tuple(orders))


def _stop_failed(trade: Trade, at_ms: int, *, at_once: bool) -> Trade:
    recent = (*(one for one in trade.stop_failures if 0 <= at_ms - one <= STOP_FAILURES_MS), at_ms)
    after = _changed(trade, stop_failures=recent)
    if not at_once and len(recent) < STOP_FAILURES:
        return after
    return _wished(after, CloseWish(reason="stop_failed", since_ms=at_ms, wish_id="stop_failed"))


def _bridge_failed(trade: Trade, at_ms: int) -> Trade:
    """The price has passed where the stop was to be moved. One that stands stays; without one the position is closed."""
    stops = (one for one in trade.orders if one.leg == "stop" and one.status == "new" and not one.triggered_ms)
    standing = next((one for one in stops if one.trigger), None)
    if standing is None or trade.bracket is None or standing.trigger is None:
        return _stop_failed(trade, at_ms, at_once=True)
    return _changed(trade, bracket=msgspec.structs.replace(trade.bracket, stop=standing.trigger))


def _unclear(trade: Trade, fact: Unclear) -> Trade:
    before = next((order for order in trade.orders if order.client_id == fact.client_id), None)
    after = _of_order(trade, fact)
    if before is None or after is trade or before.leg != "stop" or before.status != "submitting":
        return after
    return _stop_failed(after, fact.at_ms, at_once=False)


def _restarted(trade: Trade, fact: Restarted) -> Trade:
    orders = tuple(fold_order(order, fact) for order in trade.orders)
    return _changed(trade, orders=orders)


# --- fills and money -----------------------------------------------------------------------------------------------


def _filled(trade: Trade, fact: Filled) -> Trade:
    seen = fact.execution
    if any(fill.trade_id == seen.trade_id for fill in trade.fills):
        return _valued(trade, FeeValued(seen.trade_id, seen.fee_quote)) if seen.fee_quote is not None else trade
    order = _order_of(trade, seen)
    tag = read_client_id(seen.client_id)
    fill = Fill(
        trade_id=seen.trade_id,
        order_id=seen.order_id,
        client_id=seen.client_id if order is None else order.client_id,
        by=fact.by if order is None else "executor",
        leg=order.leg if order is not None else tag.leg if tag is not None else None,
        side=seen.side,
        price=seen.price,
        quantity=seen.quantity,
        fee=seen.fee,
        fee_asset=seen.fee_asset,
        fee_quote=seen.fee_quote,
        realised=seen.realised,
        is_maker=seen.is_maker,
        time_ms=seen.time_ms,
    )
    fills = tuple(sorted((*trade.fills, fill), key=lambda one: (one.time_ms, one.trade_id)))
    after = _changed(trade, fills=fills)
    if order is None:
        return after
    changed = fold_fill(order, seen)
    return _attributed(_with_order(after, changed), changed)


def _order_of(trade: Trade, seen: ExecutionSeen) -> OurOrder | None:
    for order in trade.orders:
        number = order.order_id if order.is_conditional else order.venue_id
        if order.client_id == seen.client_id or (number is not None and number == seen.order_id):
            return order
    return None


def _fills_read(trade: Trade, fact: FillsRead) -> Trade:
    return _changed(trade, fills_read_ms=max(trade.fills_read_ms, fact.at_ms))


def _valued(trade: Trade, fact: FeeValued) -> Trade:
    fills = (
        msgspec.structs.replace(one, fee_quote=fact.fee_quote)
        if one.trade_id == fact.trade_id and one.fee_quote is None
        else one
        for one in trade.fills
    )
    return _changed(trade, fills=tuple(fills))


# --- wishes and the position ---------------------------------------------------------------------------------------


def _close_wished(trade: Trade, fact: CloseWished) -> Trade:
    return _wished(trade, fact.wish)


def _wished(trade: Trade, wish: CloseWish) -> Trade:
    """A wish counts once; without an id of its own its reason is its id."""
    named = wish if wish.wish_id else msgspec.structs.replace(wish, wish_id=wish.reason)
    if trade.is_final or any(one.wish_id == named.wish_id for one in trade.closes):
        return trade
    return _changed(trade, closes=(*trade.closes, named))


def _stop_moved(trade: Trade, fact: StopMoved) -> Trade:
    if trade.bracket is None or trade.state not in ("entering", "open"):
        return trade
    return _changed(trade, bracket=msgspec.structs.replace(trade.bracket, stop=fact.stop))


def _first_target(trade: Trade, _fact: FirstTargetReached) -> Trade:
    return _changed(trade, reached_first=True) if trade.state == "open" else trade


def _position_seen(trade: Trade, fact: PositionSeen) -> Trade:
    """Reads of a position of which nothing is ours, the first and the newest. One that may be older than the last fill, or from
    while an order may be filled unknown to us, proves nothing. A position of the other side is somebody else's, and so is any
    where our fills say that nothing is left: who has it may hold it for as long as he likes."""
    if trade.is_final or fact.at_ms <= trade.position_ms:
        return trade
    trade = _changed(trade, position_ms=fact.at_ms)
    is_our_side = fact.amount != ZERO and (fact.amount > ZERO) == (trade.direction == "long")
    if is_our_side and holding_of(trade).left > ZERO:
        return _changed(trade, flat_reads=())
    if any(in_doubt(one) or may_move(one) for one in trade.orders):
        return trade
    if any(is_followed(one) and not is_overdue(one, fact.at_ms) for one in trade.orders):
        return trade
    if fact.at_ms < last_trade_ms(trade) + READ_DELAY_MS:
        return trade
    return _changed(trade, flat_reads=(*trade.flat_reads[:1], fact.at_ms))


def _ended(trade: Trade, fact: Ended) -> Trade:
    if trade.is_final:
        return trade
    times = msgspec.structs.replace(trade.times, flat_ms=trade.times.flat_ms or fact.at_ms)
    reason = fact.reason or exit_reason_of(trade)
    return _in_state(_changed(trade, times=times, exit_reason=reason), "closed", fact.at_ms, reason or "")


# --- states --------------------------------------------------------------------------------------------------------


def _in_state(trade: Trade, state: TradeState, at_ms: int, why: str = "") -> Trade:
    if trade.state == state:
        return trade
    return _changed(trade, state=state, history=(*trade.history, StateChange(state, at_ms, why)))


def _advanced(before: Trade, trade: Trade, at_ms: int) -> Trade:
    """The state that what is known now implies."""
    held, held_before = holding_of(trade), holding_of(before)
    if held.entered + held.exited > held_before.entered + held_before.exited:
        trade = _changed(trade, flat_reads=())
    if trade.is_final and held.left > ZERO and held.entered > held_before.entered:
        trade = _in_state(trade, "open", at_ms, "filled after it was thought to be over")
    if trade.state == "entering" and held.entered > ZERO:
        trade = _in_state(trade, "open", at_ms)
    if trade.state == "entering" and (failed := _failed_entry(trade)) is not None:
        return _in_state(_changed(trade, reason=failed.reason), "not_entered", at_ms, failed.reason or failed.status)
    trade = with_funding(_measured(trade))
    full = next((wish for wish in trade.closes if wish.quantity is None), None)
    if trade.state == "closing" and held.left > ZERO and full is None:
        trade = _in_state(trade, "open", at_ms, "more of it was filled")
    if trade.state == "open" and (held.left == ZERO or full is not None):
        trade = _in_state(trade, "closing", at_ms, full.reason if full is not None else exit_reason_of(trade) or "")
    return trade


def _failed_entry(trade: Trade) -> OurOrder | None:
    """The entry, when all of them have ended."""
    entries = [order for order in trade.orders if order.leg == "entry"]
    return entries[-1] if entries and all(order.is_final for order in entries) else None


def _measured(trade: Trade) -> Trade:
    """The first fill's time, and R once the entry is complete: fixed from then on."""
    entries = [order for order in trade.orders if order.leg == "entry"]
    bought = [fill for fill in trade.fills if fill.leg == "entry"]
    times: Times = trade.times
    if bought and not times.first_fill_ms:
        trade = _changed(trade, times=msgspec.structs.replace(times, first_fill_ms=bought[0].time_ms))
    told = sum((order.executed for order in entries), ZERO)
    known = sum((fill.quantity for fill in bought), ZERO)
    complete = entries and all(order.is_final for order in entries) and known >= told > ZERO
    if not complete or trade.initial_risk is not None:
        return trade
    average = profit_of_trade(trade).entry_average
    return trade if average is None else _changed(trade, initial_risk=initial_risk_of(trade, average, known))


def _time_of(fact: Fact) -> int:
    """When it was so, ms: what it says of its time, or the fill's own; 0 where it says nothing."""
    if isinstance(fact, Filled):
        return fact.execution.time_ms
    if isinstance(fact, CloseWished):
        return fact.wish.since_ms
    if isinstance(fact, FundingPaid):
        return fact.time_ms
    return 0 if isinstance(fact, FeeValued) else fact.at_ms


_FOLDS: dict[type, Callable[[Trade, Any], Trade]] = {
    **dict.fromkeys((Sending, NeverSent, Answered, NotFound, Canceled, CancelRefused, Dropped), _of_order),
    Intended: _intended,
    Refused: _refused,
    Unclear: _unclear,
    Restarted: _restarted,
    Filled: _filled,
    FillsRead: _fills_read,
    FeeValued: _valued,
    FundingPaid: with_line,
    FundingRead: with_reading,
    CloseWished: _close_wished,
    StopMoved: _stop_moved,
    FirstTargetReached: _first_target,
    PositionSeen: _position_seen,
    Ended: _ended,
}
